//! The parameters of the optional tools as typed values.

use std::{path::PathBuf, time::Duration};

use super::{
    RawArguments,
    arguments::{Arguments, WholeNumber},
    four::{AgentCall, MAX_TIME_LIMIT, clamped, parse_task_id, task_id, task_ids},
};
use crate::{
    present::{self, Refused},
    task::{Message, TaskId},
};

/// Maximum number of tasks in one call.
const MAX_TASKS: usize = 50;

/// Maximum number of bytes of a result in one answer.
const MAX_BYTES: u64 = 200_000;

/// Default number of bytes of a result in one answer.
const DEFAULT_BYTES: u64 = 40_000;

/// `codex_wait`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WaitCall {
    /// At least one.
    pub(crate) ids: Vec<TaskId>,
    pub(crate) until: WaitUntil,
    pub(crate) time_limit: Option<Duration>,
    pub(crate) remarks: Vec<Message>,
}

/// When a wait ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WaitUntil {
    All,
    Any,
}

/// `codex_result`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ResultCall {
    pub(crate) id: TaskId,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) remarks: Vec<Message>,
}

/// `codex_sessions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SessionsCall {
    pub(crate) limit: usize,
    pub(crate) remarks: Vec<Message>,
}

/// `codex_resume`.
#[derive(Debug, Clone)]
pub(crate) struct ResumeCall {
    pub(crate) target: ResumeTarget,
    /// The other arguments. The directory in it is empty.
    pub(crate) call: AgentCall,
    pub(crate) working_directory: Option<PathBuf>,
}

/// The session to resume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ResumeTarget {
    Task(TaskId),
    Session(String),
}

impl WaitCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_wait", raw, &["taskIds", "until", "timeoutMs"])?;
        let ids = task_ids(&mut arguments, MAX_TASKS)?;
        let find = |word: &str| match word {
            "all" => Some(WaitUntil::All),
            "any" => Some(WaitUntil::Any),
            _ => None,
        };
        let until = arguments.word("until", &["all", "any"], find)?.unwrap_or(WaitUntil::All);
        let mut remarks = vec![];
        let time_limit = match arguments.whole_number("timeoutMs", 0)? {
            None | Some(WholeNumber::Small(0)) => None,
            Some(WholeNumber::Small(millis)) if Duration::from_millis(millis) <= MAX_TIME_LIMIT => {
                Some(Duration::from_millis(millis))
            }
            Some(WholeNumber::Small(_) | WholeNumber::Huge(_)) => {
                remarks.push(present::arguments::waits_without_limit());
                None
            }
        };
        Ok(Self { ids, until, time_limit, remarks })
    }
}

impl ResultCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_result", raw, &["taskId", "offset", "length"])?;
        let id = task_id(&mut arguments)?;
        let offset = match arguments.whole_number("offset", 0)? {
            None => 0,
            Some(WholeNumber::Small(offset)) => offset,
            Some(WholeNumber::Huge(_)) => u64::MAX,
        };
        let mut remarks = vec![];
        let length = match arguments.whole_number("length", 1)? {
            None => DEFAULT_BYTES,
            Some(WholeNumber::Small(length)) if length <= MAX_BYTES => length,
            Some(WholeNumber::Small(_) | WholeNumber::Huge(_)) => {
                remarks.push(present::arguments::clamped_to("length", MAX_BYTES));
                MAX_BYTES
            }
        };
        // Every piece must hold at least one character, or the caller would never advance.
        Ok(Self { id, offset, length: length.max(4), remarks })
    }
}

impl SessionsCall {
    pub(crate) fn read(raw: RawArguments) -> Result<Self, Refused> {
        let mut arguments = Arguments::new("codex_sessions", raw, &["limit"])?;
        let mut remarks = vec![];
        let limit = clamped(&mut arguments, "limit", 20, 1_000, &mut remarks)?;
        Ok(Self { limit, remarks })
    }
}

impl ResumeCall {
    pub(crate) fn read(mut raw: RawArguments) -> Result<Self, Refused> {
        const KNOWN: [&str; 8] =
            ["taskId", "sessionId", "task", "workingDirectory", "sandbox", "model", "async", "timeoutMs"];
        let tool = "codex_resume";
        let mut target = RawArguments::new();
        for name in ["taskId", "sessionId"] {
            target.extend(raw.shift_remove_entry(name));
        }
        // The remaining arguments are those of `codex_agent`, except that the directory is optional.
        let mut arguments = Arguments::new(tool, target, &KNOWN)?;
        let session = arguments.text("sessionId")?;
        let target = match (arguments.text("taskId")?, session) {
            (Some(_), Some(_)) => {
                return Err(present::arguments::task_and_session());
            }
            (Some(id), None) => ResumeTarget::Task(parse_task_id(&id)?),
            (None, Some(session)) => ResumeTarget::Session(session.trim().to_owned()),
            (None, None) => {
                return Err(present::arguments::neither_task_nor_session());
            }
        };
        let (call, working_directory) = AgentCall::read_for(tool, &KNOWN, raw)?;
        Ok(Self { target, call, working_directory })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wait_of_more_than_ten_years_has_no_limit_and_says_so() {
        for (millis, limit, remarks) in
            [(json!(0), None, 0), (json!(1_500), Some(1_500), 0), (json!(1e15), None, 1), (json!(1e300), None, 1)]
        {
            let raw = json!({"taskIds": ["1a2b3c4d"], "timeoutMs": millis});
            let raw: RawArguments = serde_json::from_value(raw).expect("an object");
            let call = WaitCall::read(raw).expect("the arguments are valid");
            assert_eq!((call.time_limit, call.remarks.len()), (limit.map(Duration::from_millis), remarks), "{millis}");
        }
    }
}
