//! Refusals of a tool call's arguments, and remarks about arguments whose values were adjusted.

use serde_json::Value;

use super::Refused;
use crate::task::{Message, MessagePart, message};

/// The tool has no parameter called `name`.
pub(crate) fn unknown(tool: &'static str, name: &str, known: &[&str]) -> Refused {
    Refused::new(
        message!["`", tool, "` has no parameter ", MessagePart::quoted(name)],
        Message::trusted(format!("call `{tool}` again with only these parameters: `{}`", known.join("`, `"))),
    )
}

/// A required parameter is missing; `expected` describes its value.
pub(crate) fn missing(tool: &str, name: &str, expected: &str) -> Refused {
    retry_with(
        tool,
        message!["`", MessagePart::trusted(name.to_owned()), "` is missing"],
        &format!("with `{name}` ({expected})"),
    )
}

/// A string is blank.
pub(crate) fn empty(tool: &str, name: &str) -> Refused {
    retry_with(
        tool,
        Message::trusted(format!("`{name}` must not be empty")),
        &format!("with a `{name}` that is not blank"),
    )
}

/// A list is empty, too long, or has items of the wrong type.
pub(crate) fn invalid_list(tool: &str, name: &str, expected: &str) -> Refused {
    corrected(tool, Message::trusted(format!("`{name}` must be {expected}")))
}

/// The value `word` is not one of `allowed`.
pub(crate) fn invalid_choice(tool: &str, name: &str, word: &str, allowed: &str) -> Refused {
    let problem = message![MessagePart::quoted(word), MessagePart::trusted(format!(" is not a valid `{name}`"))];
    retry_with(tool, problem, &format!("with `{name}` set to one of {allowed}"))
}

/// A value has the wrong type.
pub(crate) fn wrong_type(tool: &str, name: &str, value: &Value, expected: &str) -> Refused {
    let found = match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    corrected(tool, Message::trusted(format!("`{name}` must be {expected}, got {found}")))
}

/// A value has the right type, but is not allowed.
pub(crate) fn wrong_value(tool: &str, name: &str, value: &Value, expected: &str) -> Refused {
    corrected(tool, message![MessagePart::trusted(format!("`{name}` must be {expected}, got ")), value.to_string()])
}

/// The call names both a task and a session to resume.
pub(crate) fn task_and_session() -> Refused {
    Refused::new("`taskId` and `sessionId` cannot be combined", "call `codex_resume` again with only one of them")
}

/// The call names neither a task nor a session to resume.
pub(crate) fn neither_task_nor_session() -> Refused {
    Refused::new(
        "`taskId` or `sessionId` is required",
        "call `codex_resume` again with the `taskId` of the task to resume, or with a `sessionId`",
    )
}

/// The call asks to redo only some files.
pub(crate) fn redo_takes_no_selection() -> Refused {
    Refused::new(
        "`redo` cannot be combined with `paths` or `all`, because it makes all changes again that the undo reverted",
        "call `codex_undo` again with only `taskId` and `redo`",
    )
}

/// A number was too large and was replaced by the maximum.
pub(crate) fn clamped_to(name: &str, max: u64) -> Message {
    Message::trusted(format!("`{name}` was reduced to {max}, the maximum"))
}

/// A time limit was too long and was ignored.
pub(crate) fn treated_as_no_timeout() -> Message {
    "`timeoutMs` is more than ten years, so the task has no time limit".into()
}

/// The time limit of a wait was too long and was ignored.
pub(crate) fn waits_without_limit() -> Message {
    "`timeoutMs` is more than ten years, so the wait has no time limit".into()
}

/// The next step when the problem itself says which values are valid.
fn corrected(tool: &str, problem: Message) -> Refused {
    Refused::new(problem, Message::trusted(format!("correct it, and call `{tool}` again")))
}

fn retry_with(tool: &str, problem: Message, with: &str) -> Refused {
    Refused::new(problem, Message::trusted(format!("call `{tool}` again {with}")))
}
