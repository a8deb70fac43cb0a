//! Tasks that ended since the reader's last message: the output of `notify`, which a hook adds to a conversation.

use super::{fields, markdown, text::one_line};
use crate::task::{TaskRecord, TaskStatus};

/// Maximum number of tasks that are named.
const NAMED: usize = 10;

/// Maximum length of a task's text, in characters before they are escaped.
const TASK: usize = 100;

/// Maximum length of a failure reason, likewise.
const REASON: usize = 100;

/// A list of the ended tasks `records`; nothing if there are none.
pub(crate) fn ends(records: &[TaskRecord]) -> Option<String> {
    if records.is_empty() {
        return None;
    }
    let mut text = "Tasks of codex-connector that have ended since the last turn:\n".to_owned();
    text.extend(records.iter().take(NAMED).map(line));
    if let Some(more @ 1..) = records.len().checked_sub(NAMED) {
        text.push_str(&format!("- and {more} more: call `codex_tasks`\n"));
    }
    text.push_str("Call `codex_status` with a task's id for its result.\n");
    Some(text)
}

fn line(record: &TaskRecord) -> String {
    let foreign = |text: &str, most| markdown::value(&one_line(text, most));
    let reason = match record.status() {
        TaskStatus::Failed | TaskStatus::Interrupted => record.failure_reason(),
        TaskStatus::Completed | TaskStatus::Running => None,
    };
    let reason = reason.map(|reason| format!(", {}", foreign(reason.raw(), REASON))).unwrap_or_default();
    let took = record.end.as_ref().and_then(|end| end.duration_formatted.as_deref());
    let took = took.map(|took| format!(" after {}", foreign(took, fields::DURATION)));
    format!(
        "- {} {}{reason}{}: {}\n",
        record.id,
        record.status(),
        took.unwrap_or_default(),
        foreign(record.start.task.raw(), TASK)
    )
}
