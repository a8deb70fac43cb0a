//! Totals of the tokens that tasks used.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use connector_api::Usage;

/// How to group tasks for totals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TotalsBy {
    /// By the day on which they began.
    Day,
    /// By backend.
    Backend,
    /// By the requested model.
    Model,
    /// By repository.
    Repository,
}

impl TotalsBy {
    /// The word on the command line and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Backend => "backend",
            Self::Model => "model",
            Self::Repository => "repo",
        }
    }
}

/// The total of several tasks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// The number of tasks.
    pub tasks: u64,
    /// The number of those whose tokens are unknown, because they are running or their agent reported none.
    pub unreported: u64,
    /// The tokens of the others.
    pub usage: Usage,
}

impl Totals {
    /// The total of one task.
    pub fn of(usage: Option<Usage>) -> Self {
        Self { tasks: 1, unreported: u64::from(usage.is_none()), usage: usage.unwrap_or_default() }
    }

    /// Adds the total of other tasks.
    pub fn add(&mut self, other: Self) {
        let Usage { input_tokens, cached_input_tokens, output_tokens, reasoning_output_tokens } = other.usage;
        let add = |sum: &mut u64, count: u64| *sum = sum.saturating_add(count);
        add(&mut self.tasks, other.tasks);
        add(&mut self.unreported, other.unreported);
        add(&mut self.usage.input_tokens, input_tokens);
        add(&mut self.usage.cached_input_tokens, cached_input_tokens);
        add(&mut self.usage.output_tokens, output_tokens);
        add(&mut self.usage.reasoning_output_tokens, reasoning_output_tokens);
    }
}

/// Totals by group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageReport {
    /// How the tasks are grouped.
    pub by: TotalsBy,
    /// Each group with its total: days from the oldest to the newest, other groups from the most tokens to the fewest.
    /// The name is empty if it is unknown.
    pub groups: Vec<(String, Totals)>,
}

/// Totals by day and backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DailyUsage {
    /// The days on which tasks began, from the oldest to the newest.
    pub days: Vec<DayUsage>,
}

/// The totals of one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayUsage {
    /// The day, in the user's time zone.
    pub day: NaiveDate,
    /// Each backend with its total, by name. The name is empty if it is unknown.
    pub backends: Vec<(String, Totals)>,
}

impl DayUsage {
    /// The total of all backends.
    pub fn total(&self) -> Totals {
        sum(self.backends.iter().map(|(_, totals)| *totals))
    }
}

impl DailyUsage {
    /// Each backend with the total of all days, by name.
    pub fn backends(&self) -> Vec<(String, Totals)> {
        let mut backends: BTreeMap<&str, Totals> = BTreeMap::new();
        for (name, totals) in self.days.iter().flat_map(|day| &day.backends) {
            backends.entry(name).or_default().add(*totals);
        }
        backends.into_iter().map(|(name, totals)| (name.to_owned(), totals)).collect()
    }

    /// The total of all days.
    pub fn total(&self) -> Totals {
        sum(self.days.iter().map(DayUsage::total))
    }
}

fn sum(all: impl Iterator<Item = Totals>) -> Totals {
    let mut total = Totals::default();
    all.for_each(|totals| total.add(totals));
    total
}

impl UsageReport {
    /// The total of all groups.
    pub fn total(&self) -> Totals {
        sum(self.groups.iter().map(|(_, group)| *group))
    }
}
