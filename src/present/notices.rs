//! Notices at the end of an answer: problems in the data directory, and limits that are in effect.

use std::path::Path;

use super::{Refused, markdown::sentence, message::line, operations::recovery};
use crate::task::{Message, RecoveredOperation, TaskId, message};

/// Maximum length of all notices together, in characters.
const MAX_NOTICES_CHARACTERS: usize = 2_000;

/// The file `tasks.json` is damaged.
pub(crate) fn damaged_index() -> Message {
    "tasks.json is damaged, too large, or from a later version; showing the tasks' records instead".into()
}

/// The catalog is damaged.
pub(crate) fn damaged_catalog(problem: &str) -> Message {
    message![problem.to_owned(), "; listing the tasks' records instead until it is rebuilt"]
}

/// The record of a task is damaged.
pub(crate) fn damaged_record(id: &TaskId) -> Message {
    message![
        "the record of task ",
        id,
        " is damaged, too large, or from a later version; showing the index's entry instead"
    ]
}

/// The workspace file of a task is damaged.
pub(crate) fn damaged_workspace(id: &TaskId) -> Message {
    message![
        "the workspace file of task ",
        id,
        " is damaged, too large, or from a later version, so the task's changes cannot be shown or undone; its snapshots \
         are still in the repository, under refs/codex-connector/",
        id
    ]
}

/// A damaged workspace file was set aside.
pub(crate) fn workspace_set_aside(id: &TaskId, kept_as: &Path) -> Message {
    message![
        "the workspace file of task ",
        id,
        " was damaged and is kept as ",
        kept_as,
        "; the task's snapshots are still in the repository, under refs/codex-connector/",
        id
    ]
}

/// The supervisor of a task is gone, and the task cannot be finalized.
pub(crate) fn unfinalized(id: &TaskId, error: &impl ToString) -> Message {
    message![
        "the supervisor of task ",
        id,
        " is gone, and the task cannot be finalized yet: ",
        error.to_string(),
        "; showing its last record until then"
    ]
}

/// A worktree of a removed task that is kept.
pub(crate) fn kept_worktree(id: &TaskId, worktree: &Path, why: &str) -> Message {
    message![
        "the worktree ",
        worktree,
        " of the removed task ",
        id.to_string(),
        " is kept: ",
        why.to_owned(),
        ". If you do not need it, remove it with `git worktree remove --force`"
    ]
}

/// An interrupted operation of a removed task that was finished.
pub(crate) fn recovered(recovered: &RecoveredOperation) -> Message {
    message![recovery(recovered)]
}

/// An interrupted operation of a removed task that could not be finished.
pub(crate) fn unfinished(id: &TaskId) -> Message {
    message![
        "an interrupted undo, redo or apply of the removed task ",
        id.to_string(),
        " could not be completed, so its snapshots are kept in git, in `refs/codex-connector/",
        id.to_string(),
        "/`; the next undo, redo or apply in this repository tries again"
    ]
}

/// The catalog of a long history is being built.
pub(crate) fn partial_listing() -> Message {
    "older tasks are still being added to index.sqlite, so this list is incomplete; list the tasks again in a minute, \
     or use a task's ID"
        .into()
}

/// A file in the data directory cannot be read.
pub(crate) fn ignored_file(path: &Path, error: &impl ToString) -> Message {
    message!["ignoring ", path, ": ", error.to_string(), "; remove the file to fix this"]
}

/// The configuration is invalid, but the call did not need it.
pub(crate) fn invalid_configuration(problem: &Refused) -> Message {
    let next = problem.next.iter().map(|next| message!["; next: ", next.clone()]);
    let problem = message!["no task can be started, because the configuration is invalid: ", problem.problem.clone()];
    std::iter::once(problem).chain(next).collect()
}

/// Number of problems that do not fit into one answer.
pub(crate) fn omitted(count: u64) -> Message {
    message![count, " more problems; see the server's log"]
}

/// Tasks are waiting because the maximum number of tasks is running.
pub(crate) fn queued(waiting: &[TaskId], max: usize) -> Message {
    const MAX_LISTED_TASKS: usize = 5;
    let named: Vec<_> = waiting.iter().take(MAX_LISTED_TASKS).map(TaskId::as_str).collect();
    let more = if waiting.len() > named.len() { ", …" } else { "" };
    Message::trusted(format!(
        "{} queued ({}{more}): `limits.max_running` in config.toml allows {max} running at a time",
        waiting.len(),
        named.join(", "),
    ))
}

/// `text` followed by the notices, up to [`MAX_NOTICES_CHARACTERS`].
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
