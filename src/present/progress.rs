//! The messages of progress notifications and of task handles: one short line each.

use std::time::Duration;

use super::text::one_line;
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

/// The task of a handle has started.
pub(crate) fn handle_begun(task: &Untrusted) -> String {
    listed(task, "started")
}

/// The state of a handle's task.
pub(crate) fn handle_state(record: &TaskRecord, live: Option<&LiveView>) -> String {
    let task = &record.start.task;
    match (record.failure_reason(), live) {
        (Some(reason), _) => listed(task, reason.raw()),
        (None, Some(live)) => listed(task, live.last_event.as_ref().unwrap_or(&live.phase).raw()),
        (None, None) => listed(task, record.status().as_str()),
    }
}

/// The beginning of the task, which tells apart the tasks in a client's list, and its state.
fn listed(task: &Untrusted, state: &str) -> String {
    one_line(&format!("{} · {state}", one_line(task, MAX_LISTED_CHARACTERS)), MAX_LINE_CHARACTERS)
}
