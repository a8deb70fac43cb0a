//! How much is kept of tasks that have ended.

use std::{num::NonZeroUsize, time::Duration};

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
