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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
