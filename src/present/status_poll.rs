//! The last status that a client saw of a task, so that the next one can begin with what is new.

use chrono::{DateTime, Utc};

use crate::task::{Steps, TaskStatus, TaskView, Untrusted};

/// The contents of a status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusPoll {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The status of the task then.
    pub(crate) status: TaskStatus,
    /// Bytes of output until then.
    pub(crate) output: u64,
    /// The last line of the log then. Lines begin with the time, so that no two are the same.
    pub(crate) last_line: Option<Untrusted>,
    /// The agent's steps since then, as the next status shows them.
    pub(crate) steps: Steps,
}

impl StatusPoll {
    /// The look at `view` at `now`.
    pub(crate) fn of(view: &TaskView, now: DateTime<Utc>) -> Self {
        let record = &view.record;
        Self {
            at: now,
            status: record.status(),
            output: record.progress.stdout_bytes + record.progress.stderr_bytes,
            last_line: view.tail.lines.last().cloned(),
            steps: Steps::default(),
        }
    }
}
