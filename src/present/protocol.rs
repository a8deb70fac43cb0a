//! Words of protocol errors: in one line each.

use super::{
    Refused,
    message::plain,
    prompts::{Argument, PROMPTS},
};
use crate::task::{Message, MessagePart, TaskId, message};

/// A call of a tool that does not exist.
pub(crate) const NO_SUCH_TOOL: &str = "tool not found; next: list the tools with `tools/list`";

/// A call of a tool that is not switched on. `word` is its name in the configuration.
pub(crate) fn tool_is_off(name: &'static str, word: &'static str) -> String {
    format!(
        "tool `{name}` is off; next: add \"{word}\" to `extra` in the section [tools] of config.toml, and restart the server"
    )
}

/// A request before `initialize` without the metadata that stands for it: the rest of an error that says so.
pub(crate) const INITIALIZE_HINT: &str = "; next: send them, or first send `initialize` with `protocolVersion`, `capabilities` \
                                        and `clientInfo` in its `params`";

/// A request with the ID of another one.
pub(crate) const ID_IN_USE: &str =
    "another request with this ID has no answer yet; next: give each request an ID of its own";

/// The problem of an object that is not JSON.
pub(crate) const NOT_JSON: &str = "it is not JSON";

/// Something else than a call of a tool.
pub(crate) const INVALID_TOOL_CALL: &str = "tools/call takes a `name`, and `arguments` that are an object";

/// A page of a list that does not exist.
pub(crate) const INVALID_CURSOR: &str = "this is no cursor of this list; next: list without one";

/// A resource to subscribe to that does not exist.
pub(crate) const CANNOT_SUBSCRIBE: &str = "there is no such resource to subscribe to";

/// More sessions than a server holds.
pub(crate) const TOO_MANY_SESSIONS: &str =
    "there are as many sessions as this server holds; next: end one, or try again later";

/// The problem of JSON that cannot be read whole.
pub(crate) const INCOMPLETE: &str = "it has NaN, a number out of range, or too many levels of nesting";

/// The problem of a body with several messages.
pub(crate) const EXPECTED_ONE_MESSAGE: &str = "a body holds one message";

/// The problem of a message that is too long.
pub(crate) fn too_long(max: usize) -> String {
    format!("it is longer than {max} bytes")
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
    "Invalid request: MCP has no batches; next: send each request as a message of its own";

/// More subscriptions than are possible.
pub(crate) fn too_many_subscriptions(max: usize) -> String {
    format!("{max} subscriptions are the most")
}

/// A prompt that does not exist.
pub(crate) fn no_such_prompt() -> String {
    format!("there is no such prompt; next: use one of {}", PROMPTS.map(|(name, ..)| name).join(", "))
}

/// An argument that the prompt does not have.
pub(crate) fn no_such_argument(prompt: &str, name: &str, known: &[Argument]) -> String {
    let names = known.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", ");
    plain(&message![
        MessagePart::trusted(format!("`{prompt}` has no argument ")),
        MessagePart::quoted(name),
        MessagePart::trusted(format!("; it takes {names}"))
    ])
}

/// An argument of a prompt that is not a string.
pub(crate) fn takes_a_string(argument: &str) -> String {
    format!("`{argument}` takes a string")
}

/// An argument of a prompt that is missing.
pub(crate) fn needs_argument(prompt: &str, argument: &str) -> String {
    format!("`{prompt}` needs the argument `{argument}`")
}

/// A part of a task that does not exist.
pub(crate) fn no_such_part(id: &TaskId, part: &str) -> String {
    format!("task {id} has no {part}")
}

/// The name of a resource that names nothing.
pub(crate) fn bad_uri(why: Message) -> String {
    let forms = "use `task://ID`, or with `/log`, `/result`, `/events` or `/diagnostics` after it, and after any but the last \
                 `?offset=BYTES&length=BYTES`, or after the log `?tail=LINES`";
    Refused::new(why, forms).in_one_line()
}
