//! Titles and descriptions of resources.

use super::text::one_line;
use crate::task::TaskRecord;

/// The record of a task.
pub(crate) const RECORD: &str = "Everything known about a task: status, times, counts, exit code, failure reason, command line. Ranges are in bytes.";

/// The log of a task.
pub(crate) const LOG: &str =
    "Everything that happened in a task. Ranges are in bytes, or `tail` is a number of lines from the end.";

/// The result of a task.
pub(crate) const RESULT: &str = "The agent's complete final message. Ranges are in bytes.";

/// The raw events of a task.
pub(crate) const EVENTS: &str = "The agent's raw event stream, if it is kept. Ranges are in bytes.";

/// The changes of a task.
pub(crate) const DIFF: &str =
    "The changes that the task made in its repository, as a patch, even while it runs. Ranges are in bytes.";

/// The diagnostics of a task.
pub(crate) const DIAGNOSTICS: &str = "Exit code, signal, bytes of output and time limit, as a table.";

/// The title and the description of one resource of a task.
pub(crate) fn listed(record: &TaskRecord, part: &str) -> (String, String) {
    let title = format!("Task {} {part}: {}", record.id, one_line(&record.start.task, 60));
    (title, format!("{}, {}", record.status(), one_line(&record.start.task, 200)))
}

/// The title of a resource template.
pub(crate) fn template_title(part: &str) -> String {
    format!("Task {part}")
}
