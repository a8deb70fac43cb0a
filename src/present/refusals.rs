//! Texts for calls that are refused, and for errors of the command line. Errors of lower modules keep their own
//! wording.

use std::{net::SocketAddr, path::Path};

use connector_api::{BackendName, Sandbox};

use super::Refused;
use crate::{
    task::{InvalidTaskId, Message, MessagePart, TaskId, Untrusted, message},
    visible::shell_line,
};

/// No task has this ID.
pub(crate) fn no_such_task(word: &Untrusted) -> Refused {
    Refused::new(message!["no such task: ", MessagePart::quoted(word.clone())], "call `codex_tasks` to list tasks")
}

/// The task's files are not in the configured log directory.
pub(crate) fn elsewhere(id: &TaskId, there: &Path, here: &Path) -> Refused {
    let assignment = shell_line([&*format!("log_dir={}", there.display())]);
    Refused::new(
        message!["the files of task ", id, " are in ", there, ", but `log_dir` is ", here],
        message!["set `log_dir` to that directory in config.toml, or add `--set ", assignment, "`"],
    )
}

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
        "start a new task, and put everything the agent needs to know into `task`",
    )
}

/// A running task uses the session to be resumed.
pub(crate) fn session_in_use(session: &Untrusted, by: &TaskId) -> Refused {
    Refused::new(message!["session ", session, " cannot be resumed: task ", by, " is using it"], wait_or_cancel(by))
}

fn wait_or_cancel(id: &TaskId) -> Message {
    message!["wait until it ends, or call `codex_cancel` with `taskId` ", id]
}

/// No backend has this name. The name `suggestion` is similar.
pub(crate) fn no_such_backend(name: &str, suggestion: Option<&str>, known: &[String]) -> Refused {
    let suggestion = suggestion.map_or_else(String::new, |similar| format!(" (did you mean `{similar}`?)"));
    let known = format!("{suggestion}; configured: `{}`", known.join("`, `"));
    Refused::new(
        message!["unknown backend ", MessagePart::quoted(name), MessagePart::trusted(known)],
        "use one of these, or add it to config.toml",
    )
}

/// `check` or `check --deep`, the `verb`, names no backend.
pub(crate) fn no_such_backend_to_check(problem: Message, known: &[String], verb: &str) -> Refused {
    let command = |name: &String| format!("`codex-connector {verb} {name}`");
    let commands = known.iter().map(command).collect::<Vec<_>>().join(" or ");
    Refused::new(problem, Message::trusted(format!("run {commands}")))
}

/// An option in a sentence has no value.
pub(crate) fn option_needs_value(name: &str, expected: &'static str) -> Refused {
    let name = MessagePart::trusted(name.to_owned());
    Refused::new(
        message!["`", name.clone(), "` needs a value: ", expected],
        message!["write it after `", name.clone(), "`, or put `", name, "` in backticks if it belongs to the text"],
    )
}

/// An option in a sentence has a value, but takes none.
pub(crate) fn option_without_value(name: &str) -> Refused {
    let name = MessagePart::trusted(name.to_owned());
    Refused::new(message!["`", name.clone(), "` takes no value"], message!["write only `", name, "`, or leave it out"])
}

/// An option in a sentence occurs twice.
pub(crate) fn option_repeated(name: &str) -> Refused {
    let name = MessagePart::trusted(name.to_owned());
    Refused::new(message!["`", name.clone(), "` was given twice"], message!["give `", name, "` only once"])
}

/// The value of `--sandbox` in a sentence is not a sandbox.
pub(crate) fn unknown_sandbox(word: &str) -> Refused {
    let words = Sandbox::ALL.map(Sandbox::as_str).join("`, `");
    Refused::new(
        message![MessagePart::quoted(word), " is not a valid value for `--sandbox`"],
        Message::trusted(format!("use one of `{words}`")),
    )
}

/// A task cannot run in the working directory `path`.
pub(crate) fn working_directory(path: &Path, problem: &impl ToString, next: String) -> Refused {
    Refused::new(message!["`workingDirectory` ", MessagePart::quoted(path), " ", problem.to_string()], next)
}

/// A backend's program cannot be used.
pub(crate) fn not_usable(backend: &BackendName, problem: &impl ToString, next: &str) -> Refused {
    Refused::new(message!["backend `", backend, "` cannot be used: ", problem.to_string()], next.to_owned())
}

/// `check --deep` cannot test a backend before somebody logs in.
pub(crate) fn not_logged_in(backend: &BackendName, said: &str, advice: String) -> Refused {
    Refused::new(message!["backend `", backend, "` is not logged in: ", said.to_owned()], advice)
}

/// The supervisor of a task did not start.
pub(crate) fn not_started(problem: &impl ToString) -> Refused {
    Refused::new(
        problem.to_string(),
        "run `codex-connector check`; make sure that the data directory is writable, and that the limits on processes and \
         memory leave room for a supervisor and its agent",
    )
}

/// A file of the data directory cannot be read or written.
pub(crate) fn store_problem(problem: &impl ToString, path: &Path) -> Refused {
    Refused::new(problem.to_string(), message!["make sure that ", path, " can be read and written"])
}

/// The file system of the data directory does not respond.
pub(crate) fn no_answer(directory: &Path) -> Refused {
    Refused::new(
        message!["the data directory ", directory, " does not respond"],
        message!["make sure that the disk or server that holds ", directory, " is available, and try again"],
    )
}

/// The search for the agent's program, or the program itself, does not respond.
pub(crate) fn program_does_not_respond(backend: &BackendName) -> Refused {
    Refused::new(
        message!["the program of backend `", backend, "` does not respond, or a directory in `PATH` does not"],
        message![
            "set `backends.",
            backend,
            ".program` to the absolute path of a program that works, and make sure that the disks in `PATH` are available"
        ],
    )
}

/// A task was started, but the server cannot wait for its end.
pub(crate) fn cannot_follow(id: &TaskId, why: Refused) -> Refused {
    let status = message!["call `codex_status` with `taskId` ", id];
    let next = match why.next {
        Some(next) => message![next, ", then ", status],
        None => status,
    };
    Refused::new(message!["Task ", id, " was started, but the server cannot follow it: ", why.problem], next)
}

/// No known task used this session, so its directory is unknown.
pub(crate) fn unknown_session(session: &Untrusted) -> Refused {
    Refused::new(
        message!["No known task used session ", session, ", so its working directory is unknown"],
        "call `codex_resume` again with `workingDirectory`, or call `codex_sessions` to list sessions",
    )
}

/// A bug in this program.
pub(crate) fn internal_error() -> Refused {
    Refused::new(
        "This call failed because of a bug in codex-connector. If it started a task, the task keeps running.",
        "call `codex_tasks` to see the task, and report the bug together with the server's output on stderr",
    )
}

/// The directory for the files of `check --deep` cannot be created.
pub(crate) fn no_directory_for_kit(path: &Path, error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot create the directory for `check --deep` in ", path, ": ", error.to_string()],
        "make that directory writable, or choose another with --data-dir",
    )
}

/// The address is reachable from other machines.
pub(crate) fn not_loopback(address: SocketAddr) -> Refused {
    Refused::new(
        Message::trusted(format!("{address} is reachable from other machines, and traffic is not encrypted")),
        "use 127.0.0.1, or add --allow-remote and put a TLS proxy in front of it",
    )
}

/// The reasons why the token of the HTTP server cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenProblem {
    /// Its file does not contain a token.
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
        TokenProblem::Locked => "check whether another server hangs, and start this one again",
        TokenProblem::Inaccessible => {
            "make that file and its directory readable and writable; if the disk is full, free some space"
        }
    };
    Refused::new(problem.to_string(), next)
}

/// The reasons why the data directory cannot be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DataDirProblem<'a> {
    /// Its file system has no locks.
    NoLocks,
    /// Another user owns it.
    OtherOwner,
    /// Everyone may write to this directory.
    WritableByAll(&'a Path),
    /// It cannot be read or written.
    Inaccessible,
}

/// The data directory cannot be opened.
pub(crate) fn data_directory(problem: &impl ToString, kind: DataDirProblem<'_>, config: &Path) -> Refused {
    let next = match kind {
        DataDirProblem::NoLocks => message!["set `data_dir` to a directory on a local disk in "],
        DataDirProblem::OtherOwner => message!["set `data_dir` to a directory that belongs to you in "],
        DataDirProblem::WritableByAll(directory) => {
            let command = shell_line(["chmod", "700", &*directory.to_string_lossy()]);
            message!["run `", command, "`, or set `data_dir` to another directory in "]
        }
        DataDirProblem::Inaccessible => message!["make that directory writable, or set `data_dir` to another one in "],
    };
    Refused::new(problem.to_string(), message![next, config, " or with --data-dir"])
}

/// The operating system refuses to start the server's threads.
pub(crate) fn no_threads(error: &impl ToString) -> Refused {
    Refused::new(
        message!["cannot start the server's threads: ", error.to_string()],
        "raise the limit on processes (`ulimit -u`, or `pids.max` of the container), or end other processes",
    )
}

/// The server cannot listen on the address.
pub(crate) fn cannot_listen(address: SocketAddr, error: &impl ToString) -> Refused {
    Refused::new(
        message![MessagePart::trusted(format!("cannot listen on {address}: ")), error.to_string()],
        "choose another port (0 picks a free one)",
    )
}

/// `supervise` was called without the data directory.
pub(crate) fn needs_data_dir() -> Refused {
    Refused::without_advice("supervise needs --data-dir")
}

/// A signal stopped the program before it was done.
pub(crate) fn stopped() -> Refused {
    Refused::without_advice("stopped")
}

/// An argument of a call is not a valid task ID.
pub(crate) fn not_a_task_id(problem: &InvalidTaskId) -> Refused {
    Refused::new(invalid_task_id(problem), "call `codex_tasks` to list tasks")
}

/// The word is not a valid task ID.
pub(crate) fn invalid_task_id(problem: &InvalidTaskId) -> Message {
    message![MessagePart::quoted(problem.word().clone()), " is not a task ID (eight hex digits, such as 1a2b3c4d)"]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_respond_is_not_blamed_on_the_data_directory() {
        let backend = BackendName::new("codex").expect("a valid name");
        let refused = program_does_not_respond(&backend).plain();
        assert!(refused.contains("set `backends.codex.program`") && !refused.contains("directory /"), "{refused}");
    }

    #[test]
    fn the_advice_about_the_data_directory_fits_the_problem() {
        let next = |kind| data_directory(&"cannot use /d", kind, Path::new("/c.toml")).plain();
        assert_eq!(
            next(DataDirProblem::WritableByAll(Path::new("/d"))),
            "cannot use /d\nnext: run `chmod 700 /d`, or set `data_dir` to another directory in /c.toml or with --data-dir"
        );
        for kind in [DataDirProblem::NoLocks, DataDirProblem::OtherOwner] {
            assert!(!next(kind).contains("writable"), "{}", next(kind));
        }
        assert!(next(DataDirProblem::Inaccessible).contains("make that directory writable"));
    }
}
