//! Notices: problems in the data directory, and limits, that an answer mentions.

use std::path::Path;

use super::{markdown::sentence, message::line};
use crate::task::{Message, TaskId, message};

/// Maximum length of all notices together, in characters.
const MAX_NOTICES_CHARACTERS: usize = 2_000;

/// The index is damaged.
pub(crate) fn damaged_index() -> Message {
    "tasks.json is damaged, too large, or of a later version; the records of the tasks are shown instead".into()
}

/// The catalog is damaged.
pub(crate) fn damaged_catalog(problem: &str) -> Message {
    message![problem.to_owned(), "; the records of the tasks are listed instead until it is rebuilt"]
}

/// The record of a task is damaged.
pub(crate) fn damaged_record(id: &TaskId) -> Message {
    message![
        "the record of task ",
        id,
        " is damaged, too large, or of a later version; the task is shown as the index knows it"
    ]
}

/// A task has lost its supervisor, and cannot be finalized.
pub(crate) fn unfinalized(id: &TaskId, error: &impl ToString) -> Message {
    message![
        "task ",
        id,
        " has lost its supervisor and cannot be finalized now: ",
        error.to_string(),
        "; until then it is shown as its record says"
    ]
}

/// A small file cannot be read.
pub(crate) fn ignored_file(path: &Path, error: &impl ToString) -> Message {
    message![path, " is ignored: ", error.to_string(), "; remove it, or the problem stays"]
}

/// More problems than one answer mentions.
pub(crate) fn omitted(count: u64) -> Message {
    message![count, " more problems are in the log of the server"]
}

/// Tasks wait, because only so many run at a time.
pub(crate) fn queued(waiting: &[TaskId], max: usize) -> Message {
    const MAX_LISTED_TASKS: usize = 5;
    let named: Vec<_> = waiting.iter().take(MAX_LISTED_TASKS).map(TaskId::as_str).collect();
    let more = if waiting.len() > named.len() { ", …" } else { "" };
    Message::trusted(format!(
        "{} queued ({}{more}): at most {max} run at a time here, by `limits.max_running` in config.toml",
        waiting.len(),
        named.join(", "),
    ))
}

/// `text` with the notices below it, as far as there is room.
pub(crate) fn with_notices(mut text: String, notices: &[Message]) -> String {
    if notices.is_empty() {
        return text;
    }
    text.push_str("\n\n### Notices\n");
    let mut room = MAX_NOTICES_CHARACTERS;
    for (at, notice) in notices.iter().enumerate() {
        let line = line(notice, room);
        room = room.saturating_sub(line.chars().count());
        if room == 0 {
            text.push_str(&format!("\n- {} more", notices.len() - at));
            break;
        }
        text.push_str(&format!("\n- {}", sentence(&line)));
    }
    text
}
