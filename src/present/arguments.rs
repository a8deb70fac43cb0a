//! Refusals of the arguments of a tool call, and remarks about arguments that were not taken as they came.

use serde_json::Value;

use super::Refused;
use crate::task::{Message, MessagePart, message};

/// A parameter that the tool does not have.
pub(crate) fn unknown(tool: &'static str, name: &str, known: &[&str]) -> Refused {
    Refused::new(
        message!["`", tool, "` has no parameter ", MessagePart::quoted(name)],
        Message::trusted(format!("call `{tool}` again with none but these: `{}`", known.join("`, `"))),
    )
}

/// A parameter that is missing; `expected` is its value.
pub(crate) fn missing(tool: &str, name: &str, expected: &str) -> Refused {
    retry_with(
        tool,
        message!["`", MessagePart::trusted(name.to_owned()), "` is missing"],
        &format!("with `{name}`, {expected}"),
    )
}

/// A text that is blank.
pub(crate) fn empty(tool: &str, name: &str) -> Refused {
    invalid(tool, format!("`{name}` is empty"), &format!("with a `{name}` that says something"))
}

/// A list that is too long, empty, or of other things.
pub(crate) fn invalid_list(tool: &str, name: &str, expected: &str) -> Refused {
    invalid(tool, format!("`{name}` is another list"), &format!("with {expected} as `{name}`"))
}

/// A word that is not one of those that are allowed.
pub(crate) fn invalid_choice(tool: &str, name: &str, word: &str, allowed: &str) -> Refused {
    let problem = message![
        MessagePart::trusted(format!("`{name}` is ")),
        MessagePart::quoted(word),
        ", which is none of its values"
    ];
    retry_with(tool, problem, &format!("with one of these as `{name}`: {allowed}"))
}

/// A value of another type.
pub(crate) fn wrong_type(tool: &str, name: &str, value: &Value, expected: &str) -> Refused {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    invalid(tool, format!("`{name}` is {found}"), &format!("with {expected} as `{name}`"))
}

/// A value of the right type that is not allowed.
pub(crate) fn wrong_value(tool: &str, name: &str, value: &Value, expected: &str) -> Refused {
    let problem = message![MessagePart::trusted(format!("`{name}` is ")), value.to_string()];
    retry_with(tool, problem, &format!("with {expected} as `{name}`"))
}

/// Two names for what is to be resumed.
pub(crate) fn task_and_session() -> Refused {
    Refused::new("`taskId` and `sessionId` are both there", "call `codex_resume` again with one of them")
}

/// No name of what is to be resumed.
pub(crate) fn neither_task_nor_session() -> Refused {
    Refused::new(
        "`taskId` is missing",
        "call `codex_resume` again with the `taskId` of the task to go on with, or a `sessionId`",
    )
}

/// A number that was too large was taken as the largest.
pub(crate) fn clamped_to(name: &str, max: u64) -> Message {
    Message::trusted(format!("`{name}` was taken as {max}, the most there is"))
}

/// A time limit that was too long was taken as none.
pub(crate) fn treated_as_no_timeout() -> Message {
    "`timeoutMs` is more than ten years and was taken as no timeout".into()
}

fn invalid(tool: &str, problem: String, with: &str) -> Refused {
    retry_with(tool, Message::trusted(problem), with)
}

fn retry_with(tool: &str, problem: Message, with: &str) -> Refused {
    Refused::new(problem, Message::trusted(format!("call `{tool}` again {with}")))
}
