//! The parameters of the four standard tools as typed values.

use std::{path::PathBuf, time::Duration};

use connector_api::Sandbox;

use super::{
    RawArguments,
    arguments::{Arguments, WholeNumber},
};
use crate::{
    broker::{NewTask, TimeLimit},
    present::{self, Refused},
    task::{Message, Submitter, TaskId, TaskStatus},
};

/// A longer time limit is ignored: neither clocks nor agents can be trusted for that long.
pub(crate) const MAX_TIME_LIMIT: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Default number of log lines in a status.
const DEFAULT_LINES: usize = 50;

/// Maximum number of log lines in a status.
const MAX_LINES: u64 = 10_000;

/// Maximum number of tasks in a list.
const MAX_TASKS: u64 = 1_000;

/// `codex_agent`.
#[derive(Debug, Clone)]
pub(crate) struct AgentCall {
    pub(crate) task: NewTask,
    pub(crate) answer_when: AnswerWhen,
    /// Notes about values that were adjusted.
    pub(crate) remarks: Vec<Message>,
}

/// When a call that starts a task is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerWhen {
    /// As soon as the task has started.
    Started,
    /// When the task has ended.
    Ended,
}

/// `codex_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusCall {
    pub(crate) id: TaskId,
    pub(crate) tail_lines: usize,
    /// Whether the call names a number of lines, and so wants to see them even if none is new.
    pub(crate) asks_for_log: bool,
    /// Notes about values that were adjusted.
    pub(crate) remarks: Vec<Message>,
}

/// `codex_tasks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TasksCall {
    /// `None` lists tasks of every status.
    pub(crate) status: Option<TaskStatus>,
    pub(crate) limit: usize,
    /// Notes about values that were adjusted.
    pub(crate) remarks: Vec<Message>,
}

impl AgentCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let known = ["task", "workingDirectory", "sandbox", "model", "async", "timeoutMs"];
        let (call, working_directory) = Self::read_for("codex_agent", &known, raw)?;
        let missing = || present::arguments::missing("codex_agent", "workingDirectory", "a string");
        let working_directory = working_directory.ok_or_else(missing)?;
        Ok(Self { task: NewTask { working_directory, ..call.task }, ..call })
    }

    /// The same for a tool whose `workingDirectory` is optional. Returns the directory separately.
    pub(crate) fn read_for(
        tool: &'static str,
        known: &[&str],
        raw: RawArguments,
    ) -> Result<(Self, Option<PathBuf>), Refused> {
        let mut arguments = Arguments::new(tool, raw, known)?;
        let prompt = arguments.required_text("task")?;
        let working_directory = arguments.text("workingDirectory")?.map(PathBuf::from);
        let words = Sandbox::ALL.map(Sandbox::as_str);
        let sandbox = arguments.word("sandbox", &words, |word| word.parse().ok())?;
        let model = arguments.text("model")?;
        let answer_when = match arguments.flag("async")? {
            Some(true) => AnswerWhen::Started,
            Some(false) | None => AnswerWhen::Ended,
        };
        let mut remarks = Vec::new();
        let time_limit = match arguments.whole_number("timeoutMs", 0)? {
            None => TimeLimit::Default,
            Some(WholeNumber::Small(0)) => TimeLimit::None,
            Some(WholeNumber::Small(millis)) if Duration::from_millis(millis) <= MAX_TIME_LIMIT => {
                TimeLimit::After(Duration::from_millis(millis))
            }
            Some(WholeNumber::Small(_) | WholeNumber::Huge(_)) => {
                remarks.push(present::arguments::treated_as_no_timeout());
                TimeLimit::None
            }
        };
        let task = NewTask {
            prompt,
            working_directory: PathBuf::new(),
            sandbox,
            model,
            time_limit,
            backend: None,
            resume: None,
            worktree: None,
            submitter: Submitter::default(),
        };
        Ok((Self { task, answer_when, remarks }, working_directory))
    }
}

impl StatusCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_status", raw, &["taskId", "tailLines"])?;
        let id = task_id(&mut arguments)?;
        let mut remarks = Vec::new();
        let tail_lines = clamped(&mut arguments, "tailLines", 0, MAX_LINES, &mut remarks)?;
        // A named number is at least 1.
        let asks_for_log = tail_lines > 0;
        Ok(Self { id, tail_lines: if asks_for_log { tail_lines } else { DEFAULT_LINES }, asks_for_log, remarks })
    }
}

impl TasksCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_tasks", raw, &["status", "limit"])?;
        let words = ["all", "running", "completed", "failed", "interrupted"];
        let find = |word: &str| if word == "all" { Some(None) } else { word.parse().ok().map(Some) };
        let status = arguments.word("status", &words, find)?.flatten();
        let mut remarks = Vec::new();
        let limit = clamped(&mut arguments, "limit", 20, MAX_TASKS, &mut remarks)?;
        Ok(Self { status, limit, remarks })
    }
}

/// `codex_cancel`.
pub(crate) fn cancel_call(raw: RawArguments) -> Result<TaskId, Refused> {
    task_id(&mut Arguments::new("codex_cancel", raw, &["taskId"])?)
}

/// Reads `taskId`.
pub(super) fn task_id(arguments: &mut Arguments) -> Result<TaskId, Refused> {
    parse_task_id(&arguments.required_text("taskId")?)
}

pub(super) fn parse_task_id(word: &str) -> Result<TaskId, Refused> {
    TaskId::parse(word.trim()).map_err(|problem| present::not_a_task_id(&problem))
}

/// Reads `taskIds`: 1 to `max` IDs. Duplicates are removed.
pub(super) fn task_ids(arguments: &mut Arguments, max: usize) -> Result<Vec<TaskId>, Refused> {
    let mut ids = Vec::new();
    for word in arguments.required_texts("taskIds", max)? {
        let id = parse_task_id(&word)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

pub(super) fn clamped(
    arguments: &mut Arguments,
    name: &str,
    default: usize,
    max: u64,
    remarks: &mut Vec<Message>,
) -> Result<usize, Refused> {
    let number = match arguments.whole_number(name, 1)? {
        None => return Ok(default),
        Some(WholeNumber::Small(number)) if number <= max => number,
        Some(WholeNumber::Small(_) | WholeNumber::Huge(_)) => {
            remarks.push(present::arguments::clamped_to(name, max));
            max
        }
    };
    Ok(usize::try_from(number).expect("every maximum fits into 32 bits"))
}

#[cfg(test)]
#[path = "four_tests.rs"]
mod tests;
