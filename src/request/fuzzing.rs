//! Properties that parsed arguments have for any input of a client. See the module `fuzzing`.

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

/// Every refusal is shorter than this, in characters, because the caller's words in it are cut.
const MAX_REFUSAL_CHARACTERS: usize = 700;

/// The parameters of all tools.
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

/// Reads the input as one JSON value: either an object with the arguments of a call, or a value for each argument in
/// turn.
///
/// Each tool must accept or refuse it. Accepted values are within bounds. A refusal has two lines of bounded length:
/// the problem and the next step.
pub fn tool_arguments(input: &[u8]) {
    match serde_json::from_slice(input) {
        Ok(Value::Object(raw)) => every_tool(&raw),
        Ok(value) => PARAMETERS.iter().chain(&["limit"]).for_each(|name| with_one(name, &value)),
        Err(_) => {}
    }
}

/// Tries calls in which at most this argument is unusual.
fn with_one(name: &str, value: &Value) {
    let valid = |name: &str| (name.to_owned(), Value::from("0123abcd"));
    for others in [&[][..], &["task", "workingDirectory"], &["taskId"]] {
        let mut raw: RawArguments = others.iter().map(|name| valid(name)).collect();
        raw.insert(name.to_owned(), value.clone());
        every_tool(&raw);
    }
}

fn every_tool(raw: &Map<String, Value>) {
    read_extra_tools(raw).into_iter().for_each(|read| drop(bounded(read)));
    if let Some(call) = bounded(AgentCall::read(raw.clone())) {
        assert!(!call.task.prompt.trim().is_empty(), "the task is blank");
        assert_eq!(raw.get("task").and_then(Value::as_str), Some(call.task.prompt.as_str()), "the task was changed");
        assert!(!call.task.working_directory.as_os_str().is_empty(), "the directory is empty");
        assert!(call.task.model.is_none_or(|model| !model.trim().is_empty()), "the model is blank");
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

/// Reads the arguments as those of each optional tool.
fn read_extra_tools(raw: &RawArguments) -> Vec<Result<Option<TaskId>, Refused>> {
    vec![
        WaitCall::read(raw.clone()).map(|call| call.ids.into_iter().next()),
        ResultCall::read(raw.clone()).map(|call| Some(call.id)),
        SessionsCall::read(raw.clone()).map(|_| None),
        ResumeCall::read(raw.clone()).map(|_| None),
    ]
}
