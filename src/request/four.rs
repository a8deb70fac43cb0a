//! The parameters of the four tools as values.

use std::{path::PathBuf, time::Duration};

use connector_api::Sandbox;

use super::{
    Given,
    arguments::{Arguments, Whole},
};
use crate::{
    broker::{NewTask, TimeLimit},
    present::{self, Refused},
    task::{Message, TaskId, TaskStatus},
};

/// A time limit beyond this is none: no clock is trusted that far, and no agent either.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// As many log lines as are looked at.
const MOST_LINES: u64 = 10_000;

/// As many tasks as are listed.
const MOST_TASKS: u64 = 1_000;

/// `codex_agent`.
#[derive(Debug, Clone)]
pub(crate) struct AgentCall {
    pub(crate) task: NewTask,
    pub(crate) answer_when: AnswerWhen,
    /// What was not taken as it was given.
    pub(crate) problem_events: Vec<Message>,
}

/// When a call that starts a task is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AnswerWhen {
    /// As soon as there is a task.
    Started,
    /// When it has ended.
    Ended,
}

/// `codex_status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusCall {
    pub(crate) id: TaskId,
    pub(crate) tail_lines: usize,
    /// What was not taken as it was given.
    pub(crate) problem_events: Vec<Message>,
}

/// `codex_tasks`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TasksCall {
    /// With none, every status.
    pub(crate) status: Option<TaskStatus>,
    pub(crate) limit: usize,
    /// What was not taken as it was given.
    pub(crate) problem_events: Vec<Message>,
}

impl AgentCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let known = ["task", "workingDirectory", "sandbox", "model", "async", "timeoutMs"];
        let (call, working_directory) = Self::read_for("codex_agent", &known, given)?;
        let missing = || present::arguments::missing("codex_agent", "workingDirectory", "a string");
        let working_directory = working_directory.ok_or_else(missing)?;
        Ok(Self { task: NewTask { working_directory, ..call.task }, ..call })
    }

    /// The same for a tool that does not need a directory, which is told beside the rest.
    pub(crate) fn read_for(
        tool: &'static str,
        known: &[&str],
        given: Given,
    ) -> Result<(Self, Option<PathBuf>), Refused> {
        let mut arguments = Arguments::new(tool, given, known)?;
        let prompt = arguments.required_text("task")?;
        let working_directory = arguments.text("workingDirectory")?.map(PathBuf::from);
        let words = Sandbox::ALL.map(Sandbox::as_str);
        let sandbox = arguments.word("sandbox", &words, |word| word.parse().ok())?;
        let model = arguments.text("model")?;
        let answer_when = match arguments.flag("async")? {
            Some(true) => AnswerWhen::Started,
            Some(false) | None => AnswerWhen::Ended,
        };
        let mut problem_events = Vec::new();
        let time_limit = match arguments.whole("timeoutMs", 0)? {
            None => TimeLimit::Default,
            Some(Whole::Small(0)) => TimeLimit::None,
            Some(Whole::Small(millis)) if Duration::from_millis(millis) <= LONGEST => {
                TimeLimit::After(Duration::from_millis(millis))
            }
            Some(Whole::Small(_) | Whole::Huge(_)) => {
                problem_events.push(present::arguments::taken_as_no_timeout());
                TimeLimit::None
            }
        };
        let nowhere = PathBuf::new();
        let task =
            NewTask { prompt, working_directory: nowhere, sandbox, model, time_limit, backend: None, resume: None };
        Ok((Self { task, answer_when, problem_events }, working_directory))
    }
}

impl StatusCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_status", given, &["taskId", "tailLines"])?;
        let id = task_id(&mut arguments)?;
        let mut problem_events = Vec::new();
        let tail_lines = at_most(&mut arguments, "tailLines", 50, MOST_LINES, &mut problem_events)?;
        Ok(Self { id, tail_lines, problem_events })
    }
}

impl TasksCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_tasks", given, &["status", "limit"])?;
        let words = ["all", "running", "completed", "failed", "interrupted"];
        let find = |word: &str| if word == "all" { Some(None) } else { word.parse().ok().map(Some) };
        let status = arguments.word("status", &words, find)?.flatten();
        let mut problem_events = Vec::new();
        let limit = at_most(&mut arguments, "limit", 20, MOST_TASKS, &mut problem_events)?;
        Ok(Self { status, limit, problem_events })
    }
}

/// `codex_cancel`.
pub(crate) fn cancel_call(given: Given) -> Result<TaskId, Refused> {
    task_id(&mut Arguments::new("codex_cancel", given, &["taskId"])?)
}

/// What cannot be an id is treated as an id that no task has, and is looked for nowhere.
pub(super) fn task_id(arguments: &mut Arguments) -> Result<TaskId, Refused> {
    known_id(&arguments.required_text("taskId")?)
}

pub(super) fn known_id(word: &str) -> Result<TaskId, Refused> {
    TaskId::parse(word.trim()).map_err(|_| present::no_such_task(&word.into()).capitalized())
}

/// At least one id and at most `most`, each once.
pub(super) fn task_ids(arguments: &mut Arguments, most: usize) -> Result<Vec<TaskId>, Refused> {
    let mut ids = Vec::new();
    for word in arguments.required_texts("taskIds", most)? {
        let id = known_id(&word)?;
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    Ok(ids)
}

pub(super) fn at_most(
    arguments: &mut Arguments,
    name: &str,
    default: usize,
    most: u64,
    problem_events: &mut Vec<Message>,
) -> Result<usize, Refused> {
    let number = match arguments.whole(name, 1)? {
        None => return Ok(default),
        Some(Whole::Small(number)) if number <= most => number,
        Some(Whole::Small(_) | Whole::Huge(_)) => {
            problem_events.push(present::arguments::taken_as_most(name, most));
            most
        }
    };
    Ok(usize::try_from(number).expect("the most that is taken fits into 32 bits"))
}

#[cfg(test)]
#[path = "four_tests.rs"]
mod tests;
