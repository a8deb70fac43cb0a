//! The messages of progress notifications and of task handles: one short line each.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{fields::time_since, outcome::running_beside, text::one_line};
use crate::task::{LiveView, TaskId, TaskRecord, Untrusted, span};

/// Maximum length of a line, in characters.
const MAX_LINE_CHARACTERS: usize = 190;

/// Maximum length of the beginning of a task in a client's list of handles, in characters.
const MAX_LISTED_CHARACTERS: usize = 60;

/// A task has started.
pub(crate) fn begun(id: &TaskId) -> String {
    format!("Task {id} started")
}

/// A call waits for tasks that were started before.
pub(crate) fn waiting(ids: &[TaskId]) -> String {
    match ids {
        [id] => format!("Waiting for task {id}"),
        ids => format!("Waiting for {} tasks", ids.len()),
    }
}

/// A step of the agent, such as a command that it started. Names the task, because clients show only the newest message.
pub(crate) fn progress(id: &TaskId, event: &str) -> String {
    one_line(&format!("Task {id}: {event}"), MAX_LINE_CHARACTERS)
}

/// Nothing new has happened; `last` is the last message that was sent.
pub(crate) fn still_running(id: &TaskId, ran: Duration, last: Option<&str>) -> String {
    let last = last.map_or(String::new(), |last| format!(", last: {last}"));
    one_line(&format!("Task {id} running for {}{last}", span(ran)), MAX_LINE_CHARACTERS)
}

/// The agent has only been waiting for the network for this long.
pub(crate) fn offline(id: &TaskId, ran: Duration, waited: Duration) -> String {
    format!("Task {id} running for {}, {}", span(ran), waiting_for_network(waited))
}

fn waiting_for_network(waited: Duration) -> String {
    format!("waiting for the network for {}", span(waited))
}

/// The task of a handle has started. Warns of the tasks `neighbors`, which are running in the same repository.
pub(crate) fn handle_begun(task: &Untrusted, neighbors: &[TaskId]) -> String {
    let started = listed(task, "started");
    if neighbors.is_empty() { started } else { format!("{started}. Warning: {}", running_beside(neighbors)) }
}

/// The state of a handle's task at `now`.
pub(crate) fn handle_state(record: &TaskRecord, live: Option<&LiveView>, now: DateTime<Utc>) -> String {
    let task = &record.start.task;
    match (record.failure_reason(), live) {
        (Some(reason), _) => listed(task, reason.raw()),
        (None, Some(LiveView { offline_since: Some(since), .. })) => {
            listed(task, &waiting_for_network(time_since(*since, now)))
        }
        (None, Some(live)) => listed(task, live.last_event.as_ref().unwrap_or(&live.phase).raw()),
        (None, None) => listed(task, record.status().as_str()),
    }
}

/// The beginning of the task, which tells apart the tasks in a client's list, and its state.
fn listed(task: &Untrusted, state: &str) -> String {
    one_line(&format!("{} · {state}", one_line(task, MAX_LISTED_CHARACTERS)), MAX_LINE_CHARACTERS)
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::present::answer_reader::live;

    #[test]
    fn a_handle_says_how_long_its_agent_has_been_waiting_for_the_network() {
        let record: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "1a2b3c4d", "status": "running", "startedAt": "2024-01-15T10:30:00Z", "task": "do it"
        }))
        .expect("a valid record");
        let mut live = live("command started: make");
        let later = live.last_activity_at + TimeDelta::seconds(180);
        live.offline_since = Some(live.last_activity_at);
        assert_eq!(handle_state(&record, Some(&live), later), "do it · waiting for the network for 3m 0s");
        live.offline_since = None;
        assert_eq!(handle_state(&record, Some(&live), later), "do it · command started: make");
    }
}
