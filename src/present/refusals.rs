//! Reasons for refusing a call, and for failures of the command line. Errors of the modules below are given in their own
//! words.

use std::{net::SocketAddr, path::Path};

use connector_api::BackendName;

use super::Refused;
use crate::{
    task::{InvalidTaskId, Message, MessagePart, TaskId, Untrusted, message},
    visible::shell_line,
};

/// No task has this id.
pub(crate) fn no_such_task(word: &Untrusted) -> Refused {
    Refused::new(
        message!["no such task: ", MessagePart::quoted(word.clone())],
        "call `codex_tasks` to list the tasks there are",
    )
}

/// The next step for somebody at a shell, where tools cannot be called, to find a task.
pub(crate) fn find_task(log_dir: &Path) -> Message {
    let list = shell_line(["ls", &*log_dir.to_string_lossy()]);
    message![
        "run `",
        list,
        "`, which has a log for each task, named by its ID; if the task is of a server with another data directory, add \
         `--data-dir DIR`"
    ]
}

/// The task's files are in another log directory.
pub(crate) fn elsewhere(id: &TaskId, there: &Path, here: &Path) -> Refused {
    let assignment = shell_line([&*format!("log_dir={}", there.display())]);
    Refused::new(
        message!["the files of task ", id, " are in ", there, ", and `log_dir` is ", here],
        message!["set `log_dir` to that directory in config.toml, or add `--set ", assignment, "`"],
    )
}

/// The task to be resumed has not ended.
pub(crate) fn still_running(id: &TaskId) -> Refused {
    Refused::new(message!["task ", id, " cannot be resumed: it still runs"], wait_or_cancel(id))
}

/// The task to be resumed has no session.
pub(crate) fn without_session(id: &TaskId) -> Refused {
    Refused::new(
        message!["task ", id, " cannot be resumed: its agent named no session, as happens when it never came to work"],
        "start a new task, with all it has to know in `task`",
    )
}

/// A task runs on the session to be resumed.
pub(crate) fn session_in_use(session: &Untrusted, by: &TaskId) -> Refused {
    Refused::new(message!["session ", session, " cannot be resumed: task ", by, " runs on it"], wait_or_cancel(by))
}

fn wait_or_cancel(id: &TaskId) -> Message {
    message!["wait for its end, or call `codex_cancel` with `taskId` ", id]
}

/// No backend has this name. One with the name `suggestion` is like it.
pub(crate) fn no_such_backend(name: &str, suggestion: Option<&str>, known: &[String]) -> Refused {
    let suggestion = suggestion.map_or_else(String::new, |near| format!(" (`{near}`?)"));
    let known = format!("{suggestion}; there is `{}`", known.join("`, `"));
    Refused::new(
        message!["no backend ", MessagePart::quoted(name), " is configured", MessagePart::trusted(known)],
        "name one of them, or add it to config.toml",
    )
}

/// A directory cannot be worked in.
pub(crate) fn working_directory(path: &Path, problem: &impl ToString, next: String) -> Refused {
    Refused::new(message!["`workingDirectory` ", path, ": ", problem.to_string()], next)
}

/// A backend's program cannot be used.
pub(crate) fn not_usable(backend: &BackendName, problem: &impl ToString, next: &str) -> Refused {
    Refused::new(message!["backend `", backend, "` cannot be used: ", problem.to_string()], next.to_owned())
}

/// There is no supervisor for a task.
pub(crate) fn not_started(problem: &impl ToString) -> Refused {
    Refused::new(
        problem.to_string(),
        "run `codex-connector check`; see that the data directory can be written to, and that the limits on processes and \
         memory leave room for a supervisor and its agent",
    )
}

/// A file of the data directory cannot be read or written.
pub(crate) fn store_problem(problem: &impl ToString, path: &Path) -> Refused {
    Refused::new(problem.to_string(), message!["see that ", path, " can be read and written"])
}

/// The data directory does not answer.
pub(crate) fn no_answer(directory: &Path) -> Refused {
    Refused::new(
        message!["the data directory ", directory, " does not answer"],
        message!["see that the disk or the server that ", directory, " is on is there, and try again"],
    )
}

/// A task was started, and its end cannot be told.
pub(crate) fn cannot_follow(id: &TaskId, why: Refused) -> Refused {
    Refused::new(
        message!["Task ", id, " was started, and cannot be followed: ", why.problem],
        message![why.next.unwrap_or_default(), ", and call `codex_status` with `taskId` ", id],
    )
}

/// No task is known that had this session, so that its directory is not known.
pub(crate) fn unknown_session(session: &Untrusted) -> Refused {
    Refused::new(
        message!["No task is known that had the session ", session],
        "call `codex_resume` again with `workingDirectory`, or call `codex_sessions`",
    )
}

/// A fault of this program.
pub(crate) fn internal_error() -> Refused {
    Refused::new(
        "This call failed because of a fault in codex-connector; a task that it started goes on.",
        "call `codex_tasks`, and report the fault with what the server printed on stderr",
    )
}

/// The conformance kit has no place for its files.
pub(crate) fn no_directory_for_kit(path: &Path, error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot make the kit's directory in ", path, ": ", error.to_string()],
        "make that directory writable, or choose another by --data-dir",
    )
}

/// The address can be reached from other machines.
pub(crate) fn not_loopback(address: SocketAddr) -> Refused {
    Refused::new(
        Message::trusted(format!(
            "{address} can be reached from other machines, and what is said there is not encrypted"
        )),
        "use 127.0.0.1, or add --allow-remote and put a proxy with TLS before it",
    )
}

/// The reasons why the token of the HTTP server cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenProblem {
    /// Its file holds something else.
    Invalid,
    /// Another server keeps its file locked.
    Locked,
    /// Its file cannot be read or written.
    Inaccessible,
}

/// The token of the HTTP server cannot be used.
pub(crate) fn bad_token(problem: &impl ToString, kind: TokenProblem) -> Refused {
    let next = match kind {
        TokenProblem::Invalid => "remove that file, and start the server again",
        TokenProblem::Locked => "see whether another server hangs, and start this one again",
        TokenProblem::Inaccessible => {
            "make that file and its directory readable and writable, and free space on the disk if it is full"
        }
    };
    Refused::new(problem.to_string(), next)
}

/// The data directory cannot be opened; its file system has no locks, or it cannot be written to.
pub(crate) fn data_directory(problem: &impl ToString, has_locks: bool, config: &Path) -> Refused {
    let next = if has_locks {
        "make that directory writable, or set `data_dir` to another one, in "
    } else {
        "set `data_dir` to a directory on a local disk, in "
    };
    Refused::new(problem.to_string(), message![next, config, " or by --data-dir"])
}

/// The operating system has no room for the threads of a server.
pub(crate) fn no_threads(error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot start the threads of the server: ", error.to_string()],
        "raise the limit on processes (`ulimit -u`, or `pids.max` of the container), or end other processes",
    )
}

/// The address cannot be listened on.
pub(crate) fn cannot_listen(address: SocketAddr, error: &impl ToString) -> Refused {
    Refused::new(
        message![MessagePart::trusted(format!("cannot listen on {address}: ")), error.to_string()],
        "choose another port; 0 is any",
    )
}

/// `supervise` was called without the data directory.
pub(crate) fn needs_data_dir() -> Refused {
    Refused::without_advice("supervise needs --data-dir")
}

/// The program was told to stop before it was done.
pub(crate) fn stopped() -> Refused {
    Refused::without_advice("stopped")
}

/// The word can be no task's id.
pub(crate) fn invalid_task_id(problem: &InvalidTaskId) -> Message {
    message![
        MessagePart::quoted(problem.word().clone()),
        " is no task id: a task id is eight characters of 0-9 and a-f"
    ]
}
