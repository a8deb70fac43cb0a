//! Totals of tokens from rows.

use connector_api::Usage;

use super::{
    row::Row,
    tests::{World, id, row},
    usage::{UsageFilter, UsageGroup},
};
use crate::task::{TaskStatus, Totals, TotalsBy};

fn usage(input_tokens: u64) -> Option<Usage> {
    Some(Usage { input_tokens, cached_input_tokens: 1, output_tokens: 2, reasoning_output_tokens: 3 })
}

#[test]
fn tokens_are_added_up_by_group() {
    let world = World::new();
    let model = |model: &str, number: u32, input| Row {
        model: model.to_owned(),
        usage: input,
        repository: format!("/{}", number % 2),
        ..row(number * 1_000, TaskStatus::Completed)
    };
    let rows = [model("a", 0, usage(10)), model("b", 1, usage(100)), model("a", 2, usage(1_000)), model("a", 3, None)];
    let catalog = world.rebuild(rows).catalog;
    let all = UsageFilter::default();
    let group = |filter: &UsageFilter, by, without: &[u32]| {
        let without = without.iter().map(|number| id(*number)).collect();
        catalog.usage(filter, by, &without).expect("it is readable")
    };
    let short = |groups: Vec<(UsageGroup, Totals)>| -> Vec<(String, u64, u64, u64)> {
        let name = |group| match group {
            UsageGroup::Time(at) => at.timestamp().to_string(),
            UsageGroup::Name(name) => name,
        };
        groups.into_iter().map(|(of, sum)| (name(of), sum.tasks, sum.unreported, sum.usage.input_tokens)).collect()
    };
    let expect = |groups: &[(&str, u64, u64, u64)]| -> Vec<(String, u64, u64, u64)> {
        groups
            .iter()
            .map(|(name, tasks, unreported, input)| ((*name).to_owned(), *tasks, *unreported, *input))
            .collect()
    };
    assert_eq!(short(group(&all, TotalsBy::Model, &[])), expect(&[("a", 3, 1, 1_010), ("b", 1, 0, 100)]));
    assert_eq!(short(group(&all, TotalsBy::Model, &[2_000])), expect(&[("a", 2, 1, 10), ("b", 1, 0, 100)]));
    assert_eq!(short(group(&all, TotalsBy::Backend, &[])), expect(&[("codex", 4, 1, 1_110)]));
    assert_eq!(short(group(&all, TotalsBy::Repository, &[])), expect(&[("/0", 2, 0, 1_010), ("/1", 2, 1, 100)]));
    // Quarters of an hour.
    let times = expect(&[("0", 1, 0, 10), ("900", 1, 0, 100), ("1800", 1, 0, 1_000), ("2700", 1, 1, 0)]);
    assert_eq!(short(group(&all, TotalsBy::Day, &[])), times);
    let some = UsageFilter { repository: Some("/0".to_owned()), since: chrono::DateTime::from_timestamp(1_000, 0) };
    assert_eq!(short(group(&some, TotalsBy::Backend, &[])), expect(&[("codex", 1, 0, 1_000)]));
    let total = group(&all, TotalsBy::Backend, &[])[0].1.usage;
    assert_eq!((total.cached_input_tokens, total.output_tokens, total.reasoning_output_tokens), (3, 6, 9));
}
