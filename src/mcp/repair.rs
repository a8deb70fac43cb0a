//! Repairs messages that are almost JSON-RPC.
//!
//! rmcp drops messages that it cannot parse, so the client would wait forever for an answer. Each message is therefore
//! checked before rmcp sees it:
//!
//! | message | result |
//! |---|---|
//! | valid, or nothing like a message | passed on unchanged |
//! | invalid only in characters that text cannot contain, such as half of a surrogate pair | these are replaced, then passed on |
//! | anything else, with a readable ID | answered with an error |
//! | anything else, without a readable ID | dropped |

use connector_api::JsonLine;
use rmcp::{
    RoleServer,
    model::{ErrorData, JsonRpcMessage, RequestId},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
};
use serde_json::{Deserializer, Value};

use crate::present::protocol;

/// The result of checking the text of a message.
#[derive(Debug, PartialEq)]
pub(super) enum Repair {
    /// No change: the message is valid, or nothing like a message.
    None,
    /// The text is replaced by these messages.
    Done {
        /// Valid messages for rmcp.
        messages: Vec<String>,
        /// Messages that cannot be repaired.
        unreadable: Vec<Unreadable>,
    },
}

/// A message that cannot be repaired, and the error for its sender.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Unreadable {
    /// The ID of the request, if it can be read.
    pub(super) id: Option<RequestId>,
    error: ErrorData,
}

impl Unreadable {
    /// A message that begins with `text` and is not JSON.
    pub(super) fn new(text: &[u8], problem: String) -> Self {
        let detail = protocol::unreadable(&problem);
        Self { id: id_of(text), error: ErrorData::parse_error(detail, None) }
    }

    /// JSON that is not a request.
    fn invalid_request(text: &[u8]) -> Self {
        Self { id: id_of(text), error: ErrorData::invalid_request(protocol::INVALID_REQUEST, None) }
    }

    /// A request with an ID in a batch. MCP removed batches in 2025-06-18.
    fn in_batch(request: &Value) -> Option<Self> {
        let is_response = request.get("result").or(request.get("error")).is_some();
        let id = serde_json::from_value(request.get("id").filter(|_| !is_response)?.clone()).ok()?;
        Some(Self { id: Some(id), error: ErrorData::invalid_request(protocol::BATCHES_NOT_SUPPORTED, None) })
    }

    /// The answer to it.
    pub(super) fn answer(self) -> TxJsonRpcMessage<RoleServer> {
        JsonRpcMessage::error(self.error, self.id)
    }
}

/// Parses a message as rmcp will, and repairs it if that fails.
pub(super) fn repair(text: &[u8]) -> Repair {
    if serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(text).is_ok() {
        return Repair::None;
    }
    if let Ok(value) = serde_json::from_slice::<Value>(text) {
        let unreadable: Vec<_> = match &value {
            Value::Array(batch) => batch.iter().filter_map(Unreadable::in_batch).collect(),
            _ => check_request(text, &value).err().map(|invalid| *invalid).into_iter().collect(),
        };
        return if unreadable.is_empty() { Repair::None } else { Repair::Done { messages: vec![], unreadable } };
    }
    let line = JsonLine::read(text);
    if line.objects.is_empty() && line.problem.is_none() {
        // For example JSON5: if it has an ID, its sender expects an answer.
        let other = text.starts_with(b"{").then(|| Unreadable::new(text, protocol::NOT_JSON.to_owned()));
        let other = other.filter(|other| other.id.is_some());
        return other.map_or(Repair::None, |other| Repair::Done { messages: vec![], unreadable: vec![other] });
    }
    let (mut messages, mut unreadable) = (vec![], vec![]);
    for object in line.objects {
        if object.is_incomplete {
            // The missing number could be a time limit, so only the caller can correct this.
            let problem = protocol::INCOMPLETE.to_owned();
            unreadable.push(Unreadable::new(object.text, problem));
        } else {
            let message = object.value.to_string();
            match check_request(message.as_bytes(), &object.value) {
                Ok(()) => messages.push(message),
                Err(invalid) => unreadable.push(*invalid),
            }
        }
    }
    unreadable.extend(line.problem.map(|problem| Unreadable::new(line.unread, problem)));
    Repair::Done { messages, unreadable }
}

/// Fails if the message is an invalid request with an ID, which rmcp would answer without the ID. Responses of the
/// client are never answered.
fn check_request(text: &[u8], value: &Value) -> Result<(), Box<Unreadable>> {
    let is_response = value.get("result").or(value.get("error")).is_some();
    let is_valid = || serde_json::from_slice::<RxJsonRpcMessage<RoleServer>>(text).is_ok();
    let invalid = Unreadable::invalid_request(text);
    if invalid.id.is_none() || is_response || is_valid() { Ok(()) } else { Err(Box::new(invalid)) }
}

/// The ID at the top level of a message, which may be truncated or invalid elsewhere. The key can have escapes, single
/// quotes (Python), or no quotes (JSON5).
fn id_of(text: &[u8]) -> Option<RequestId> {
    let (mut depth, mut at) = (0_usize, 0);
    // Whether a key or a value can begin here. Elsewhere, an apostrophe or a word is part of something else.
    let mut is_start = false;
    while let Some(byte) = text.get(at) {
        let end = match byte {
            b'"' => Some(end_of_string(text, at)?),
            b'\'' if is_start => Some(end_of_string(text, at)?),
            b'i' if is_start && text[at..].starts_with(b"id") => Some(at + 2),
            _ => None,
        };
        if let Some(end) = end {
            let after = text[end..].trim_ascii_start();
            if depth == 1 && is_id(&text[at..end]) && after.first() == Some(&b':') {
                return value_of_id(after[1..].trim_ascii_start());
            }
            (at, is_start) = (end, false);
            continue;
        }
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_start = matches!(byte, b'{' | b'[' | b',' | b':') || is_start && byte.is_ascii_whitespace();
        at += 1;
    }
    None
}

/// Whether this key, with its quotes, is `id`.
fn is_id(key: &[u8]) -> bool {
    matches!(key, b"id" | b"'id'" | b"\"id\"") || serde_json::from_slice::<String>(key).is_ok_and(|key| key == "id")
}

/// The ID that `text` begins with.
fn value_of_id(text: &[u8]) -> Option<RequestId> {
    if text.first() == Some(&b'\'') {
        let end = end_of_string(text, 0)?;
        return Some(RequestId::String(str::from_utf8(&text[1..end - 1]).ok()?.into()));
    }
    Deserializer::from_slice(text).into_iter().next()?.ok()
}

/// The end of the string that begins at `start`, with either kind of quotes.
fn end_of_string(text: &[u8], start: usize) -> Option<usize> {
    let quote = *text.get(start)?;
    let mut at = start + 1;
    loop {
        match text.get(at)? {
            byte if *byte == quote => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unreadable_ids(text: &[u8]) -> Vec<Option<RequestId>> {
        match repair(text) {
            Repair::None => vec![],
            Repair::Done { unreadable, .. } => unreadable.into_iter().map(|unreadable| unreadable.id).collect(),
        }
    }

    #[test]
    fn invalid_characters_are_replaced() {
        for (task, repaired) in [
            (&b"cut at \\ud83d"[..], "cut at \u{fffd}"),
            (b"\\udc00\\udc00", "\u{fffd}\u{fffd}"),
            (b"\xe9", "\u{fffd}"),
            (b"a\tb", "a\\tb"),
        ] {
            let text =
                [b"{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"x\",\"params\":{\"task\":\"", task, b"\"}}"].concat();
            let expected = format!(r#"{{"jsonrpc":"2.0","id":7,"method":"x","params":{{"task":"{repaired}"}}}}"#);
            assert_eq!(repair(&text), Repair::Done { messages: vec![expected], unreadable: vec![] });
        }
    }

    #[test]
    fn valid_messages_and_other_text_are_not_changed() {
        let valid = br#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"\ud83d\ude00"}}"#;
        let response = br#"{"id":1,"result":5}"#;
        for text in [
            &valid[..],
            response,
            b"[1]",
            b"",
            b"hello",
            b"{",
            b"12",
            b"id: 7",
            b"said {id: 7}",
            b"{x: {id: 7}}",
            b"{bid: 7}",
        ] {
            assert_eq!(repair(text), Repair::None, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn json_that_is_not_a_request_is_answered_by_its_id() {
        for text in [
            r#"{"id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"1.0","id":7,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":7}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":5}"#,
            r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":5}"#,
            r#"{"jsonrpc":"2.0","id":7,"id":7,"method":"ping"}"#,
        ] {
            assert_eq!(unreadable_ids(text.as_bytes()), [Some(RequestId::Number(7))], "{text}");
        }
        // IDs in MCP are strings or integers. rmcp answers these without an ID.
        for text in [r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, r#"[{"jsonrpc":"2.0","method":"ping"}]"#, "[]"] {
            assert_eq!(repair(text.as_bytes()), Repair::None, "{text}");
        }
    }

    #[test]
    fn each_request_of_a_batch_is_answered_by_its_id() {
        let batch = br#"[{"jsonrpc":"2.0","id":7,"method":"ping"},{"jsonrpc":"2.0","method":"x"},{"id":"a"},
                        {"jsonrpc":"2.0","id":8,"result":{}},{"id":1.5},5]"#;
        assert_eq!(unreadable_ids(batch), [Some(RequestId::Number(7)), Some(RequestId::String("a".into()))]);
    }

    #[test]
    fn irreparable_messages_are_answered_by_id() {
        let deep = format!(r#"{{"id":7,"x":{}{}}}"#, "[".repeat(200), "]".repeat(200));
        for text in [
            r#"{"id":7,"x":NaN}"#,
            r#"{"id":7,"timeoutMs":1e999}"#,
            r#"{"id":7,"method":"ping""#,
            r#"{"params":{"id":8,"x":"\"id\":9,"}, "id" : 7 ,}"#,
            r#"{"x":"\"id\"","id":7,"y":"torn"#,
            r#"{"y":"id","id":7,,}"#,
            r#"{"\u0069\u0064":7,"x":NaN}"#,
            "{'jsonrpc':'2.0','id':7,'method':'ping'}",
            r#"{'x':'it\'s "id":8','id':7}"#,
            "{jsonrpc: '2.0', id: 7, method: 'ping'}",
            r#"{"x":don't,"id":7,"y":NaN}"#,
            &deep,
        ] {
            assert_eq!(unreadable_ids(text.as_bytes()), [Some(RequestId::Number(7))], "{text}");
        }
        for text in [r#"{"id":"a","x":NaN}"#, r#"{"\u0069d":"a","x":NaN}"#, "{'id':'a'}", "{id:'a'}"] {
            assert_eq!(unreadable_ids(text.as_bytes()), [Some(RequestId::String("a".into()))], "{text}");
        }
        for text in [r#"{"x":NaN}"#, r#"{"id":{},"x":NaN}"#, r#"{"params":{"id":8},}"#, r#"{"id""#, r#"{"id":"#] {
            assert_eq!(unreadable_ids(text.as_bytes()), [None], "{text}");
        }
    }

    #[test]
    fn a_valid_message_is_kept_when_another_on_its_line_is_unreadable() {
        let good = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#.to_owned();
        for bad in [r#"{"id":2,"x":NaN}"#, r#"{"id":2,"x":"#] {
            let Repair::Done { messages, unreadable } = repair(format!("{good}{bad}").as_bytes()) else {
                panic!("{bad}")
            };
            assert_eq!(messages, [good.as_str()]);
            assert_eq!(
                unreadable.iter().map(|message| message.id.clone()).collect::<Vec<_>>(),
                [Some(RequestId::Number(2))]
            );
        }
    }
}
