//! Short lines of progress while a task runs.

use std::time::Duration;

use super::text::one_line;
use crate::task::{TaskId, span};

/// Maximum number of characters of a line.
const MAX_LINE_CHARACTERS: usize = 190;

/// A task has started.
pub(crate) fn begun(id: &TaskId) -> String {
    format!("Task {id} started")
}

/// The agent did this.
pub(crate) fn progress(event: &str) -> String {
    one_line(event, MAX_LINE_CHARACTERS)
}

/// Nothing has happened lately; `last` is what was last told.
pub(crate) fn still_running(id: &TaskId, ran: Duration, last: Option<&str>) -> String {
    let last = last.map_or(String::new(), |last| format!(", last: {last}"));
    one_line(&format!("Task {id} running for {}{last}", span(ran)), MAX_LINE_CHARACTERS)
}
