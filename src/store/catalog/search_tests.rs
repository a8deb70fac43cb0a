//! Tests of lists and numbers of tasks.

use chrono::DateTime;

use super::{
    row::{ChangedTasks, EndFilter, Filter, ListedTask, Row, StateCounts, StoredState, TaskPage},
    tests::{World, assert_counts_are_correct, counts, id, newest, number, numbers, row},
};
use crate::task::{Outcome, Page, TaskStatus};

#[test]
fn a_filter_selects_by_state_backend_repository_and_time() {
    let world = World::new();
    let mut catalog = world.catalog();
    for number in 0..24 {
        let state = TaskStatus::ALL[number as usize % 4];
        let backend = if number % 3 == 0 { "claude" } else { "codex" }.to_owned();
        let repository = if number % 2 == 0 { "/a" } else { "/b" }.to_owned();
        catalog.upsert(&Row { backend, repository, ..row(number, state) }).expect("it is writable");
    }
    let all = Filter::default();
    let some = |text: &str| Some(text.to_owned());
    let at = |seconds| DateTime::from_timestamp(seconds, 0);
    assert_eq!(numbers(&catalog, &all, 4), [23, 22, 21, 20]);
    assert_eq!(numbers(&catalog, &Filter { state: Some(TaskStatus::Failed), ..all.clone() }, 2), [22, 18]);
    assert_eq!(numbers(&catalog, &Filter { backend: some("claude"), ..all.clone() }, 3), [21, 18, 15]);
    assert_eq!(numbers(&catalog, &Filter { repository: some("/b"), ..all.clone() }, 3), [23, 21, 19]);
    let both = Filter { repository: some("/b"), backend: some("claude"), ..all.clone() };
    assert_eq!(numbers(&catalog, &both, 9), [21, 15, 9, 3]);
    assert_eq!(numbers(&catalog, &Filter { state: Some(TaskStatus::Interrupted), ..both.clone() }, 9), [15, 3]);
    assert_eq!(numbers(&catalog, &Filter { since: at(9), until: at(21), ..both.clone() }, 9), [15, 9]);
    assert_eq!(numbers(&catalog, &Filter { repository: some("/c"), ..all.clone() }, 9), Vec::<u32>::new());
    let numbers = |limit, without: &[u32]| {
        let page = newest(&catalog, &both, limit, &without.iter().map(|number| id(*number)).collect());
        (page.tasks.len(), page.total)
    };
    assert_eq!([numbers(3, &[]), numbers(4, &[]), numbers(usize::MAX, &[])], [(3, 4), (4, 4), (4, 4)]);
    assert_eq!([numbers(3, &[15]), numbers(9, &[15, 1])], [(3, 3), (3, 3)]);
    let of = |tasks: &[(TaskStatus, u64)]| {
        tasks.iter().map(|(state, count)| ((*state).into(), *count)).collect::<StateCounts>()
    };
    assert_eq!(counts(&catalog, &all), of(&TaskStatus::ALL.map(|state| (state, 6))));
    assert_eq!(counts(&catalog, &both), of(&[(TaskStatus::Completed, 2), (TaskStatus::Interrupted, 2)]));
    assert_eq!(counts(&catalog, &Filter { until: at(9), ..both.clone() }), of(&[(TaskStatus::Interrupted, 1)]));
    assert_counts_are_correct(&catalog);
}

#[test]
fn a_filter_tells_outcomes_apart() {
    let world = World::new();
    let mut catalog = world.catalog();
    for number in 0..18 {
        catalog.upsert(&row(number, StoredState::ALL[number as usize % 6])).expect("it is writable");
    }
    let failed = Filter { state: Some(TaskStatus::Failed), ..Filter::default() };
    let of = |end| Filter { end: Some(end), ..Filter::default() };
    assert_eq!(numbers(&catalog, &failed, 4), [16, 15, 14, 10]);
    assert_eq!(numbers(&catalog, &of(EndFilter::Any), 7), [17, 16, 15, 14, 13, 11, 10]);
    for (remainder, outcome) in [(1, Outcome::Completed), (2, Outcome::Failed), (3, Outcome::Cancelled)] {
        let filter = of(EndFilter::Outcome(outcome));
        assert_eq!(numbers(&catalog, &filter, 9), [12 + remainder, 6 + remainder, remainder], "{outcome:?}");
        assert_eq!(counts(&catalog, &filter), [(StoredState::Ended(outcome), 3)].into());
    }
    let timed_out = of(EndFilter::Outcome(Outcome::TimedOut));
    assert_eq!(numbers(&catalog, &Filter { state: Some(TaskStatus::Completed), ..timed_out.clone() }, 9), [0; 0]);
    assert_eq!(numbers(&catalog, &Filter { state: Some(TaskStatus::Failed), ..timed_out }, 9), [16, 10, 4]);
    assert_counts_are_correct(&catalog);
}

#[test]
fn a_page_has_changed_tasks_at_their_places() {
    let world = World::new();
    let catalog = world.rebuild((0..10).map(|number| row(2 * number, TaskStatus::Completed))).catalog;
    // Rows for 0, 2, …, 18. Task 4 is selected no more, 6 still is, and 5 and 99 are missing in the catalog.
    let at = |number: u32| (i64::from(number) * 1_000, id(number));
    let changed = ChangedTasks { ids: [4, 6, 5, 99].map(id).into(), selected: [6, 5, 99].map(at).into() };
    let page = |skip, limit| {
        let TaskPage { tasks, total } =
            catalog.page(&Filter::default(), Page { skip, limit }, &changed).expect("it is readable");
        let ids = catalog.page_of_ids(&Filter::default(), Page { skip, limit }, &changed).expect("it is readable");
        let listed = tasks.into_iter().map(|task| match task {
            ListedTask::Stored(stored) => (number(&stored.row.id), false),
            ListedTask::Changed(id) => (number(&id), true),
        });
        let listed: Vec<_> = listed.collect();
        let ids: Vec<_> = ids.tasks.iter().map(number).collect();
        assert_eq!((ids, total), (listed.iter().map(|(number, _)| *number).collect(), 11));
        listed
    };
    let all = page(0, 99);
    let (stored, new): (Vec<(u32, bool)>, Vec<_>) = all.iter().copied().partition(|(_, is_changed)| !is_changed);
    assert_eq!(stored.iter().map(|task| task.0).collect::<Vec<_>>(), [18, 16, 14, 12, 10, 8, 2, 0]);
    assert_eq!(new.iter().map(|task| task.0).collect::<Vec<_>>(), [99, 6, 5]);
    for limit in 1..5 {
        let pages: Vec<_> = (0..4 * limit).step_by(limit).flat_map(|skip| page(skip, limit)).collect();
        assert_eq!(pages, all[..(4 * limit).min(11)], "in pages of {limit}");
    }
    assert_eq!((page(0, 0), page(11, 5)), (vec![], vec![]));
}
