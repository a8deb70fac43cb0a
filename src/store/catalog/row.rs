//! The data that the catalog stores and returns.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use connector_api::Usage;

use crate::task::{TaskId, TaskStatus};

/// One task, as the catalog stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Row {
    /// The task's ID.
    pub(in crate::store) id: TaskId,
    /// The task's status.
    pub(in crate::store) state: TaskStatus,
    /// The start time. Stored to the millisecond, like all times.
    pub(in crate::store) started_at: DateTime<Utc>,
    /// The end time. If it is unknown for an ended task, the start time is used instead.
    pub(in crate::store) completed_at: Option<DateTime<Utc>>,
    /// The backend's name; empty if it is unknown.
    pub(in crate::store) backend: String,
    /// The requested model; empty if there is none.
    pub(in crate::store) model: String,
    /// The repository, as [`repository_of`](crate::directory::repository_of) names it.
    pub(in crate::store) repository: String,
    /// The working directory.
    pub(in crate::store) directory: String,
    /// The agent's own ID for its session.
    pub(in crate::store) session: Option<String>,
    /// Tokens that the run used.
    pub(in crate::store) usage: Option<Usage>,
    /// How much the task changed files.
    pub(in crate::store) changes: Option<Changes>,
    /// Whether the original program ran it. Retention never removes such a task.
    pub(in crate::store) from_original: bool,
    /// The record as flat JSON, its texts truncated, so that a listing reads no other file.
    pub(in crate::store) record: String,
}

/// How much a task changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Changes {
    /// Number of changed files.
    pub(in crate::store) files: u64,
    /// Lines added.
    pub(in crate::store) added: u64,
    /// Lines removed.
    pub(in crate::store) removed: u64,
}

/// The position of an ended task in the order in which the catalog saw tasks end, starting at 1.
pub(in crate::store) type Seq = i64;

/// One task, as the catalog returns it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct StoredTask {
    /// Everything that was stored.
    pub(in crate::store) row: Row,
    /// Its sequence number, if it has ended.
    pub(in crate::store) seq: Option<Seq>,
}

/// Selects tasks; the default selects all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Only tasks in this state.
    pub state: Option<TaskStatus>,
    /// Only tasks of this backend.
    pub backend: Option<String>,
    /// Only tasks in this repository, as [`repository_of`](crate::directory::repository_of) names it.
    pub repository: Option<String>,
    /// Only tasks that began at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only tasks that began before this time.
    pub until: Option<DateTime<Utc>>,
}

impl Filter {
    /// Whether the filter selects this task.
    pub(in crate::store) fn selects(&self, row: &Row) -> bool {
        self.state.is_none_or(|state| state == row.state)
            && self.backend.as_ref().is_none_or(|backend| *backend == row.backend)
            && self.repository.as_ref().is_none_or(|repository| *repository == row.repository)
            && self.since.is_none_or(|since| row.started_at >= since)
            && self.until.is_none_or(|until| row.started_at < until)
    }
}

/// The newest tasks that a [`Filter`] selects, and the total number of tasks that it selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct TaskPage {
    /// The tasks, newest first.
    pub(in crate::store) tasks: Vec<StoredTask>,
    /// The total number.
    pub(in crate::store) total: u64,
}

/// The other lists of tasks that the catalog fully contains; see `lag`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct CatalogSources {
    /// The edition of `tasks.json` whose entries are all in the catalog.
    pub(in crate::store) edition: Option<String>,
    /// The names of the archives whose entries are all in the catalog.
    pub(in crate::store) archives: BTreeSet<String>,
    /// When the records were last compared with the rows.
    pub(in crate::store) swept_at: Option<DateTime<Utc>>,
}

/// Numbers of tasks by state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(in crate::store) struct Counts {
    /// Running tasks.
    pub(in crate::store) running: u64,
    /// Completed tasks.
    pub(in crate::store) completed: u64,
    /// Failed tasks.
    pub(in crate::store) failed: u64,
    /// Interrupted tasks.
    pub(in crate::store) interrupted: u64,
}

impl Counts {
    /// All tasks.
    pub(in crate::store) fn total(self) -> u64 {
        self.running + self.completed + self.failed + self.interrupted
    }

    /// The count for one state, for writing.
    pub(super) fn of(&mut self, state: TaskStatus) -> &mut u64 {
        match state {
            TaskStatus::Running => &mut self.running,
            TaskStatus::Completed => &mut self.completed,
            TaskStatus::Failed => &mut self.failed,
            TaskStatus::Interrupted => &mut self.interrupted,
        }
    }
}
