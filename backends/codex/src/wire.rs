//! The event stream of `codex exec --json`, one JSON object a line, as seen from 0.44.0 to 0.169.0.
//!
//! Reading is lenient: fields that are missing or null have a neutral value, and what is not known is left to the
//! caller. Keys may come twice in an object (`id` in a `web_search` of 0.105 and later), which serde refuses for a
//! struct; so a line becomes a [`Value`] first, in which the last one stands. The most frequent items do without: see
//! [`frequent`](crate::frequent).

use std::borrow::Cow;

use connector_api::Usage;
use serde::{Deserialize, Deserializer, de::DeserializeOwned};
use serde_json::{Map, Value};

/// The part of an item's life that an event reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemPhase {
    Started,
    Updated,
    Completed,
}

impl ItemPhase {
    /// The phase that an event of this type reports.
    pub(crate) fn of(event_type: &str) -> Option<Self> {
        [Self::Started, Self::Updated, Self::Completed].into_iter().find(|phase| phase.event_type() == event_type)
    }

    /// The type of an event that reports this phase.
    pub(crate) fn event_type(self) -> &'static str {
        match self {
            Self::Started => "item.started",
            Self::Updated => "item.updated",
            Self::Completed => "item.completed",
        }
    }
}

/// One line of the stream.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) enum Event {
    /// Always the first.
    #[serde(rename = "thread.started")]
    ThreadStarted {
        /// By which the session can be resumed.
        thread_id: String,
    },
    #[serde(rename = "turn.started")]
    TurnStarted {},
    #[serde(rename = "turn.completed")]
    TurnCompleted {
        #[serde(default)]
        usage: Value,
    },
    #[serde(rename = "turn.failed")]
    TurnFailed {
        #[serde(default)]
        error: Value,
    },
    #[serde(rename = "item.started")]
    ItemStarted { item: Value },
    #[serde(rename = "item.updated")]
    ItemUpdated { item: Value },
    #[serde(rename = "item.completed")]
    ItemCompleted { item: Value },
    /// A notice. Fatal only when `turn.failed` follows.
    #[serde(rename = "error")]
    Error {
        #[serde(default, deserialize_with = "or_default")]
        message: String,
    },
}

/// What an item event is about.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ThreadItem<'a> {
    AgentMessage {
        text: Cow<'a, str>,
    },
    Reasoning {
        text: Cow<'a, str>,
    },
    CommandExecution {
        id: Cow<'a, str>,
        command: Cow<'a, str>,
        #[serde(default, deserialize_with = "or_default")]
        aggregated_output: Cow<'a, str>,
        exit_code: Option<i64>,
        #[serde(default, deserialize_with = "or_default")]
        status: Cow<'a, str>,
    },
    FileChange {
        changes: Vec<ItemFileChange>,
        #[serde(default, deserialize_with = "or_default")]
        status: String,
    },
    /// Without `error` in 0.47.0, where only the status tells of a failure.
    McpToolCall {
        server: String,
        tool: String,
        #[serde(default)]
        error: Value,
        #[serde(default, deserialize_with = "or_default")]
        status: String,
    },
    TodoList {
        items: Vec<Todo>,
    },
    /// A warning.
    Error {
        message: String,
    },
}

/// One file of a file change.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct ItemFileChange {
    pub(crate) path: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) kind: String,
}

/// One entry of a todo list.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Todo {
    pub(crate) text: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) completed: bool,
}

/// Tokens, in a turn that is complete. Older versions leave some out.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    reasoning_output_tokens: u64,
}

/// An [`Event`] or an [`ThreadItem`], which says in its `type` what it is; `None` for one that is not known.
///
/// Not by serde's `tag`, which copies everything it reads twice, and so makes a large event slow.
pub(crate) fn tagged<T: DeserializeOwned>(value: Value) -> Option<T> {
    let kind = value["type"].as_str()?.to_owned();
    serde_json::from_value(Value::Object(Map::from_iter([(kind, value)]))).ok()
}

/// The tokens in a `usage`, none where it cannot be read.
pub(crate) fn usage(usage: Value) -> Option<Usage> {
    let tokens: Tokens = serde_json::from_value(usage).ok()?;
    Some(Usage {
        input_tokens: tokens.input_tokens,
        cached_input_tokens: tokens.cached_input_tokens,
        output_tokens: tokens.output_tokens,
        reasoning_output_tokens: tokens.reasoning_output_tokens,
    })
}

/// The message in an `error`: an object with a `message`, or whatever else it is.
pub(crate) fn message_in(error: &Value) -> Option<String> {
    match error {
        Value::Null => None,
        Value::String(message) => Some(message.clone()),
        _ => Some(error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned)),
    }
}

/// A provider's own message, taken out of the JSON that it sent and that Codex passes on as it came.
///
/// `unexpected status 400 Bad Request: {"error":{"message":"no"}}` becomes `unexpected status 400 Bad Request: no`.
pub(crate) fn without_json(message: &str) -> String {
    let inner = |start: usize| {
        let body: Value = serde_json::from_str(&message[start..]).ok()?;
        let candidates = [&body["error"]["message"], &body["detail"], &body["message"], &body["error"]];
        let said = candidates.into_iter().filter_map(Value::as_str).find(|said| !said.trim().is_empty());
        said.map(|said| format!("{}{said}", &message[..start]))
    };
    message.find('{').and_then(inner).unwrap_or_else(|| message.to_owned())
}

/// Null is a neutral value too.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(field: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(field)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_and_missing_fields_are_neutral() {
        let item = json!({"type": "command_execution", "id": "i", "command": "c", "aggregated_output": null});
        let read: ThreadItem<'_> = tagged(item).expect("what matters is there");
        let ThreadItem::CommandExecution { aggregated_output, exit_code, .. } = read else { panic!("another item") };
        assert_eq!((&*aggregated_output, exit_code), ("", None));
        assert_eq!(tagged(json!({"type": "error"})), Some(Event::Error { message: "".into() }));
    }

    #[test]
    fn a_providers_message_is_extracted_from_its_json() {
        let body = r#"{"error": {"message": "no", "type": "t", "code": null}}"#;
        assert_eq!(without_json(body), "no");
        assert_eq!(without_json(&format!("status 400: {body}")), "status 400: no");
        assert_eq!(without_json(r#"{"detail":"not supported"}"#), "not supported");
        for plain in ["no", "a {b} c", "{", "{\"x\":1}", "{\"detail\":\" \"}", ""] {
            assert_eq!(without_json(plain), plain);
        }
    }

    #[test]
    fn an_error_is_read_in_any_shape() {
        assert_eq!(message_in(&json!({"message": "no"})).as_deref(), Some("no"));
        assert_eq!(message_in(&json!("no")).as_deref(), Some("no"));
        assert_eq!(message_in(&json!({"code": 1})).as_deref(), Some("{\"code\":1}"));
        assert_eq!(message_in(&Value::Null), None);
    }

    #[test]
    fn usage_of_any_version_is_read() {
        let old = usage(json!({"input_tokens": 1, "cached_input_tokens": 2, "output_tokens": 3})).expect("0.47");
        assert_eq!((old.input_tokens, old.cached_input_tokens, old.output_tokens), (1, 2, 3));
        assert_eq!(usage(json!({"input_tokens": 1, "cache_write_input_tokens": 9})).map(|u| u.input_tokens), Some(1));
        assert_eq!(usage(Value::Null), None);
    }
}
