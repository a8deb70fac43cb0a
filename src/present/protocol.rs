//! Messages of protocol errors, one line each.

use super::{Refused, message::plain, prompts::PROMPTS};
use crate::task::{Message, MessagePart, TaskId, message};

/// A call of a tool that does not exist.
pub(crate) fn no_such_tool<'a>(name: &str, available: impl Iterator<Item = &'a str>) -> String {
    let available = available.collect::<Vec<_>>();
    plain(&message![
        "unknown tool ",
        MessagePart::quoted(name),
        MessagePart::trusted(format!("; available: `{}`", available.join("`, `")))
    ])
}

/// A call of a tool that is not enabled. `word` is its name in the configuration.
pub(crate) fn tool_is_off(name: &'static str, word: &'static str) -> String {
    format!(
        "tool `{name}` is not enabled; next: add \"{word}\" to `extra` in the section [tools] of config.toml, and restart the server"
    )
}

/// Added to the error for a request that comes before `initialize` and lacks the metadata that can replace it.
pub(crate) const INITIALIZE_HINT: &str = "; next: send them, or first send `initialize` with `protocolVersion`, `capabilities` \
                                        and `clientInfo` in its `params`";

/// A request with the ID of another one.
pub(crate) const ID_IN_USE: &str =
    "another request with this ID is not answered yet; next: give each request its own ID";

/// The message is not JSON.
pub(crate) const NOT_JSON: &str = "not JSON";

/// Invalid parameters of `tools/call`.
pub(crate) const INVALID_TOOL_CALL: &str = "tools/call requires a `name`, and `arguments` must be an object";

/// The cursor of a list is invalid.
pub(crate) const INVALID_CURSOR: &str = "invalid cursor; next: list again without a cursor";

/// The rest of a list cannot be shown yet.
pub(crate) const PARTIAL_LIST: &str = "older tasks are still being added to index.sqlite; next: list again in a minute";

/// A subscription to a resource that does not exist.
pub(crate) const CANNOT_SUBSCRIBE: &str = "no such resource, or it cannot be subscribed to";

/// The server has the maximum number of sessions.
pub(crate) const TOO_MANY_SESSIONS: &str = "too many sessions; next: end one, or try again later";

/// Part of the JSON cannot be represented.
pub(crate) const INCOMPLETE: &str = "NaN, a number out of range, or too many levels of nesting";

/// The body of an HTTP request does not contain exactly one message.
pub(crate) const EXPECTED_ONE_MESSAGE: &str = "the body must contain exactly one message";

/// The message is too long; `max` is in bytes.
pub(crate) fn too_long(max: usize) -> String {
    format!("longer than {max} bytes")
}

/// A message that is not JSON.
pub(crate) fn unreadable(problem: &str) -> String {
    plain(&message!["Parse error: ", problem.to_owned(), "; next: send the request again as valid JSON"])
}

/// JSON that is not a request.
pub(crate) const INVALID_REQUEST: &str =
    "Invalid request; next: send a JSON-RPC 2.0 request, with `jsonrpc`, `id`, `method`, and `params` as an object";

/// A batch of requests.
pub(crate) const BATCHES_NOT_SUPPORTED: &str =
    "Invalid request: MCP has no batches; next: send each request as a separate message";

/// The client has the maximum number of subscriptions.
pub(crate) fn too_many_subscriptions(max: usize) -> String {
    format!("too many subscriptions; the maximum is {max}")
}

/// A prompt that does not exist.
pub(crate) fn no_such_prompt() -> String {
    format!("unknown prompt; next: use one of {}", PROMPTS.map(|(name, ..)| name).join(", "))
}

/// An argument that the prompt does not have.
pub(crate) fn no_such_argument(prompt: &str, name: &str, only: &str) -> String {
    plain(&message![
        MessagePart::trusted(format!("`{prompt}` has no argument ")),
        MessagePart::quoted(name),
        MessagePart::trusted(format!("; write everything into `{only}`, with options such as --model X"))
    ])
}

/// An argument of a prompt that is not a string.
pub(crate) fn takes_a_string(argument: &str) -> String {
    format!("`{argument}` must be a string")
}

/// A required argument of a prompt is missing.
pub(crate) fn needs_argument(prompt: &str, argument: &str) -> String {
    format!("`{prompt}` requires the argument `{argument}`; next: repeat the request with `{argument}`")
}

/// The task does not have this part.
pub(crate) fn no_such_part(id: &TaskId, part: &str) -> String {
    let next = match part {
        "events" => "set `tasks.keep_events` to true in config.toml to keep the events of later tasks".to_owned(),
        _ => format!("read `task://{id}` for the state of the task"),
    };
    format!("task {id} has no {part}; next: {next}")
}

/// The URI of a resource is invalid.
pub(crate) fn bad_uri(why: Message) -> String {
    let forms = "use `task://ID`, optionally followed by `/log`, `/result`, `/events` or `/diagnostics`; all but the last accept \
                 `?offset=BYTES&length=BYTES`, and the log also accepts `?tail=LINES`";
    Refused::new(why, forms).in_one_line()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_part_or_argument_is_answered_with_the_next_step() {
        let id = TaskId::parse("1a2b3c4d").expect("a valid ID");
        assert!(no_such_part(&id, "events").contains("; next: set `tasks.keep_events` to true"));
        assert!(no_such_part(&id, "result").ends_with("; next: read `task://1a2b3c4d` for the state of the task"));
        assert!(needs_argument("delegate", "task").ends_with("; next: repeat the request with `task`"));
    }
}
