//! The output of `notify`: ended tasks that nobody has reported. A hook adds it to the conversation, and `--follow`
//! prints one line for each task, which wakes an idle Claude.

use super::{fields, markdown, text::one_line};
use crate::task::{TaskRecord, TaskStatus};

/// Maximum number of tasks to list, and of those that `--follow` prints when it starts.
pub(crate) const MAX_LISTED_TASKS: usize = 10;

/// Maximum length of a task's text in a line of `--follow`, in characters before escaping.
const MAX_LINE_TASK_CHARACTERS: usize = 60;

/// Maximum length of a task's text, in characters before escaping.
const MAX_TASK_CHARACTERS: usize = 100;

/// Maximum length of a failure reason, in characters before escaping.
const MAX_REASON_CHARACTERS: usize = 100;

/// The list of the ended tasks `records`, and the number of `others`, or `None` if it is empty.
pub(crate) fn ended_tasks(records: &[TaskRecord], others: usize) -> Option<String> {
    if records.is_empty() {
        return None;
    }
    let mut text = "codex-connector tasks that have finished:\n".to_owned();
    text.extend(records.iter().take(MAX_LISTED_TASKS).map(line));
    let more = records.len().saturating_sub(MAX_LISTED_TASKS) + others;
    if more > 0 {
        text.push_str(&format!("- and {more} more: call `codex_tasks`\n"));
    }
    text.push_str("Call `codex_status` with a task ID for its result.\n");
    Some(text)
}

/// The line of `--follow` for one ended task.
pub(crate) fn ended_line(record: &TaskRecord) -> String {
    let escaped = |text: &str, max| markdown::value(&one_line(text, max));
    let backend = record.progress.backend.as_ref().map(|backend| format!("{backend} task ")).unwrap_or("Task ".into());
    format!(
        "{backend}{} {}: {} (result: codex_status {})\n",
        record.id,
        outcome(record),
        escaped(record.start.task.raw(), MAX_LINE_TASK_CHARACTERS),
        record.id
    )
}

/// The line of `--follow` for tasks that it does not list.
pub(crate) fn more_ended(more: usize) -> String {
    format!("{more} more codex-connector tasks have finished (list: codex_tasks)\n")
}

fn line(record: &TaskRecord) -> String {
    let task = markdown::value(&one_line(record.start.task.raw(), MAX_TASK_CHARACTERS));
    format!("- {} {}: {task}\n", record.id, outcome(record))
}

/// The status, the reason of a failure, and the duration.
fn outcome(record: &TaskRecord) -> String {
    let escaped = |text: &str, max| markdown::value(&one_line(text, max));
    let reason = match record.status() {
        TaskStatus::Failed | TaskStatus::Interrupted => record.failure_reason(),
        TaskStatus::Completed | TaskStatus::Running => None,
    };
    let reason = reason.map(|reason| format!(", {}", escaped(reason.raw(), MAX_REASON_CHARACTERS))).unwrap_or_default();
    let took = record.end.as_ref().and_then(|end| end.duration_formatted.as_deref());
    let took = took.map(|took| format!(" after {}", escaped(took, fields::MAX_DURATION_CHARACTERS)));
    format!("{}{reason}{}", record.status(), took.unwrap_or_default())
}
