//! The data that the catalog stores and returns.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use connector_api::Usage;

use crate::task::{Outcome, TaskId, TaskRecord, TaskStatus};

/// Whether a task is running, or how it ended. The documented status does not tell a cancelled task from a failed one,
/// but lists do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) enum StoredState {
    /// It has not ended.
    Running,
    /// It has ended.
    Ended(Outcome),
}

impl StoredState {
    /// Every state.
    pub(super) const ALL: [Self; 6] = [
        Self::Running,
        Self::Ended(Outcome::Completed),
        Self::Ended(Outcome::Failed),
        Self::Ended(Outcome::Cancelled),
        Self::Ended(Outcome::TimedOut),
        Self::Ended(Outcome::Interrupted),
    ];

    /// The state of the task with this record.
    pub(in crate::store) fn of(record: &TaskRecord) -> Self {
        Outcome::of(record).map_or(Self::Running, Self::Ended)
    }

    /// The state with this name in the catalog.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }

    /// Its name in the catalog.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Ended(outcome) => outcome.as_str(),
        }
    }

    /// Whether the task has ended.
    pub(super) fn is_final(self) -> bool {
        self != Self::Running
    }

    /// How the task ended; `None` while it is running.
    pub(in crate::store) fn outcome(self) -> Option<Outcome> {
        match self {
            Self::Running => None,
            Self::Ended(outcome) => Some(outcome),
        }
    }

    /// The documented status.
    pub(super) fn status(self) -> TaskStatus {
        match self {
            Self::Running => TaskStatus::Running,
            Self::Ended(outcome) => outcome.status().into(),
        }
    }
}

/// One task, as the catalog stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct Row {
    /// The task's ID.
    pub(in crate::store) id: TaskId,
    /// Whether the task is running, or how it ended.
    pub(in crate::store) state: StoredState,
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
    /// Only tasks with this documented status.
    pub state: Option<TaskStatus>,
    /// Only ended tasks: all of them, or those with one outcome.
    pub end: Option<EndFilter>,
    /// Only tasks of this backend.
    pub backend: Option<String>,
    /// Only tasks in this repository, as [`repository_of`](crate::directory::repository_of) names it.
    pub repository: Option<String>,
    /// Only tasks that began at this time or later.
    pub since: Option<DateTime<Utc>>,
    /// Only tasks that began before this time.
    pub until: Option<DateTime<Utc>>,
}

/// Selects ended tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndFilter {
    /// All of them.
    Any,
    /// Those with this outcome.
    Outcome(Outcome),
}

impl Filter {
    /// Whether the filter selects tasks in this state, if they are selected otherwise.
    pub(in crate::store) fn selects_state(&self, state: StoredState) -> bool {
        self.state.is_none_or(|status| status == state.status())
            && match self.end {
                None => true,
                Some(EndFilter::Any) => state.is_final(),
                Some(EndFilter::Outcome(outcome)) => state == StoredState::Ended(outcome),
            }
    }

    /// Whether the filter selects this task.
    pub(in crate::store) fn selects(&self, row: &Row) -> bool {
        self.selects_state(row.state)
            && self.backend.as_ref().is_none_or(|backend| *backend == row.backend)
            && self.repository.as_ref().is_none_or(|repository| *repository == row.repository)
            && self.since.is_none_or(|since| row.started_at >= since)
            && self.until.is_none_or(|until| row.started_at < until)
    }
}

/// Tasks whose rows are outdated or missing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::store) struct ChangedTasks {
    /// The tasks. Their rows are ignored.
    pub(in crate::store) ids: BTreeSet<TaskId>,
    /// Those that a query selects nevertheless, with their start times in milliseconds since 1970.
    pub(in crate::store) selected: Vec<(i64, TaskId)>,
}

/// A task at its place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum ListedTask {
    /// A row of the catalog.
    Stored(Box<StoredTask>),
    /// One of the [`ChangedTasks`].
    Changed(TaskId),
}

/// Tasks of a list, and the total number of tasks in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) struct TaskPage<T> {
    /// The tasks, newest first.
    pub(in crate::store) tasks: Vec<T>,
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

/// Numbers of tasks by state. A state without tasks may be missing.
pub(in crate::store) type StateCounts = BTreeMap<StoredState, u64>;
