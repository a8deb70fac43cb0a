//! Texts for refusals and notes at a terminal, whose next step is a command or an option.

use std::path::Path;

use super::{Refused, refusals, terminal::with_options};
use crate::task::{Message, MessagePart, TaskId, TaskRecord, Untrusted, message};

/// Maximum length of a candidate's task in an error about an ambiguous ID, in characters.
const MAX_CANDIDATE_CHARACTERS: usize = 40;

/// The beginning of a text, not escaped.
fn cut(text: &Untrusted, max: usize) -> Untrusted {
    match text.raw().char_indices().nth(max) {
        Some((end, _)) => format!("{}...", &text.raw()[..end]).into(),
        None => text.clone(),
    }
}

/// A worktree was requested for a task in the sandbox `read-only`.
pub(crate) fn worktree_for_reading() -> Refused {
    Refused::new(
        "a task in the sandbox `read-only` gets no worktree: it cannot change files",
        "leave out `--worktree`, or use `--sandbox workspace-write`",
    )
}

/// The current directory does not exist any more, so a verb cannot be limited to its repository.
pub(crate) fn no_current_directory() -> Refused {
    Refused::new(
        "the current directory does not exist",
        "change to another directory, or add `--all` (`undo` and `wait`: `--everywhere`) for the tasks of all repositories",
    )
}

/// A word on the command line cannot name a task.
pub(crate) fn not_a_task_word(word: &str) -> Refused {
    Refused::new(
        message!["not a task: ", MessagePart::quoted(word)],
        "use the beginning of a task ID, such as 1a2b, or @1 for the newest task; `codex-connector ls` lists both",
    )
}

/// A prefix of an ID is too short.
pub(crate) fn short_prefix(word: &str, min: usize) -> Refused {
    Refused::new(
        message!["the task ID ", MessagePart::quoted(word), " is too short"],
        Message::trusted(format!("use at least {min} characters")),
    )
}

/// Several tasks have an ID with this prefix. `newest` are the newest of them.
pub(crate) fn ambiguous_prefix(prefix: &str, newest: &[TaskRecord], total: usize) -> Refused {
    let candidates = newest.iter().enumerate().map(|(position, record)| {
        let separator = if position == 0 { ": " } else { ", " };
        message![separator, &record.id, " (", cut(&record.start.task, MAX_CANDIDATE_CHARACTERS), ")"]
    });
    let more = total.saturating_sub(newest.len());
    let more = (more > 0).then(|| Message::trusted(format!(", and {more} more")));
    let problem = message!["the task ID ", MessagePart::quoted(prefix), " is ambiguous"];
    let problem = [problem].into_iter().chain(candidates).chain(more).collect::<Message>();
    Refused::new(problem, "use more characters of the ID")
}

/// No task has an ID with this prefix.
pub(crate) fn unknown_prefix(prefix: &str) -> Refused {
    let problem = if TaskId::parse(prefix).is_ok() { "no task has the ID " } else { "no task ID begins with " };
    Refused::new(
        message![problem, MessagePart::quoted(prefix)],
        "run `codex-connector ls --all` to list all tasks; the task may have been removed",
    )
}

/// There is no final message to show.
pub(crate) fn no_result(id: &TaskId, has_ended: bool) -> Refused {
    let problem = message!["task ", id, " has no final message"];
    match has_ended {
        true => Refused::new(problem, message!["run `codex-connector logs ", id, "` to see what its agent did"]),
        false => Refused::new(problem, message!["wait until it ends with `codex-connector wait ", id, "`"]),
    }
}

/// Manual pages cannot be written.
pub(crate) fn pages_not_written(directory: &Path, problem: &str) -> Refused {
    Refused::new(
        message!["cannot write manual pages to ", directory, ": ", problem.to_owned()],
        "name a directory that you may write to",
    )
}

/// Removing tasks has to be confirmed.
pub(crate) fn unconfirmed() -> Refused {
    Refused::new(
        "nothing was removed: this is not a terminal, so nobody can confirm it",
        "add `--yes`, or `--dry-run` to list the tasks",
    )
}

/// `--since` is neither a period nor a time.
pub(crate) const EXPECTED_SINCE: &str =
    "expected a period such as 90s, 30m or 2d, or a time such as 2026-01-02T03:04:05Z";

/// A running task is not removed.
pub(crate) fn running_is_kept(id: &TaskId) -> Refused {
    Refused::new(
        message!["task ", id, " cannot be removed: it is still running"],
        message!["cancel it first: `codex-connector cancel ", id, "`"],
    )
}

/// A task whose supervisor has not finished is not removed.
pub(crate) fn in_use_is_kept(id: &TaskId) -> Refused {
    Refused::new(
        message!["task ", id, " cannot be removed: another process is still working on its files"],
        "try again in a moment",
    )
}

/// The removal of a task is not complete.
pub(crate) fn still_listed(id: &TaskId) -> Refused {
    Refused::new(
        message!["task ", id, " is still listed: the lists of tasks are locked, or cannot be written"],
        format!(
            "if the disk is full, free some space; then call `codex-connector rm {id}` again, which finishes the removal"
        ),
    )
}

/// The original program's tasks are not removed.
pub(crate) fn original_is_kept(id: &TaskId) -> Refused {
    Refused::without_advice(message![
        "task ",
        id,
        " cannot be removed: it was run by the original program, whose files are never changed"
    ])
}

/// There are only `total` tasks, too few for `word`.
pub(crate) fn beyond_list(word: &str, total: usize, is_everywhere: bool) -> Refused {
    let place = if is_everywhere { "" } else { " here" };
    let tasks = match total {
        0 => format!("there are no tasks{place}"),
        1 => format!("there is only 1 task{place}"),
        total => format!("there are only {total} tasks{place}"),
    };
    let next = match (is_everywhere, total) {
        (false, _) => "add `--all` (`undo` and `wait`: `--everywhere`) to count the tasks of all repositories",
        (true, 0) => "start one with `codex-connector run`",
        (true, _) => "run `codex-connector ls --all` to list them",
    };
    Refused::new(message!["no task ", MessagePart::quoted(word), ": ", MessagePart::trusted(tasks)], next)
}

/// `undo -a`: in other verbs, it means all repositories, but `undo --all` means all files.
pub(crate) fn ambiguous_undo() -> Refused {
    Refused::new(
        "`undo` has no option `-a`, because it could mean two things",
        "write `--everywhere` to count @N in all repositories, or `--all` to also revert files that the agent did not report \
         changing",
    )
}

/// The task to be resumed has not ended.
pub(crate) fn still_running(id: &TaskId) -> Refused {
    Refused { next: Some(wait_or_cancel(id)), ..refusals::still_running(id) }
}

/// The task to be resumed has no session ID.
pub(crate) fn without_session(id: &TaskId) -> Refused {
    Refused::new(refusals::without_session(id).problem, "start a new task with `codex-connector run`")
}

/// A running task uses the session to be resumed.
pub(crate) fn session_in_use(session: &Untrusted, by: &TaskId) -> Refused {
    Refused { next: Some(wait_or_cancel(by)), ..refusals::session_in_use(session, by) }
}

fn wait_or_cancel(id: &TaskId) -> Message {
    message!["wait until it ends with `codex-connector wait ", id, "`, or run `codex-connector cancel ", id, "`"]
}

/// A task cannot run in the directory `path`.
pub(crate) fn working_directory(path: &Path, problem: &impl ToString, next: String) -> Refused {
    Refused::new(message!["the directory ", MessagePart::quoted(path), " ", problem.to_string()], next)
}

/// A task cannot run as it was asked for. The texts may name parameters of calls.
pub(crate) fn not_possible(problem: &impl ToString, next: &str) -> Refused {
    Refused::new(with_options(&problem.to_string()).into_owned(), with_options(next).into_owned())
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

/// A prompt is longer than `max` bytes.
pub(crate) fn long_prompt(max: usize) -> Refused {
    Refused::new(
        Message::trusted(format!("the prompt is longer than {} MiB, the limit of `codex_agent` too", max >> 20)),
        "put the text into a file in the directory of the task, and name the file in the prompt",
    )
}

/// A pipe was left out of the prompt.
pub(crate) fn silent_stdin() -> String {
    "stdin is left out of the prompt, because nothing has arrived in the pipe; with the word `-`, stdin is waited for"
        .to_owned()
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

/// A verb that lists tasks is rebuilding the catalog.
pub(crate) const REBUILDING_LISTS: &str =
    "Rebuilding the list of tasks (index.sqlite) from their records, because it is missing or damaged.";

/// The catalog could not be rebuilt.
pub(crate) fn lists_not_rebuilt(problem: Message) -> Refused {
    Refused::new(
        message!["the list of tasks could not be rebuilt, so older tasks may be missing: ", problem],
        "run the command again; a task is always found by its ID",
    )
}

/// The output of a verb cannot be written.
pub(crate) fn output_not_written(error: &impl ToString) -> Refused {
    Refused::without_advice(message!["cannot write the output: ", error.to_string()])
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

/// The verb has no such option, but `meant` does the same.
pub(crate) fn unknown_option(option: &str, meant: &str) -> Refused {
    Refused::new(message!["unknown option ", MessagePart::quoted(option)], Message::trusted(format!("use `{meant}`")))
}

/// There is nothing to wait for, to watch or to cancel.
pub(crate) fn no_unfinished_tasks(is_everywhere: bool) -> String {
    let place = if is_everywhere { "" } else { " here" };
    format!("No unfinished tasks{place}.")
}

/// `wait` has begun to wait.
pub(crate) fn waiting_for(tasks: usize) -> String {
    let tasks = if tasks == 1 { "1 task".to_owned() } else { format!("{tasks} tasks") };
    format!("waiting for {tasks}")
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
