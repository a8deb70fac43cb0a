//! Rules for how many ended tasks are kept, and for how long.

use std::{num::NonZeroUsize, time::Duration};

use bytesize::ByteSize;

use super::span;

/// Limits on the ended tasks that are kept. `None` means no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long a task is kept after its end.
    pub max_age: Option<Duration>,
    /// Maximum number of tasks.
    pub max_tasks: Option<NonZeroUsize>,
    /// Maximum total size of the files of all tasks, in bytes.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Whether there are no limits, so that nothing is ever removed.
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }

    /// The tasks that each limit removes, as text for people.
    pub fn describe(&self) -> Vec<String> {
        let Self { max_age, max_tasks, max_bytes } = *self;
        [
            max_age.map(|age| format!("tasks that ended more than {} ago (`retention.max_age`)", age_limit(age))),
            max_tasks.map(|max| format!("tasks beyond the newest {max} (`retention.max_tasks`)")),
            max_bytes
                .map(|max| format!("tasks beyond the newest {} (`retention.max_bytes`)", ByteSize(max).display().si())),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}

/// `age` in days if it is a whole number of them.
fn age_limit(age: Duration) -> String {
    const DAY_SECONDS: u64 = 24 * 60 * 60;
    match (age.as_secs() / DAY_SECONDS, age.as_millis() % u128::from(DAY_SECONDS * 1_000)) {
        (1, 0) => "1 day".to_owned(),
        (days @ 2.., 0) => format!("{days} days"),
        _ => span(age),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_described_in_the_units_that_people_use() {
        let describe = |seconds, max_bytes| {
            let max_age = Some(Duration::from_secs(seconds));
            Retention { max_age, max_tasks: None, max_bytes: Some(max_bytes) }.describe()
        };
        let described = |age, size| {
            [
                format!("tasks that ended more than {age} ago (`retention.max_age`)"),
                format!("tasks beyond the newest {size} (`retention.max_bytes`)"),
            ]
        };
        assert_eq!(describe(90 * 86_400, 10_000_000_000), described("90 days", "10.0 GB"));
        assert_eq!(describe(86_400, 500_000_000), described("1 day", "500.0 MB"));
        assert_eq!(describe(90_000, 999), described("25h 0m", "999 B"));
    }
}
