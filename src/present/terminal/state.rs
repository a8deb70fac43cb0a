//! How states and outcomes look, in lists and live views.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::Tone;
use crate::task::{Outcome, TaskState, TaskSummary};

/// The state, or the outcome if the task has ended.
pub(crate) fn word(state: TaskState, outcome: Option<Outcome>) -> &'static str {
    outcome.filter(|_| state == TaskState::Ended).map_or(state.as_str(), Outcome::as_str)
}

/// The color of a state or an outcome.
pub(crate) fn tone(state: TaskState, outcome: Option<Outcome>) -> Tone {
    match (state, outcome) {
        (TaskState::Queued, _) => Tone::Faint,
        (TaskState::Running, _) | (TaskState::Ended, None) => Tone::Active,
        (TaskState::Ended, Some(Outcome::Completed)) => Tone::Good,
        (TaskState::Ended, Some(Outcome::Failed | Outcome::TimedOut)) => Tone::Bad,
        (TaskState::Ended, Some(Outcome::Cancelled | Outcome::Interrupted)) => Tone::Attention,
    }
}

/// How long the task ran, or has been running.
pub(crate) fn elapsed(task: &TaskSummary, now: DateTime<Utc>) -> Duration {
    let start = &task.record.start;
    let until = task.record.completed_at().unwrap_or(now);
    let recorded = task.record.end.as_ref().and_then(|end| end.duration).map(Duration::from_millis);
    recorded.unwrap_or_else(|| (until - start.started_at).to_std().unwrap_or_default())
}
