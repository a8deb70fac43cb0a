//! JSON-RPC 2.0 over lines: one message on each line, and requests in both directions.
//!
//! [`JsonRpc`] writes our messages, recognizes the agent's, and remembers which of our requests are unanswered. It does
//! no I/O and knows no methods. A session keeps one `JsonRpc` and uses it like this:
//!
//! 1. It sends the line that [`request`](JsonRpc::request) returns, with [`Step::Send`](crate::Step::Send) and usually with
//!    a [deadline](crate::Step::Deadline).
//! 2. It gives every object that a [`JsonReader`](crate::JsonReader) finds to [`read`](JsonRpc::read), and acts on the
//!    [`RpcMessage`].
//! 3. It answers each of the agent's requests with [`answer`] or [`refuse`]: an agent may wait for the answer forever.
//!
//! Both sides number their requests, so one ID can belong to two requests. A message with an ID is a request if it has
//! a `method`, and an answer otherwise. `"jsonrpc"` is always written but not required, because Codex's app-server
//! omits it.

use serde_json::{Value, json};

/// The error code for a request with an unknown method.
const METHOD_NOT_FOUND: i64 = -32601;

/// Our side of a conversation. `R` identifies the purpose of a request.
#[derive(Debug, Clone)]
pub struct JsonRpc<R> {
    last_id: u64,
    /// The requests that have no answer yet, oldest first.
    unanswered: Vec<(u64, R)>,
}

/// One message of the agent.
#[derive(Debug, Clone, PartialEq)]
pub enum RpcMessage<R> {
    /// The answer to one of our requests, which is now answered.
    Answer {
        /// The purpose of the request.
        to: R,
        /// The result, or the error.
        outcome: Result<Value, RpcError>,
    },
    /// A request by the agent, which waits for the answer.
    Request {
        /// The agent's own ID of the request, for the answer.
        id: Value,
        /// The method requested.
        method: String,
        /// The details; null if there are none.
        params: Value,
    },
    /// A notification by the agent.
    Notification {
        /// The method of the notification.
        method: String,
        /// The details; null if there are none.
        params: Value,
    },
}

/// The agent's refusal of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RpcError {
    /// The error code, if it is an integer.
    pub code: Option<i64>,
    /// The message, followed by the details in `data` that it does not already contain.
    pub message: String,
}

impl<R> Default for JsonRpc<R> {
    fn default() -> Self {
        Self { last_id: 0, unanswered: vec![] }
    }
}

impl<R> JsonRpc<R> {
    /// A request, as a line. Requests are numbered from 1.
    pub fn request(&mut self, to: R, method: &str, params: Value) -> Vec<u8> {
        self.last_id += 1;
        self.unanswered.push((self.last_id, to));
        line(&json!({"jsonrpc": "2.0", "id": self.last_id, "method": method, "params": params}))
    }

    /// The oldest request that has no answer.
    pub fn pending_request(&self) -> Option<&R> {
        self.unanswered.first().map(|(_, request)| request)
    }

    /// Ignores the answers to all requests so far.
    pub fn stop_waiting(&mut self) {
        self.unanswered.clear();
    }

    /// Reads an object. `None` if it is not a JSON-RPC message, or if it answers a request that is not pending.
    pub fn read(&mut self, mut message: Value) -> Option<RpcMessage<R>> {
        let message = message.as_object_mut()?;
        let mut take = |key: &str| message.remove(key);
        let id = take("id").filter(|id| !id.is_null());
        match (take("method"), id) {
            (Some(Value::String(method)), Some(id)) => {
                Some(RpcMessage::Request { id, method, params: take("params").unwrap_or_default() })
            }
            (Some(Value::String(method)), None) => {
                Some(RpcMessage::Notification { method, params: take("params").unwrap_or_default() })
            }
            (None, Some(id)) => {
                let outcome = match (take("result"), take("error")) {
                    (_, Some(error)) => Err(RpcError::read(&error)),
                    (Some(result), None) => Ok(result),
                    (None, None) => return None,
                };
                let at = self.unanswered.iter().position(|(unanswered, _)| id.as_u64() == Some(*unanswered))?;
                Some(RpcMessage::Answer { to: self.unanswered.remove(at).1, outcome })
            }
            (Some(_) | None, _) => None,
        }
    }

    /// Whether an unreadable line was probably the answer to a pending request. The agent will not repeat it.
    pub fn is_lost_answer(&self, line: &[u8]) -> bool {
        let text = String::from_utf8_lossy(line);
        let has = |key: &str| text.contains(&format!("\"{key}\""));
        let is_message = has("jsonrpc") || (has("id") && (has("result") || has("error")));
        !self.unanswered.is_empty() && is_message && !has("method")
    }
}

impl RpcError {
    fn read(error: &Value) -> Self {
        let message = error["message"].as_str().unwrap_or("(no message)");
        let data = &error["data"];
        let details = data.as_str().or(data["details"].as_str()).or(data["message"].as_str());
        let said = match details.filter(|details| !message.contains(details)) {
            Some(details) => format!("{message}: {details}"),
            None => message.to_owned(),
        };
        Self { code: error["code"].as_i64(), message: said }
    }
}

/// A notification to the agent, as a line.
pub fn notify(method: &str, params: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

/// The answer to the agent's request `id`, as a line.
pub fn answer(id: &Value, result: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// The answer to the agent's request `id` for a `method` that this client does not have, as a line.
pub fn refuse(id: &Value, method: &str) -> Vec<u8> {
    let error = json!({"code": METHOD_NOT_FOUND, "message": format!("this client has no {method}")});
    line(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A conversation with two pending requests, `first` and `second`.
    fn asked() -> JsonRpc<&'static str> {
        let mut rpc = JsonRpc::default();
        assert_eq!(
            rpc.request("first", "do/it", json!({"x": 1})),
            b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"do/it\",\"params\":{\"x\":1}}\n"
        );
        rpc.request("second", "do/more", Value::Null);
        rpc
    }

    #[test]
    fn each_answer_finds_its_request_once_and_in_any_order() {
        let mut rpc = asked();
        let second = rpc.read(json!({"jsonrpc": "2.0", "id": 2, "result": 7}));
        assert_eq!(second, Some(RpcMessage::Answer { to: "second", outcome: Ok(json!(7)) }));
        assert_eq!(rpc.read(json!({"id": 2, "result": 7})), None, "it was already answered");
        assert_eq!(rpc.pending_request(), Some(&"first"));
        let first = rpc.read(json!({"id": 1, "error": {"code": -32603, "message": "no", "data": {"details": "disk"}}}));
        let error = RpcError { code: Some(-32603), message: "no: disk".into() };
        assert_eq!(first, Some(RpcMessage::Answer { to: "first", outcome: Err(error) }));
        assert_eq!(rpc.pending_request(), None);
    }

    #[test]
    fn an_unexpected_answer_is_ignored() {
        let mut rpc = asked();
        for stranger in
            [json!({"id": 3, "result": 1}), json!({"id": "1", "result": 1}), json!({"id": null, "result": 1})]
        {
            assert_eq!(rpc.read(stranger.clone()), None, "{stranger}");
        }
        rpc.stop_waiting();
        assert_eq!(rpc.read(json!({"id": 1, "result": 1})), None);
        rpc.request("third", "x", Value::Null);
        assert!(rpc.read(json!({"id": 3, "result": 1})).is_some(), "it has a new ID");
    }

    #[test]
    fn a_message_with_a_method_is_never_an_answer() {
        let mut rpc = asked();
        let request = rpc.read(json!({"id": 1, "method": "may/i", "params": {"y": 2}}));
        let expected = RpcMessage::Request { id: json!(1), method: "may/i".into(), params: json!({"y": 2}) };
        assert_eq!(request, Some(expected), "the agent numbers its requests itself");
        let notification = rpc.read(json!({"method": "progress"}));
        assert_eq!(notification, Some(RpcMessage::Notification { method: "progress".into(), params: Value::Null }));
        assert_eq!(rpc.pending_request(), Some(&"first"));
    }

    #[test]
    fn other_objects_are_not_messages() {
        for other in [json!({}), json!([]), json!({"id": 1}), json!({"method": 1}), json!({"result": 1})] {
            assert_eq!(asked().read(other.clone()), None, "{other}");
        }
    }

    #[test]
    fn an_unreadable_line_counts_as_the_lost_answer_to_a_pending_request() {
        for (line, is_lost) in [
            (&br#"{"jsonrpc":"2.0","result":{"x":"#[..], true),
            (br#"{"id":4,"error":{"code":-1,"#, true),
            (br#"{"jsonrpc":"2.0","method":"x","params":{"#, false),
            (b"{\"level\":\"error\",\"text\":\"", false),
            (b"a banner", false),
        ] {
            assert_eq!(asked().is_lost_answer(line), is_lost, "{}", line.escape_ascii());
            assert!(!JsonRpc::<()>::default().is_lost_answer(line), "no request is pending");
        }
    }

    #[test]
    fn requests_of_the_agent_are_answered_under_their_ids() {
        assert_eq!(answer(&json!("a"), json!({})), b"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":{}}\n");
        let refusal = String::from_utf8(refuse(&json!(0), "fs/read")).expect("it is JSON");
        assert!(refusal.contains("\"id\":0") && refusal.contains("-32601") && refusal.contains("no fs/read"));
        assert_eq!(notify("stop", json!({})), b"{\"jsonrpc\":\"2.0\",\"method\":\"stop\",\"params\":{}}\n");
    }
}
