//! Answers about the start and the end of a task, mainly of `codex_agent` and `codex_cancel`.

use connector_api::BackendName;

use super::{
    MAX_BRIEF_RESULT_CHARACTERS, MAX_COMBINED_CHARACTERS, MAX_RESULT_CHARACTERS, MAX_SAID_CHARACTERS,
    fields::{Page, duration, exit_code},
    markdown,
    text::{fenced, one_line},
};
use crate::task::{OnServerExit, ResultText, TaskId, TaskRecord, TaskStatus, Untrusted};

/// Maximum length of each text from outside in [`ended_in_one_line`], in characters.
const MAX_SENTENCE_CHARACTERS: usize = 500;
/// Maximum number of other tasks to name in the answer to a start.
const MAX_NEIGHBORS: usize = 5;

/// A task that was just started.
#[derive(Debug, Clone, PartialEq)]
pub struct StartedTask {
    /// Its ID.
    pub id: TaskId,
    /// Its record, if it can be read.
    pub record: Option<TaskRecord>,
    /// Whether it gets its own worktree, as far as that is known.
    pub in_worktree: bool,
    /// The other running tasks in its repository.
    pub neighbors: Vec<TaskId>,
}

/// A task was started in the background. `wait` is the command that waits for its end.
pub(crate) fn started(task: &StartedTask, on_server_exit: OnServerExit, wait: &str) -> String {
    let StartedTask { id, record, in_worktree, neighbors } = task;
    let mut page = Page::begin("Codex Agent Started");
    page.field("Task ID", id.as_str());
    page.field("Status", TaskStatus::Running.as_str());
    if let Some(record) = record {
        page.field_if("Backend", record.progress.backend.as_ref().map(BackendName::as_str));
        page.run(record);
        page.workspace(record);
    }
    if *in_worktree {
        page.line("**Worktree:** the agent works in its own worktree of this directory, not in its files");
    }
    if !neighbors.is_empty() {
        page.line(&format!("**Warning:** {}", running_beside(neighbors)));
    }
    page.part("The agent works in the background.");
    page.line(&format!("- To be notified when it finishes, run `{wait}` as a background shell command."));
    page.line(&format!("- To see its progress and its result, call `codex_status` with `taskId` `{id}`."));
    page.line(&format!("- To stop it, call `codex_cancel` with `taskId` `{id}`."));
    match on_server_exit {
        OnServerExit::Interrupt => page.line("- It is stopped when this session ends."),
        OnServerExit::Continue => page.line("- It keeps running when this session ends."),
    }
    page.end()
}

/// Says which other tasks are running in the repository of a new one.
pub(super) fn running_beside(neighbors: &[TaskId]) -> String {
    let listed = neighbors.iter().take(MAX_NEIGHBORS).map(TaskId::as_str).collect::<Vec<_>>().join(", ");
    let more = if neighbors.len() > MAX_NEIGHBORS { ", …" } else { "" };
    let tasks = if neighbors.len() == 1 { "task is" } else { "tasks are" };
    format!(
        "{} other {tasks} running in this repository ({listed}{more}). If they change the same files, they overwrite each other's \
         work",
        neighbors.len()
    )
}

/// The heading of a result. It names the backend; for Codex, and if the backend is unknown, it is the documented one.
fn result_heading(record: &TaskRecord) -> String {
    let name = record.progress.backend.as_ref().map_or("codex", BackendName::as_str);
    let mut letters = name.chars();
    let capital = letters.next().map(|first| first.to_ascii_uppercase()).into_iter();
    format!("{} Agent Result", capital.chain(letters).collect::<String>())
}

/// A task has ended: the full answer for a call that waited for it.
pub(crate) fn ended(record: &TaskRecord, result: Option<ResultText>) -> String {
    let mut page = Page::begin(&result_heading(record));
    page.field("Task ID", record.id.as_str());
    end_of(&mut page, record);
    page.backend(record);
    page.run(record);
    page.workspace(record);
    page.path("Log", record.start.log_file.as_deref());
    page.part(&format!("Stdout: {} bytes", record.progress.stdout_bytes));
    page.line(&format!("Stderr: {} bytes", record.progress.stderr_bytes));
    page.explanation(record, MAX_SAID_CHARACTERS);
    page.changed_files(record);
    page.result(record, result, MAX_RESULT_CHARACTERS);
    page.end()
}

/// A task has ended: a summary for a reader who is busy with something else.
pub(crate) fn brief(record: &TaskRecord, result: Option<ResultText>) -> String {
    let mut page = Page::begin("Task Ended");
    page.field("Task ID", record.id.as_str());
    end_of(&mut page, record);
    page.field("Task", &one_line(&record.start.task, 100));
    page.run(record);
    page.workspace(record);
    page.path("Log", record.start.log_file.as_deref());
    page.explanation(record, MAX_BRIEF_RESULT_CHARACTERS / 2);
    page.changed_files(record);
    page.result(record, result, MAX_BRIEF_RESULT_CHARACTERS);
    page.end()
}

/// Several tasks have ended: the [`brief`] summary of each while they fit, then only the status of the others. The
/// tasks `pending` have not ended.
pub(crate) fn all_ended(
    records: &[Box<TaskRecord>],
    pending: &[TaskId],
    result: impl Fn(&TaskRecord) -> Option<ResultText>,
) -> String {
    let mut parts = vec![];
    let mut others = vec![];
    let mut room = MAX_COMBINED_CHARACTERS;
    for record in records {
        let part = brief(record, result(record));
        match room.checked_sub(part.chars().count()) {
            Some(remaining) => {
                room = remaining;
                parts.push(part);
            }
            None => others.push(format!("{} {}", record.id, record.status())),
        }
    }
    if !others.is_empty() {
        let others = others.join(", ");
        parts.push(format!("Also ended: {others}. Call `codex_status` with a task ID for its result."));
    }
    if !pending.is_empty() {
        parts.push(running(pending));
    }
    parts.join("\n\n")
}

/// The tasks that have not ended.
pub(super) fn running<'a>(pending: impl IntoIterator<Item = &'a TaskId>) -> String {
    let pending = pending.into_iter().map(TaskId::as_str).collect::<Vec<_>>().join(", ");
    format!("Still running: {pending}.")
}

/// A task has ended, for a progress message.
pub(crate) fn ended_briefly(record: &TaskRecord) -> String {
    format!("task {} {}", record.id, record.status())
}

/// A task has failed or was interrupted, for a client that shows its error on one line.
pub(crate) fn ended_in_one_line(record: &TaskRecord) -> String {
    let mut sentences = vec![];
    if let Some(end) = &record.end {
        let value = |text: &Untrusted| markdown::value(&one_line(text, MAX_SENTENCE_CHARACTERS));
        let sentence = |text: &Untrusted| markdown::sentence(&one_line(text, MAX_SENTENCE_CHARACTERS));
        let warning = end.warnings.first();
        let warned = warning.and_then(|warning| warning.advice.as_deref()).map(Untrusted::from);
        let said = if record.did_not_start() { "Why it did not start" } else { "The agent said" };
        sentences.extend(end.failure_reason.as_ref().map(value));
        sentences.extend(warning.map(|warning| value(&warning.message.as_str().into())));
        sentences.extend(end.agent_said.as_ref().map(|text| format!("{said}: {}", value(text))));
        let advice = [end.advice.as_ref(), warned.as_ref()].into_iter().flatten();
        sentences.extend(advice.map(|advice| format!("What to do: {}", sentence(advice))));
    }
    sentences.push(format!("For its log and result, call `codex_status` with `taskId` `{}`", record.id));
    format!("Task {} {}: {}.", record.id, record.status(), sentences.join(". "))
}

/// A call was cancelled before it started a task.
pub(crate) fn cancelled_before_start() -> String {
    "Cancelled before it started.".to_owned()
}

/// A cancelled call leaves its task running.
pub(crate) fn detached(id: &TaskId) -> String {
    format!("Task {id} keeps running, but no call waits for it.")
}

/// A task was cancelled with the call that waited for it.
pub(crate) fn being_cancelled(id: &TaskId) -> String {
    format!("Task {id} is being cancelled.")
}

/// The task has no result.
pub(crate) fn without_result(record: &TaskRecord) -> String {
    let (id, status) = (&record.id, record.status());
    format!("Task {id} has no result; its status is {status}. Call `codex_status` with `taskId` `{id}`.")
}

/// A piece of a result of `size` bytes. The piece begins at byte `offset`, and the next piece at byte `next`.
pub(crate) fn result_chunk(id: &TaskId, offset: u64, size: u64, next: Option<u64>, text: &Untrusted) -> String {
    if offset > size {
        return format!("`offset` {offset} is past the end: the result of task {id} has {size} bytes.");
    }
    let (from, to) = (offset, next.unwrap_or(size));
    let next = match next {
        Some(next) => format!("To continue, call `codex_result` with `taskId` `{id}` and `offset` {next}."),
        None => "This is the end of the result.".to_owned(),
    };
    format!("Bytes {from} to {to} of {size}. {next}\n\n{}", fenced(text))
}

/// A task has been stopped, or ended while it was being stopped.
pub(crate) fn cancelled(record: &TaskRecord) -> String {
    let was_cancelled = record.is_cancelled();
    let mut page = Page::begin(if was_cancelled { "Task Cancelled" } else { "Task Not Cancelled" });
    page.field("Task ID", record.id.as_str());
    end_of(&mut page, record);
    page.backend(record);
    page.run(record);
    page.workspace(record);
    page.path("Log", record.start.log_file.as_deref());
    page.changed_files(record);
    page.part(if was_cancelled {
        "Changes the agent had already made are kept."
    } else {
        "The task finished before it could be stopped."
    });
    page.end()
}

/// The task to be stopped had already ended.
pub(crate) fn already_ended(record: &TaskRecord) -> String {
    let mut page = Page::begin("Task Not Cancelled");
    page.field("Task ID", record.id.as_str());
    end_of(&mut page, record);
    page.run(record);
    page.part(&format!(
        "The task had already finished; nothing was done. Call `codex_status` with `taskId` `{}` for its log and result.",
        record.id
    ));
    page.end()
}

/// The task is being stopped, but has not ended yet.
pub(crate) fn stopping(id: &TaskId) -> String {
    let mut page = Page::begin("Task Stopping");
    page.field("Task ID", id.as_str());
    page.field("Status", TaskStatus::Running.as_str());
    page.part(&format!(
        "The task is being stopped. Call `codex_status` with `taskId` `{id}` to see when it has finished."
    ));
    page.end()
}

fn end_of(page: &mut Page, record: &TaskRecord) {
    page.field(
        "Status",
        match record.status() {
            TaskStatus::Completed => "completed successfully",
            TaskStatus::Running | TaskStatus::Failed | TaskStatus::Interrupted => record.status().as_str(),
        },
    );
    // Some records of the original program do not say when the task ended.
    let end = record.completed_at().or(record.progress.last_activity_at).unwrap_or(record.start.started_at);
    page.field("Duration", &duration(record, end));
    page.field("Exit code", &exit_code(record));
    page.field_if("Exit signal", record.end.as_ref().and_then(|end| end.exit_signal.as_ref()));
    page.field_if("Failure reason", record.failure_reason());
    page.turn_status(record);
    page.warnings(record);
}
