//! The state of a task when a client last asked for it, so that the next status can begin with the changes.

use chrono::{DateTime, Utc};

use crate::task::{Steps, TaskStatus, TaskView, Untrusted};

/// The state of a task at one call of `codex_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusPoll {
    /// Time of the call.
    pub(crate) at: DateTime<Utc>,
    /// Status of the task.
    pub(crate) status: TaskStatus,
    /// Bytes of output so far.
    pub(crate) output: u64,
    /// The last line of the log. It is unique, because each line begins with the time.
    pub(crate) last_line: Option<Untrusted>,
    /// The agent's steps since this call; counted at the next one.
    pub(crate) steps: Steps,
}

impl StatusPoll {
    /// The state that `view` shows at `now`.
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
