//! Rules for how many ended tasks are kept, and for how long.

use std::{num::NonZeroUsize, time::Duration};

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
            max_age.map(|age| format!("tasks that ended more than {} ago (`retention.max_age`)", span(age))),
            max_tasks.map(|max| format!("tasks beyond the newest {max} (`retention.max_tasks`)")),
            max_bytes.map(|max| format!("tasks beyond the newest {max} bytes (`retention.max_bytes`)")),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
