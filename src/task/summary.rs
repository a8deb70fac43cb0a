//! A task in a list.
//!
//! The documented statuses mix two questions: whether a task has ended, and how. People ask them separately, so lists
//! for people and `--json` have a *state* and, once a task has ended, an *outcome*.

use super::{EndStatus, FailureReason, TaskRecord, TimelineEntry, Trouble, Untrusted};

/// One task in a list.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSummary {
    /// Its record; for a running task, updated from the live view.
    pub record: TaskRecord,
    /// Whether it waits, runs or has ended.
    pub state: TaskState,
    /// The newest step of a running task's agent.
    pub step: Option<TimelineEntry>,
    /// The problem that a running task's agent is trying to recover from.
    pub trouble: Option<Trouble>,
}

impl TaskSummary {
    /// A task that has ended.
    pub fn ended(record: TaskRecord) -> Self {
        Self { record, state: TaskState::Ended, step: None, trouble: None }
    }
}

/// Tasks that a filter selects.
#[derive(Debug, Clone, PartialEq)]
pub struct Summaries {
    /// The newest ones, newest first, up to a limit.
    pub tasks: Vec<TaskSummary>,
    /// The number of all of them; of those that were found, if the list is partial.
    pub total: usize,
    /// Whether older tasks may be missing, because the catalog of a long history is being built.
    pub is_partial: bool,
}

/// A page of a list of tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// The number of tasks before the page.
    pub skip: usize,
    /// Maximum number of tasks on the page.
    pub limit: usize,
}

impl Page {
    /// The first page.
    pub fn first(limit: usize) -> Self {
        Self { skip: 0, limit }
    }

    /// The number of tasks up to the end of the page.
    pub(crate) fn end(self) -> usize {
        self.skip.saturating_add(self.limit)
    }
}

/// Whether a task waits, runs or has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TaskState {
    /// It waits for other tasks, because of `limits.max_running`.
    Queued,
    /// Its agent is working, or about to.
    Running,
    /// It has ended.
    Ended,
}

impl TaskState {
    /// The word in lists and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Outcome {
    /// The agent did the work.
    Completed,
    /// The agent failed.
    Failed,
    /// The task was cancelled.
    Cancelled,
    /// The task reached its time limit, or the limit on silence.
    TimedOut,
    /// The task lost its server, its supervisor or its machine.
    Interrupted,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [Self::Completed, Self::Failed, Self::Cancelled, Self::TimedOut, Self::Interrupted];

    /// The word in lists and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Interrupted => "interrupted",
        }
    }

    /// The documented status of a task with this outcome.
    pub fn status(self) -> EndStatus {
        match self {
            Self::Completed => EndStatus::Completed,
            Self::Failed | Self::Cancelled | Self::TimedOut => EndStatus::Failed,
            Self::Interrupted => EndStatus::Interrupted,
        }
    }

    /// The outcome of a task; `None` while it runs.
    pub fn of(record: &TaskRecord) -> Option<Self> {
        let end = record.end.as_ref()?;
        Some(Self::of_end(end.status, end.failure_reason.as_ref().map(Untrusted::raw)))
    }

    /// The outcome of a task that ended with this status and this documented reason.
    pub fn of_end(status: EndStatus, reason: Option<&str>) -> Self {
        match status {
            EndStatus::Completed => Self::Completed,
            EndStatus::Interrupted => Self::Interrupted,
            EndStatus::Failed if reason.is_some_and(|reason| *reason == *FailureReason::Cancelled.to_string()) => {
                Self::Cancelled
            }
            EndStatus::Failed if reason.is_some_and(|reason| reason.starts_with("Timeout after ")) => Self::TimedOut,
            EndStatus::Failed => Self::Failed,
        }
    }
}

/// Selects tasks by their state, or by their outcome once they have ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StateFilter {
    /// Tasks in this state.
    State(TaskState),
    /// Ended tasks with this outcome.
    Outcome(Outcome),
}

impl StateFilter {
    /// Every filter, in the order in which lists offer them.
    pub const ALL: [Self; 8] = [
        Self::State(TaskState::Queued),
        Self::State(TaskState::Running),
        Self::State(TaskState::Ended),
        Self::Outcome(Outcome::Completed),
        Self::Outcome(Outcome::Failed),
        Self::Outcome(Outcome::Cancelled),
        Self::Outcome(Outcome::TimedOut),
        Self::Outcome(Outcome::Interrupted),
    ];

    /// The word on the command line and in addresses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State(state) => state.as_str(),
            Self::Outcome(outcome) => outcome.as_str(),
        }
    }

    /// The filter with this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|filter| filter.as_str() == name)
    }

    /// Whether it selects this task.
    pub fn selects(self, task: &TaskSummary) -> bool {
        match self {
            Self::State(state) => task.state == state,
            Self::Outcome(outcome) => Outcome::of(&task.record) == Some(outcome),
        }
    }
}

/// The number of tasks in each state, and of ended tasks with each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskCounts {
    /// Tasks that wait for other tasks.
    pub queued: u64,
    /// Tasks whose agents are working.
    pub running: u64,
    /// Completed tasks.
    pub completed: u64,
    /// Failed tasks, without the cancelled ones and those that reached a limit.
    pub failed: u64,
    /// Cancelled tasks.
    pub cancelled: u64,
    /// Tasks that reached a limit.
    pub timed_out: u64,
    /// Interrupted tasks.
    pub interrupted: u64,
}

impl TaskCounts {
    /// The number of tasks that `filter` selects.
    pub fn of(&self, filter: StateFilter) -> u64 {
        match filter {
            StateFilter::State(TaskState::Queued) => self.queued,
            StateFilter::State(TaskState::Running) => self.running,
            StateFilter::State(TaskState::Ended) => {
                self.completed + self.failed + self.cancelled + self.timed_out + self.interrupted
            }
            StateFilter::Outcome(Outcome::Completed) => self.completed,
            StateFilter::Outcome(Outcome::Failed) => self.failed,
            StateFilter::Outcome(Outcome::Cancelled) => self.cancelled,
            StateFilter::Outcome(Outcome::TimedOut) => self.timed_out,
            StateFilter::Outcome(Outcome::Interrupted) => self.interrupted,
        }
    }

    /// Adds ended tasks with this outcome; for `None`, tasks that have not ended and do not wait.
    pub(crate) fn add(&mut self, outcome: Option<Outcome>, tasks: u64) {
        let count = match outcome {
            None => &mut self.running,
            Some(Outcome::Completed) => &mut self.completed,
            Some(Outcome::Failed) => &mut self.failed,
            Some(Outcome::Cancelled) => &mut self.cancelled,
            Some(Outcome::TimedOut) => &mut self.timed_out,
            Some(Outcome::Interrupted) => &mut self.interrupted,
        };
        *count += tasks;
    }

    /// The number of all tasks.
    pub fn total(&self) -> u64 {
        self.queued + self.running + self.of(StateFilter::State(TaskState::Ended))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use chrono::Utc;

    use super::*;
    use crate::task::{FailureReason, TaskEnd};

    #[test]
    fn the_outcome_follows_from_the_status_and_the_documented_reason() {
        let running: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "1a2b3c4d", "status": "running", "startedAt": "2026-01-02T03:04:05Z"
        }))
        .expect("a record needs no more");
        assert_eq!(Outcome::of(&running), None);
        let minute = Duration::from_secs(60);
        let timeout = FailureReason::Timeout { elapsed: minute, limit: minute };
        for (status, reason, outcome) in [
            (EndStatus::Completed, None, Outcome::Completed),
            (EndStatus::Failed, Some(FailureReason::ExitedWith { code: 1 }), Outcome::Failed),
            (EndStatus::Failed, Some(FailureReason::Cancelled), Outcome::Cancelled),
            (EndStatus::Failed, Some(timeout), Outcome::TimedOut),
            (EndStatus::Interrupted, Some(FailureReason::ServerRestarted), Outcome::Interrupted),
        ] {
            let end = Some(TaskEnd::new(status, reason, Utc::now(), minute));
            assert_eq!(Outcome::of(&TaskRecord { end, ..running.clone() }), Some(outcome));
        }
    }
}
