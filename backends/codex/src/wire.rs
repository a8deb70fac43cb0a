//! The event stream of `codex exec --json`, one JSON object per line, as observed in 0.44.0 to 0.169.0.
//!
//! Reading is lenient: a missing or null field gets a neutral value, and unknown events are left to the caller. An
//! object may contain a key twice (such as `id` in a `web_search` since 0.105). serde rejects that for a struct, so
//! a line becomes a [`Value`] first, in which the last one wins. The most frequent items need no `Value`: see
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
    /// Always the first event.
    #[serde(rename = "thread.started")]
    ThreadStarted {
        /// The ID with which the session can be resumed.
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
    /// A notice. It is fatal only if `turn.failed` follows.
    #[serde(rename = "error")]
    Error {
        #[serde(default, deserialize_with = "or_default")]
        message: String,
    },
}

/// The item of an item event.
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
    /// 0.47.0 has no `error`; only the status shows a failure.
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

/// One entry of a to-do list.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Todo {
    pub(crate) text: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) completed: bool,
}

/// The tokens of a completed turn. Older versions omit some fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Tokens {
    input_tokens: u64,
    cached_input_tokens: u64,
    output_tokens: u64,
    reasoning_output_tokens: u64,
}

/// Reads an [`Event`] or a [`ThreadItem`], according to its `type`. `None` if the type is unknown.
///
/// This does not use serde's `tag`, which copies all data twice and is slow for large events.
pub(crate) fn tagged<T: DeserializeOwned>(value: Value) -> Option<T> {
    let kind = value["type"].as_str()?.to_owned();
    serde_json::from_value(Value::Object(Map::from_iter([(kind, value)]))).ok()
}

/// The tokens in a `usage`. `None` if it cannot be read.
pub(crate) fn usage(usage: Value) -> Option<Usage> {
    let tokens: Tokens = serde_json::from_value(usage).ok()?;
    Some(Usage {
        input_tokens: tokens.input_tokens,
        cached_input_tokens: tokens.cached_input_tokens,
        output_tokens: tokens.output_tokens,
        reasoning_output_tokens: tokens.reasoning_output_tokens,
    })
}

/// The message in an `error`: its `message`, if it is an object with one, or else the whole value.
pub(crate) fn message_in(error: &Value) -> Option<String> {
    match error {
        Value::Null => None,
        Value::String(message) => Some(message.clone()),
        _ => Some(error["message"].as_str().map_or_else(|| error.to_string(), str::to_owned)),
    }
}

/// A provider's own message, extracted from its JSON, which Codex passes on unchanged.
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

/// Reads null as the default value.
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
        let read: ThreadItem<'_> = tagged(item).expect("the required fields are present");
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
