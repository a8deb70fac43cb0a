//! The parameters of the tools beyond the four, as values.

use std::{path::PathBuf, time::Duration};

use super::{
    Given,
    arguments::{Arguments, Whole},
    four::{AgentCall, at_most, known_id, task_id, task_ids},
};
use crate::{
    present::{self, Refused},
    task::{Message, TaskId},
};

/// As many tasks are waited for at once.
const MOST_TASKS: usize = 50;

/// The most bytes of a result in one answer.
const MOST_BYTES: u64 = 200_000;

/// As many bytes as are shown when the call does not say.
const BYTES: u64 = 40_000;

/// `codex_wait`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitCall {
    /// At least one.
    pub(crate) ids: Vec<TaskId>,
    pub(crate) until: Until,
    pub(crate) patience: Option<Duration>,
    pub(crate) problem_events: Vec<Message>,
}

/// Until when to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    All,
    Any,
}

/// `codex_result`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultCall {
    pub(crate) id: TaskId,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) problem_events: Vec<Message>,
}

/// `codex_sessions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionsCall {
    pub(crate) limit: usize,
    pub(crate) problem_events: Vec<Message>,
}

/// `codex_resume`.
#[derive(Debug, Clone)]
pub(crate) struct ResumeCall {
    pub(crate) which: Which,
    /// What is to be done, where the directory does not matter.
    pub(crate) call: AgentCall,
    pub(crate) working_directory: Option<PathBuf>,
}

/// The session to go on with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    Task(TaskId),
    Session(String),
}

impl WaitCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_wait", given, &["taskIds", "until", "timeoutMs"])?;
        let ids = task_ids(&mut arguments, MOST_TASKS)?;
        let find = |word: &str| match word {
            "all" => Some(Until::All),
            "any" => Some(Until::Any),
            _ => None,
        };
        let until = arguments.word("until", &["all", "any"], find)?.unwrap_or(Until::All);
        let patience = match arguments.whole("timeoutMs", 0)? {
            None | Some(Whole::Small(0) | Whole::Huge(_)) => None,
            Some(Whole::Small(millis)) => Some(Duration::from_millis(millis)),
        };
        Ok(Self { ids, until, patience, problem_events: vec![] })
    }
}

impl ResultCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_result", given, &["taskId", "offset", "length"])?;
        let id = task_id(&mut arguments)?;
        let offset = match arguments.whole("offset", 0)? {
            None => 0,
            Some(Whole::Small(offset)) => offset,
            Some(Whole::Huge(_)) => u64::MAX,
        };
        let mut problem_events = vec![];
        let length = match arguments.whole("length", 1)? {
            None => BYTES,
            Some(Whole::Small(length)) if length <= MOST_BYTES => length,
            Some(Whole::Small(_) | Whole::Huge(_)) => {
                problem_events.push(present::arguments::taken_as_most("length", MOST_BYTES));
                MOST_BYTES
            }
        };
        // Room for one character at least, or there would be no getting on.
        Ok(Self { id, offset, length: length.max(4), problem_events })
    }
}

impl SessionsCall {
    pub(crate) fn read(given: Given) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_sessions", given, &["limit"])?;
        let mut problem_events = vec![];
        let limit = at_most(&mut arguments, "limit", 20, 1_000, &mut problem_events)?;
        Ok(Self { limit, problem_events })
    }
}

impl ResumeCall {
    pub(crate) fn read(mut given: Given) -> Result<Self, Refused> {
        const KNOWN: [&str; 8] =
            ["taskId", "sessionId", "task", "workingDirectory", "sandbox", "model", "async", "timeoutMs"];
        let tool = "codex_resume";
        let mut which = Given::new();
        for name in ["taskId", "sessionId"] {
            which.extend(given.shift_remove_entry(name));
        }
        // What is left is read together with the directory, which is not required here.
        let mut arguments = Arguments::new(tool, which, &KNOWN)?;
        let session = arguments.text("sessionId")?;
        let which = match (arguments.text("taskId")?, session) {
            (Some(_), Some(_)) => {
                return Err(present::arguments::task_and_session());
            }
            (Some(id), None) => Which::Task(known_id(&id)?),
            (None, Some(session)) => Which::Session(session.trim().to_owned()),
            (None, None) => {
                return Err(present::arguments::neither_task_nor_session());
            }
        };
        let (call, working_directory) = AgentCall::read_for(tool, &KNOWN, given)?;
        Ok(Self { which, call, working_directory })
    }
}
