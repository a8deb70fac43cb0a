//! The words of ACP: JSON-RPC 2.0, one message a line.

use serde_json::{Value, json};

/// The version of the protocol that is spoken here.
pub(crate) const VERSION: u64 = 1;

/// Our requests. The id of each is its number here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Initialize = 1,
    Session = 2,
    SetMode = 3,
    Prompt = 4,
    SetModel = 5,
    SetModelOption = 6,
    SetModeOption = 7,
}

impl Request {
    /// What the agent knows it as, for messages.
    pub(crate) fn method(self, resumes: bool) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Session if resumes => "session/load",
            Self::Session => "session/new",
            Self::SetMode => "session/set_mode",
            Self::SetModel => "session/set_model",
            Self::SetModeOption | Self::SetModelOption => "session/set_config_option",
            Self::Prompt => "session/prompt",
        }
    }
}

/// What came from the agent.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Message {
    /// An answer to our request of this id.
    Answer { id: u64, outcome: Result<Value, Value> },
    /// It asks something, and waits for an answer with this id.
    Asks { id: Value, method: String, params: Value },
    /// It tells something.
    Tells { method: String, params: Value },
}

/// Reads an object; `None` for what is no message.
pub(crate) fn read(mut message: Value) -> Option<Message> {
    let message = message.as_object_mut()?;
    let mut take = |key: &str| message.remove(key);
    let id = take("id").filter(|id| !id.is_null());
    match (take("method"), id) {
        (Some(Value::String(method)), Some(id)) => {
            Some(Message::Asks { id, method, params: take("params").unwrap_or_default() })
        }
        (Some(Value::String(method)), None) => {
            Some(Message::Tells { method, params: take("params").unwrap_or_default() })
        }
        (None, Some(id)) => {
            let outcome = match (take("result"), take("error")) {
                (_, Some(error)) => Err(error),
                (Some(result), None) => Ok(result),
                (None, None) => return None,
            };
            Some(Message::Answer { id: id.as_u64()?, outcome })
        }
        _ => None,
    }
}

/// Whether a line that cannot be read was meant as an answer: a JSON-RPC message without a method.
pub(crate) fn looks_like_answer(line: &[u8]) -> bool {
    let text = String::from_utf8_lossy(line);
    text.contains("\"jsonrpc\"") && !text.contains("\"method\"")
}

/// One of our requests as a line.
pub(crate) fn request(request: Request, resumes: bool, params: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": request as u64, "method": request.method(resumes), "params": params}))
}

/// Something we tell, as a line.
pub(crate) fn tell(method: &str, params: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "method": method, "params": params}))
}

/// An answer to what the agent asked, as a line.
pub(crate) fn answer(id: &Value, result: Value) -> Vec<u8> {
    line(&json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

/// That we do not know what the agent asks for, as a line.
pub(crate) fn unknown(id: &Value, method: &str) -> Vec<u8> {
    let error = json!({"code": -32601, "message": format!("this client has no {method}")});
    line(&json!({"jsonrpc": "2.0", "id": id, "error": error}))
}

fn line(message: &Value) -> Vec<u8> {
    format!("{message}\n").into_bytes()
}

/// What an error says.
pub(crate) fn said(error: &Value) -> String {
    let message = error["message"].as_str().unwrap_or("(no message)");
    let data = &error["data"];
    let details = data.as_str().or(data["details"].as_str()).or(data["message"].as_str());
    match details.filter(|details| !message.contains(details)) {
        Some(details) => format!("{message}: {details}"),
        None => message.to_owned(),
    }
}
