//! Resources in a list of them.

use super::text::one_line;
use crate::task::TaskRecord;

/// The record of a task.
pub(crate) const RECORD: &str =
    "All that is known of a task: status, times, counts, exit code, reason, command line. A range in bytes.";

/// The log of a task.
pub(crate) const LOG: &str = "All that happened in a task. A range in bytes, or the last lines.";

/// The result of a task.
pub(crate) const RESULT: &str = "The agent's final message, whole. A range in bytes.";

/// The raw events of a task.
pub(crate) const EVENTS: &str = "The agent's raw event stream, where it is kept. A range in bytes.";

/// The diagnostics of a task.
pub(crate) const DIAGNOSTICS: &str = "Exit code, signal, bytes of output and time limit, as a table.";

/// The title and the description of a part of a task.
pub(crate) fn listed(record: &TaskRecord, part: &str) -> (String, String) {
    let title = format!("Task {} {part}: {}", record.id, one_line(&record.start.task, 60));
    (title, format!("{}, {}", record.status(), one_line(&record.start.task, 200)))
}

/// The title of a part of any task.
pub(crate) fn template_title(part: &str) -> String {
    format!("Task {part}")
}
