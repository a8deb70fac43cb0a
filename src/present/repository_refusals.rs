//! Texts for refusals of `diff`, `undo`, `redo` and `apply` whose cause is git or the repository, and which say the same to
//! every reader.

use std::path::Path;

use super::{Refused, workspace_refusals::cannot};
use crate::task::{GitPath, Message, MessagePart, OperationKind, TaskId, Untrusted, message};

/// Maximum length of git's own message in a refusal, in bytes, if a word is not longer.
const MAX_GIT_MESSAGE_BYTES: usize = 500;

/// A problem, followed by the beginning of git's own message if there is one. Cut between words, so that a secret in it
/// is still found.
pub(crate) fn with_git_message(problem: String, said: Option<&Untrusted>) -> String {
    let said = said.map_or("", |said| said.raw().trim());
    if said.is_empty() {
        return problem;
    }
    let mut text = problem + ":";
    let end = text.len() + MAX_GIT_MESSAGE_BYTES;
    for (position, line) in said.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        text.push_str(if position == 0 { "" } else { ";" });
        for word in line.split_whitespace() {
            if text.len() > end {
                return text + " …";
            }
            text.push(' ');
            text.push_str(word);
        }
    }
    text
}

/// A selected path is not in the task's repository.
pub(crate) fn outside_repository(id: &TaskId, path: &Path, top: &Path) -> Refused {
    Refused::new(
        message!["the path ", MessagePart::quoted(path), " is outside the repository of task ", id, ", which is ", top],
        "use a path below it, absolute or relative to it",
    )
}

/// The branch to create exists.
pub(crate) fn branch_exists(name: &GitPath) -> Refused {
    Refused::new(
        message!["the branch ", MessagePart::quoted(name.to_untrusted()), " already exists"],
        "choose another name",
    )
}

/// The name of the branch to create is invalid.
pub(crate) fn invalid_branch(name: &GitPath) -> Refused {
    Refused::new(
        message![MessagePart::quoted(name.to_untrusted()), " is not a valid branch name"],
        "choose a name such as `codex/parser-tests`; `git help check-ref-format` has the rules",
    )
}

/// Git is not installed.
pub(crate) fn git_not_installed() -> Refused {
    Refused::new("`git` not found on PATH", "install git, and try again")
}

/// The installed git cannot merge trees.
pub(crate) fn git_too_old(id: &TaskId, kind: Option<OperationKind>, found: &str, needed: &str) -> Refused {
    let reason = MessagePart::trusted(format!("this needs git {needed} or newer, but {found} is installed"));
    match kind {
        Some(kind) => {
            Refused::new(cannot(id, kind, reason), "update git, and try again; `diff` works with this version")
        }
        None => Refused::new(
            message!["the changes of task ", id, " cannot be shown: ", reason],
            "update git, and try again",
        ),
    }
}

/// The repository is not where it was.
pub(crate) fn repository_gone(id: &TaskId, place: &Path) -> Refused {
    Refused::new(
        message!["the repository of task ", id, " is not at ", place, " any more"],
        "if it was moved, move it back, or make a symbolic link at its old path",
    )
}

/// Another process, the holder, is working on the same repository for a task.
pub(crate) fn repository_busy(place: &Path, holder: Option<&(u32, TaskId)>) -> Refused {
    let who =
        holder.map_or_else(Message::default, |(pid, task)| message![" (process ", *pid, ", for task ", task, ")"]);
    let problem = [message!["another process is changing files or snapshots in ", place], who];
    Refused::new(problem.into_iter().collect::<Message>(), "try again when it has finished")
}

/// Git did not finish in time.
pub(crate) fn git_timed_out(place: &Path) -> Refused {
    Refused::new(
        message!["git did not finish in time in ", place],
        "try again; if the repository is on a slow disk, select fewer files",
    )
}

/// Git failed, or a file could not be read or written.
pub(crate) fn workspace_failed(id: &TaskId, problem: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot work with the changes of task ", id, ": ", problem.to_string()],
        "fix the cause, and try again",
    )
}
