//! Texts for refusals and notes at a terminal, whose next step is a command or an option.

use std::path::Path;

use super::Refused;
use crate::task::{Message, MessagePart, TaskId, Untrusted, message};

/// The task to be resumed has not ended.
pub(crate) fn still_running(id: &TaskId) -> Refused {
    Refused::new(message!["task ", id, " cannot be resumed: it is still running"], wait_or_cancel(id))
}

/// The task to be resumed has no session ID.
pub(crate) fn without_session(id: &TaskId) -> Refused {
    Refused::new(
        message![
            "task ",
            id,
            " cannot be resumed: its agent reported no session ID, which happens when it fails before it starts working"
        ],
        "start a new task with `codex-connector run`",
    )
}

/// A running task uses the session to be resumed.
pub(crate) fn session_in_use(session: &Untrusted, by: &TaskId) -> Refused {
    Refused::new(message!["session ", session, " cannot be resumed: task ", by, " is using it"], wait_or_cancel(by))
}

fn wait_or_cancel(id: &TaskId) -> Message {
    message!["wait until it ends with `codex-connector wait ", id, "`, or run `codex-connector cancel ", id, "`"]
}

/// A task cannot run in the directory `path`.
pub(crate) fn working_directory(path: &Path, problem: &impl ToString, next: String) -> Refused {
    Refused::new(message!["the directory ", MessagePart::quoted(path), " ", problem.to_string()], next)
}

/// The earlier task does not say where its agent worked.
pub(crate) fn unknown_directory(id: &TaskId) -> Refused {
    Refused::new(
        message!["task ", id, " cannot be resumed: its working directory is unknown"],
        "start a new task with `codex-connector run`",
    )
}

/// There is no prompt.
pub(crate) fn empty_prompt() -> Refused {
    Refused::new(
        "the prompt is empty",
        "write the task after the command, or use `-f FILE`, or pipe the text into stdin",
    )
}

/// The file with the prompt cannot be read.
pub(crate) fn unreadable_prompt(file: &Path, problem: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot read the prompt from ", file, ": ", problem.to_string()],
        "check the path after `--file`",
    )
}

/// Stdin cannot be read.
pub(crate) fn unreadable_stdin(problem: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot read the prompt from stdin: ", problem.to_string()],
        "write the task after the command, or use `-f FILE`",
    )
}

/// A prompt is not valid UTF-8. `place` is the file, if it is in one.
pub(crate) fn prompt_not_utf8(place: Option<&Path>) -> Refused {
    let problem = match place {
        Some(file) => message!["the prompt in ", file, " is not valid UTF-8"],
        None => Message::trusted("the prompt on stdin is not valid UTF-8"),
    };
    Refused::new(problem, "convert it, for example with `iconv -t utf-8`")
}

/// Backends have no such name.
pub(crate) fn invalid_backend_name(name: &str) -> Refused {
    Refused::new(
        message!["invalid backend name ", MessagePart::quoted(name)],
        "run `codex-connector check` to list the configured backends",
    )
}

/// `ls --watch` without a terminal.
pub(crate) fn list_needs_terminal() -> Refused {
    Refused::new(
        "`ls --watch` redraws its output, so it needs a terminal",
        "run `codex-connector watch`, which prints one line per step in a pipe",
    )
}

/// There is no verb with this name.
pub(crate) fn unknown_verb(word: &str, meant: Option<&str>) -> Refused {
    let problem = message!["unknown command ", MessagePart::quoted(word)];
    match meant {
        Some(verb) => {
            let next = format!("did you mean `codex-connector {verb}`? `codex-connector help` lists all commands");
            Refused::new(problem, Message::trusted(next))
        }
        None => Refused::new(problem, "run `codex-connector help` to list all commands"),
    }
}

/// There is nothing to wait for, to watch or to cancel.
pub(crate) fn no_unfinished_tasks(is_everywhere: bool) -> String {
    let place = if is_everywhere { "" } else { " here" };
    format!("No unfinished tasks{place}.")
}

/// `wait` has begun to wait.
pub(crate) fn waiting_for(tasks: usize) -> String {
    let tasks = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
    format!("waiting for {tasks}…")
}

/// Ctrl-C was pressed for the first time. There is an ID unless the task is still being submitted.
pub(crate) fn cancelling(id: Option<&TaskId>) -> String {
    let task = id.map_or("the task".to_owned(), |id| format!("task {id}"));
    format!("Cancelling {task}. Press Ctrl-C again to leave at once.")
}

/// How to see a task that runs in the background.
pub(crate) fn runs_in_background(id: &TaskId) -> String {
    format!("It keeps running in the background. Watch it: codex-connector watch {id}")
}

/// Four lines for a person who starts the program without a command.
pub(crate) const SHORT_HELP: &str = "\
codex-connector delegates coding tasks to Codex and other coding agents.
Without a command, it is an MCP server: claude mcp add --scope user codex-connector -- codex-connector
In a terminal: `codex-connector run TEXT` starts a task, and `codex-connector ls` lists tasks.
`codex-connector help` lists all commands.";
