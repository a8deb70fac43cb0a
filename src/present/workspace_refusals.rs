//! Texts for refusals of `diff`, `undo`, `redo` and `apply`. The next step depends on the reader: a tool call for a
//! model, a command for a person.

use std::path::Path;

use super::{
    Refused,
    operations::{conflict_words, file_count, recovery, them, verb},
    text::path_line,
};
use crate::task::{FileConflict, GitPath, Message, MessagePart, OperationKind, RecoveredOperation, TaskId, message};

/// Maximum number of files that a refusal names.
const MAX_NAMED: usize = 8;

/// The reader of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A model, which calls tools.
    Model,
    /// A person at a terminal, or a script.
    Terminal,
}

impl Audience {
    /// The next step for this reader.
    fn choose(self, model: Message, terminal: Message) -> Message {
        match self {
            Self::Model => model,
            Self::Terminal => terminal,
        }
    }
}

/// The operation, as the end of a sentence whose subject is a task's changes.
fn cannot_be(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Undo => " cannot be undone: ",
        OperationKind::Redo => " cannot be redone: ",
        OperationKind::Apply => " cannot be applied: ",
    }
}

pub(super) fn cannot(id: &TaskId, kind: OperationKind, reason: impl Into<MessagePart>) -> Message {
    message!["the changes of task ", id, cannot_be(kind), reason.into()]
}

/// No snapshots were taken. `reason` is the sentence in the task's record, if there is one.
pub(crate) fn no_snapshots(id: &TaskId, reason: Option<&str>) -> Refused {
    let reason = reason.map_or_else(
        || message!["no snapshots of its files were taken"],
        |reason| message!["no snapshots of its files were taken: ", reason.to_owned()],
    );
    Refused::new(
        [message!["the changes of task ", id, " are unknown: "], reason].into_iter().collect::<Message>(),
        "look at the files with git; snapshots are taken for tasks that may change files in a git repository, unless \
         `workspace.snapshots` is `\"off\"`",
    )
}

/// The task's snapshots were removed together with other old tasks.
pub(crate) fn expired(id: &TaskId) -> Refused {
    Refused::new(
        message!["the changes of task ", id, " are no longer known: its snapshots were removed"],
        "to keep tasks and their snapshots for longer, change `[retention]` in config.toml",
    )
}

/// The task is still running.
pub(crate) fn still_changing(id: &TaskId, kind: OperationKind, to: Audience) -> Refused {
    Refused::new(
        cannot(id, kind, "it is still running"),
        to.choose(
            message!["wait until it ends, or call `codex_cancel` with `taskId` ", id],
            message![
                "wait until it ends with `codex-connector wait ",
                id,
                "`, or run `codex-connector cancel ",
                id,
                "`"
            ],
        ),
    )
}

/// There is no snapshot after the task.
pub(crate) fn no_end_snapshot(id: &TaskId, kind: OperationKind, to: Audience) -> Refused {
    let by_hand = message!["; git has the files as they were before it, in `refs/codex-connector/", id, "/before`"];
    let look = to.choose(
        message!["call `codex_diff` with `taskId` ", id, " to see what changed since it began"],
        message!["run `codex-connector diff ", id, "` to see what changed since it began"],
    );
    Refused::new(
        cannot(id, kind, "no snapshot could be taken at its end, so they cannot be distinguished from later changes"),
        [look, by_hand].into_iter().collect::<Message>(),
    )
}

/// The task changed nothing.
pub(crate) fn changed_nothing(id: &TaskId) -> Refused {
    Refused::without_advice(message!["task ", id, " changed no files that its snapshots contain"])
}

/// The changes were undone before.
pub(crate) fn already_undone(id: &TaskId, to: Audience) -> Refused {
    Refused::new(
        message!["the changes of task ", id, " are already undone"],
        to.choose(
            message!["to make them again, call `codex_undo` with `redo: true`"],
            message!["to make them again, run `codex-connector redo ", id, "`"],
        ),
    )
}

/// There was no undo.
pub(crate) fn nothing_to_redo(id: &TaskId, to: Audience) -> Refused {
    Refused::new(
        cannot(id, OperationKind::Redo, "they were not undone"),
        to.choose(
            message!["call `codex_diff` with `taskId` ", id, " to see them"],
            message!["run `codex-connector diff ", id, "` to see them"],
        ),
    )
}

/// The task worked in the user's files, so there is nothing to apply.
pub(crate) fn worked_in_place(id: &TaskId, to: Audience) -> Refused {
    Refused::new(
        cannot(id, OperationKind::Apply, "it worked in your files, not in its own worktree"),
        to.choose(
            message!["nothing needs to be done; `codex_undo` reverts them"],
            message!["nothing needs to be done; to make them again after an undo, run `codex-connector redo ", id, "`"],
        ),
    )
}

/// The changes of a task in a worktree were not applied, so there is nothing to undo.
pub(crate) fn not_applied(id: &TaskId, to: Audience) -> Refused {
    Refused::new(
        cannot(id, OperationKind::Undo, "they were made in its own worktree, and were not applied"),
        to.choose(
            message!["nothing needs to be done; `codex_apply` writes them to the working files"],
            message!["nothing needs to be done; `codex-connector apply ", id, "` writes them to your files"],
        ),
    )
}

/// The task continued in the worktree of another one, whose changes were not applied.
pub(crate) fn based_on(id: &TaskId, earlier: &TaskId, to: Audience) -> Refused {
    Refused::new(
        message![
            "the changes of task ",
            id,
            cannot_be(OperationKind::Apply),
            "they are based on those of task ",
            earlier,
            ", which changed this worktree before and were not applied"
        ],
        to.choose(
            message!["call `codex_apply` with `taskId` ", earlier, " first"],
            message!["run `codex-connector apply ", earlier, "` first"],
        ),
    )
}

/// The agent reported changing none of the files that changed.
pub(crate) fn only_unnamed(id: &TaskId, files: &[GitPath], to: Audience) -> Refused {
    let problem = message![
        "nothing was undone: while task ",
        id,
        " ran, ",
        MessagePart::trusted(file_count(files.len())),
        if files.len() == 1 { " changed that is not undone yet (" } else { " changed that are not undone yet (" },
        MessagePart::Untrusted(names(files).into()),
        "), but the agent did not report changing ",
        them(files.len()),
        ", so somebody else may have changed ",
        them(files.len()),
    ];
    Refused::new(
        problem,
        to.choose(
            message!["look at `codex_diff`; to undo all of it, call `codex_undo` with `all: true`"],
            message!["run `codex-connector diff ", id, "`; to undo all of it, add `--all`"],
        ),
    )
}

/// Later changes overlap with the operation. Nothing was written.
pub(crate) fn conflicts(id: &TaskId, kind: OperationKind, files: &[FileConflict], to: Audience) -> Refused {
    let head = message![
        "nothing was written: ",
        verb(kind),
        " of task ",
        id,
        " conflicts with the current files in ",
        MessagePart::trusted(file_count(files.len())),
        ": "
    ];
    let only = to.choose(
        message!["select the other files with `paths`, or resolve the conflict by hand"],
        message!["name the other files after the ID, or resolve the conflict by hand"],
    );
    let branch = match kind {
        OperationKind::Apply => to.choose(
            message!["; `commit` creates a branch with the changes instead"],
            message!["; `--commit BRANCH` creates a branch with the changes instead"],
        ),
        OperationKind::Undo | OperationKind::Redo => Message::default(),
    };
    Refused::new(
        [head, conflicting(files)].into_iter().collect::<Message>(),
        [only, branch].into_iter().collect::<Message>(),
    )
}

/// The commit that is checked out conflicts with an apply that creates a branch from it. Nothing was created.
pub(crate) fn commit_conflicts(id: &TaskId, files: &[FileConflict], to: Audience) -> Refused {
    let head = message![
        "no branch was created: apply of task ",
        id,
        " conflicts with the commit that is checked out in ",
        MessagePart::trusted(file_count(files.len())),
        ": "
    ];
    Refused::new(
        [head, conflicting(files)].into_iter().collect::<Message>(),
        to.choose(
            message![
                "if the task began with uncommitted changes in these files, commit those first; or select the other \
                      files with `paths`"
            ],
            message![
                "if the task began with uncommitted changes in these files, commit those first; or name the other \
                      files after the ID"
            ],
        ),
    )
}

/// The files in conflict, each with the reason.
fn conflicting(files: &[FileConflict]) -> Message {
    let named = files.iter().take(MAX_NAMED).enumerate().map(|(position, conflict)| {
        let separator = if position == 0 { "" } else { "; " };
        message![
            separator,
            MessagePart::Untrusted(path_line(&conflict.path).into()),
            " (",
            conflict_words(conflict.reason),
            ")"
        ]
    });
    let more = files.len().saturating_sub(MAX_NAMED);
    let more = (more > 0).then(|| Message::trusted(format!("; and {more} more")));
    named.chain(more).collect()
}

/// No selected file was changed by the task.
pub(crate) fn unchanged_path(id: &TaskId, path: &Path, to: Audience) -> Refused {
    Refused::new(
        message!["task ", id, " changed no file at ", MessagePart::quoted(path)],
        to.choose(
            message!["call `codex_diff` with `taskId` ", id, " and without `paths` to list its changes"],
            message!["run `codex-connector diff ", id, " --name-only` to list its changes"],
        ),
    )
}

/// Writing failed in the middle, and some files could not be restored. If `is_pending`, the next operation completes this
/// one; otherwise, all other files are as before.
pub(crate) fn not_restored(
    id: &TaskId,
    kind: OperationKind,
    files: &[GitPath],
    problem: &impl ToString,
    is_pending: bool,
) -> Refused {
    let next = match is_pending {
        true => "fix the cause, and try again: the next undo, redo or apply in this work tree completes it first",
        false => "fix the cause, and check these files; all others are as before",
    };
    Refused::new(
        message![
            verb(kind),
            " of task ",
            id,
            " failed in the middle: ",
            problem.to_string(),
            "; these files may be incomplete: ",
            MessagePart::Untrusted(names(files).into())
        ],
        message![
            next,
            "; git has the files as they were before it, in `refs/codex-connector/",
            id,
            "/op-N^` with the largest N"
        ],
    )
}

/// Interrupted operations were finished or given up, and then the requested one was refused.
pub(crate) fn after_recovery(recovered: &[RecoveredOperation], refused: Refused) -> Refused {
    let notes = recovered.iter().map(|recovered| message!["; ", recovery(recovered)]);
    Refused { problem: [refused.problem].into_iter().chain(notes).collect(), next: refused.next }
}

/// The first files by name.
fn names(files: &[GitPath]) -> String {
    let named = files.iter().take(MAX_NAMED).map(path_line).collect::<Vec<_>>().join(", ");
    if files.len() > MAX_NAMED { format!("{named}, …") } else { named }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::ConflictReason;

    fn id() -> TaskId {
        TaskId::parse("1a2b3c4d").expect("a valid task ID")
    }

    #[test]
    fn a_conflict_names_each_file_and_says_that_nothing_was_written() {
        let conflict = |path: &[u8], reason| FileConflict { path: GitPath::from_bytes(path), reason };
        let mut files =
            vec![conflict(b"a\x1b[2J\n.rs", ConflictReason::Content), conflict(b"b", ConflictReason::InTheWay)];
        let text = conflicts(&id(), OperationKind::Apply, &files, Audience::Terminal).plain();
        assert_eq!(
            text,
            "nothing was written: apply of task 1a2b3c4d conflicts with the current files in 2 files: a\\x1b[2J\\x0a.rs \
             (you and the task changed the same lines); b (another file or directory is in the way)\nnext: name the \
             other files after the ID, or resolve the conflict by hand; `--commit BRANCH` creates a branch with the \
             changes instead"
        );
        files.extend((0..20).map(|number| conflict(format!("{number}").as_bytes(), ConflictReason::Removed)));
        let text = conflicts(&id(), OperationKind::Undo, &files, Audience::Model).plain();
        assert!(text.contains("; and 14 more\nnext: select the other files with `paths`"), "{text}");
    }

    #[test]
    fn the_next_step_is_a_tool_call_for_a_model_and_a_command_for_a_person() {
        for (to, words) in [
            (Audience::Model, "`codex_undo` with `redo: true`"),
            (Audience::Terminal, "`codex-connector redo 1a2b3c4d`"),
        ] {
            let text = already_undone(&id(), to).plain();
            assert!(text.contains(words), "{text}");
        }
    }
}
