//! The output of `plugin` and `init`.

use std::path::Path;

use super::{Refused, message::plain};
use crate::task::{Message, message};

/// A directory as a line that a program reads. Control characters in it are escaped.
pub(crate) fn directory(path: &Path) -> String {
    plain(&message![path]) + "\n"
}

/// The path of this program is unknown.
pub(crate) fn unknown_program(error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot find the path of this program: ", error.to_string()],
        "start it again, with its absolute path",
    )
}

/// The path of this program, or an argument, cannot be written into a script.
pub(crate) fn install_elsewhere(said: String) -> Refused {
    Refused::new(said, "install codex-connector in a directory whose path is UTF-8")
}

/// A file or directory cannot be written.
pub(crate) fn make_writable(said: String, path: &Path) -> Refused {
    Refused::new(said, message!["make sure that ", path, " can be read and written"])
}

/// A file or directory of the user is at a path that the program needs for its own directory.
pub(crate) fn move_away(said: String, path: &Path) -> Refused {
    Refused::new(said, message!["move ", path, " to another place, and try again"])
}

/// Another process has locked a directory.
pub(crate) fn end_other_process(said: String, path: &Path) -> Refused {
    Refused::new(said, message!["end the other process that uses ", path, ", and try again"])
}

/// Another `init` is running, perhaps waiting for its user's answer.
pub(crate) fn end_other_init(said: String) -> Refused {
    Refused::new(said, "answer or end the other `codex-connector init`, and try again")
}

/// A change that `init` makes, and its details.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetupChange {
    /// The change in a few words.
    pub(crate) title: Message,
    /// One line for each detail.
    pub(crate) details: Vec<Message>,
}

/// The output of `init` before it changes anything: its findings, the changes, and remarks.
pub(crate) fn plan(program: &Path, found: &[Message], changes: &[SetupChange], notes: &[Message]) -> String {
    let mut text = plain(&message!["codex-connector ", VERSION, " at ", program]) + "\n";
    text.push_str(&list("Found:", found));
    if !changes.is_empty() {
        text.push_str("\nChanges:\n");
    }
    for (at, change) in changes.iter().enumerate() {
        text.push_str(&format!("  {}. {}\n", at + 1, plain(&change.title)));
        change.details.iter().for_each(|detail| text.push_str(&format!("       {}\n", plain(detail))));
    }
    text + &list("Notes:", notes)
}

/// A heading and lines below it; nothing without lines.
fn list(heading: &str, lines: &[Message]) -> String {
    if lines.is_empty() {
        return String::new();
    }
    let lines = lines.iter().map(|line| format!("  - {}\n", plain(line)));
    format!("\n{heading}\n{}", lines.collect::<String>())
}

/// A remark about an agent.
pub(crate) fn not_logged_in(agent: &'static str, advice: String) -> Message {
    message!["agent ", agent, " is not logged in; next: ", advice]
}

/// The changes that were undone.
pub(crate) fn undone(lines: &[Message]) -> String {
    list("Undone:", lines)
}

/// These `parts` cannot be undone without Claude Code.
pub(crate) fn not_undone(parts: impl Iterator<Item = &'static str>) -> Refused {
    let parts = parts.collect::<Vec<_>>().join(", ");
    Refused::new(
        Message::trusted(format!("`claude` is not on PATH, or does not run, so this was not undone: {parts}")),
        "put Claude Code on PATH and run `codex-connector init --undo` again; if Claude Code was uninstalled, nothing else \
         uses what remains",
    )
}

/// The version of this program.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Asks for a confirmation of the plan.
pub(crate) const CONFIRM: &str = "\nMake these changes? [y/N] ";

/// Asks for a confirmation of the undoing.
pub(crate) const CONFIRM_UNDO: &str = "\nUndo these changes? [y/N] ";

/// The user did not confirm.
pub(crate) const NOT_CONFIRMED: &str = "Nothing was changed.\n";

/// The plan is empty.
pub(crate) const NOTHING_TO_DO: &str = "\nNothing to do: everything is set up.\n";

/// There is nothing to undo.
pub(crate) const NOTHING_TO_UNDO: &str = "Nothing to undo: `codex-connector init` has changed nothing.\n";

/// The plan was carried out.
pub(crate) const DONE: &str = "\nDone. Restart Claude Code; `codex-connector check` shows whether everything works, and \
                               `codex-connector init --undo` reverts these changes.\n";

/// The changes that are about to be undone.
pub(crate) fn to_undo(lines: &[Message]) -> String {
    list("Changes of `codex-connector init`:", lines)
}

/// `init` can ask nobody for a confirmation.
pub(crate) fn needs_confirmation() -> Refused {
    Refused::new(
        "nothing was changed: this is not a terminal, so nobody can confirm it",
        "pass `--yes` to make these changes, or `--dry-run` to show them only",
    )
}

/// A step failed.
pub(crate) fn setup_failed(problem: String) -> Refused {
    Refused::new(
        problem,
        "fix the problem and run `codex-connector init` again, or run `codex-connector init --undo` to revert the steps \
         that were done",
    )
}

/// A file must be corrected by its owner.
pub(crate) fn fix_file(problem: String, path: &Path) -> Refused {
    Refused::new(problem, message!["correct ", path, " and run `codex-connector init` again; it was not changed"])
}

/// A file is read-only.
pub(crate) fn read_only_file(problem: String, path: &Path) -> Refused {
    Refused::new(
        problem,
        message![
            "make ",
            path,
            " writable, or add the changes by hand; `codex-connector init --dry-run` shows them. Nothing was changed"
        ],
    )
}

/// The line of `check` if `init` would change nothing.
pub(crate) fn complete() -> Message {
    "set up by `codex-connector init`".into()
}

/// The line of `check` about changes that `init` would make.
pub(crate) fn pending(changes: &[SetupChange]) -> Message {
    let titles = changes.iter().enumerate().map(|(at, change)| {
        let comma = if at == 0 { "" } else { "; " };
        message![comma, change.title.clone()]
    });
    let titles: Message = titles.collect();
    message!["`codex-connector init` would ", titles]
}
