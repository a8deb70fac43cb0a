//! Properties of the reading of arguments, whatever a client sends. See the module `fuzzing`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    AgentCall, RawArguments, ResultCall, ResumeCall, SessionsCall, StatusCall, TasksCall, WaitCall, cancel_call,
};
use crate::{
    broker::TimeLimit,
    present::{Refused, plain},
    task::{Message, TaskId},
};

/// No refusal has as many characters: the words of the caller in it are cut.
const MAX_REFUSAL_CHARACTERS: usize = 700;

/// Every parameter there is.
const PARAMETERS: [&str; 14] = [
    "task",
    "workingDirectory",
    "sandbox",
    "model",
    "async",
    "timeoutMs",
    "taskId",
    "tailLines",
    "status",
    "taskIds",
    "until",
    "sessionId",
    "offset",
    "length",
];

/// One JSON value: the arguments of a call, or the value of each argument in turn.
///
/// Each tool takes it or refuses it; what it takes is within bounds, and a refusal says in two lines of a bounded
/// length what is wrong and what to do.
pub fn tool_arguments(input: &[u8]) {
    match serde_json::from_slice(input) {
        Ok(Value::Object(raw)) => every_tool(&raw),
        Ok(value) => PARAMETERS.iter().chain(&["limit"]).for_each(|name| with_one(name, &value)),
        Err(_) => {}
    }
}

/// Calls that are right, or nearly, but for one argument.
fn with_one(name: &str, value: &Value) {
    let right = |name: &str| (name.to_owned(), Value::from("0123abcd"));
    for others in [&[][..], &["task", "workingDirectory"], &["taskId"]] {
        let mut raw: RawArguments = others.iter().map(|name| right(name)).collect();
        raw.insert(name.to_owned(), value.clone());
        every_tool(&raw);
    }
}

fn every_tool(raw: &Map<String, Value>) {
    read_extra_tools(raw).into_iter().for_each(|read| drop(bounded(read)));
    if let Some(call) = bounded(AgentCall::read(raw.clone())) {
        assert!(!call.task.prompt.trim().is_empty(), "a task without words");
        assert_eq!(raw.get("task").and_then(Value::as_str), Some(call.task.prompt.as_str()), "another task");
        assert!(!call.task.working_directory.as_os_str().is_empty(), "a directory without a name");
        assert!(call.task.model.is_none_or(|model| !model.trim().is_empty()), "a model without a name");
        if let TimeLimit::After(limit) = call.task.time_limit {
            let is_bounded = limit > Duration::ZERO && limit < Duration::from_secs(11 * 365 * 24 * 3600);
            assert!(is_bounded, "a limit of {limit:?}");
        }
        check_remarks(&call.remarks);
    }
    if let Some(call) = bounded(StatusCall::read(raw.clone())) {
        assert!((1..=10_000).contains(&call.tail_lines), "{} lines", call.tail_lines);
        check_remarks(&call.remarks);
    }
    if let Some(call) = bounded(TasksCall::read(raw.clone())) {
        assert!((1..=1_000).contains(&call.limit), "{} tasks", call.limit);
        check_remarks(&call.remarks);
    }
    bounded(cancel_call(raw.clone()));
}

fn bounded<T>(read: Result<T, Refused>) -> Option<T> {
    let message = match read {
        Ok(call) => return Some(call),
        Err(refused) => refused.markdown(),
    };
    assert!(message.chars().count() < MAX_REFUSAL_CHARACTERS, "{} characters", message.chars().count());
    let lines: Vec<_> = message.split('\n').collect();
    assert!(lines.len() == 2 && lines[1].starts_with("next: "), "{message:?}");
    assert!(!lines.iter().any(|line| line.chars().any(char::is_control)), "{message:?}");
    None
}

fn check_remarks(remarks: &[Message]) {
    assert!(remarks.len() <= 1 && remarks.iter().all(|remark| plain(remark).len() < 200), "{remarks:?}");
}

/// Reads the arguments of each tool beyond the four.
fn read_extra_tools(raw: &RawArguments) -> Vec<Result<Option<TaskId>, Refused>> {
    vec![
        WaitCall::read(raw.clone()).map(|call| call.ids.into_iter().next()),
        ResultCall::read(raw.clone()).map(|call| Some(call.id)),
        SessionsCall::read(raw.clone()).map(|_| None),
        ResumeCall::read(raw.clone()).map(|_| None),
    ]
}
