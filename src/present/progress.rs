//! The messages of progress notifications: one short line each.

use std::time::Duration;

use super::text::one_line;
use crate::task::{TaskId, span};

/// Maximum length of a line, in characters.
const MAX_LINE_CHARACTERS: usize = 190;

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

/// A step of the agent, such as a command that it started.
pub(crate) fn progress(event: &str) -> String {
    one_line(event, MAX_LINE_CHARACTERS)
}

/// Nothing new has happened; `last` is the last message that was sent.
pub(crate) fn still_running(id: &TaskId, ran: Duration, last: Option<&str>) -> String {
    let last = last.map_or(String::new(), |last| format!(", last: {last}"));
    one_line(&format!("Task {id} running for {}{last}", span(ran)), MAX_LINE_CHARACTERS)
}
