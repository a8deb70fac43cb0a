//! How much is kept of tasks that have ended.

use std::{num::NonZeroUsize, time::Duration};

use super::span;

/// What is kept of tasks that have ended; a rule that is none keeps everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Retention {
    /// How long after its end a task is kept.
    pub max_age: Option<Duration>,
    /// How many tasks are kept.
    pub max_tasks: Option<NonZeroUsize>,
    /// How many bytes the files of all tasks may take together.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Whether nothing is ever removed.
    pub fn keeps_everything(&self) -> bool {
        *self == Self::default()
    }

    /// What is removed, by each rule that there is, in words for people.
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
