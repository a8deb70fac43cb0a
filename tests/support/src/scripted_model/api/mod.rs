//! The APIs through which agents talk to their models.
//!
//! Each API has one file that reads its requests and writes its answers. The rest of the scripted model does not
//! depend on the API.

mod chat;
mod gemini;
mod messages;
mod responses;

use serde_json::{Value, json};

use super::{
    conversation::Conversation,
    step::{Fail, ScriptedUsage, StreamError},
    toolbox::ModelToolCall,
};

/// An API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Api {
    /// OpenAI's Responses API, used by Codex.
    Responses,
    /// OpenAI's older API, used by most other agents; here by OpenCode.
    ChatCompletions,
    /// Anthropic's API, used by Claude Code.
    Messages,
    /// Google's API, used by Gemini CLI.
    Gemini,
}

/// Writes one answer as a stream of server-sent events. Each function returns the next part of the stream.
pub(super) trait ResponseWriter: Send {
    /// The beginning.
    fn begin(&mut self) -> String;
    /// A message.
    fn say(&mut self, text: &str) -> String;
    /// A thought of the model.
    fn think(&mut self, text: &str) -> String;
    /// A tool call.
    fn call(&mut self, call: &ModelToolCall) -> String;
    /// Ends the stream with an error.
    fn break_off(&mut self, error: &StreamError) -> String;
    /// Ends the stream.
    fn end(&mut self) -> String;
}

/// The data that every writer needs about its answer.
#[derive(Debug, Clone)]
pub(super) struct ResponseInfo {
    /// Unique among answers; part of every ID inside this one.
    pub(super) id: String,
    pub(super) model: String,
    pub(super) usage: ScriptedUsage,
}

impl Api {
    /// The conversation in `body`, the JSON body of a request.
    pub(super) fn conversation(self, body: &Value) -> Conversation {
        match self {
            Api::Responses => responses::conversation(body),
            Api::ChatCompletions => chat::conversation(body),
            Api::Messages => messages::conversation(body),
            Api::Gemini => gemini::conversation(body),
        }
    }

    /// The writer for an answer.
    pub(super) fn writer(self, info: ResponseInfo) -> Box<dyn ResponseWriter> {
        match self {
            Api::Responses => Box::new(responses::ResponsesWriter::new(info)),
            Api::ChatCompletions => Box::new(chat::ChatWriter::new(info)),
            Api::Messages => Box::new(messages::MessagesWriter::new(info)),
            Api::Gemini => Box::new(gemini::GeminiWriter::new(info)),
        }
    }

    /// Whether agents that use this API send side requests, such as for a title, which are not part of a script. Those
    /// requests offer no tools.
    pub(super) fn has_side_requests(self) -> bool {
        match self {
            Api::Responses => false,
            Api::ChatCompletions | Api::Messages | Api::Gemini => true,
        }
    }

    /// The body of an HTTP error.
    pub(super) fn failure(self, fail: &Fail) -> Value {
        let message = fail.message.as_deref().unwrap_or("scripted failure");
        let kind = fail.kind.as_deref().unwrap_or("invalid_request_error");
        match self {
            Api::Responses | Api::ChatCompletions => {
                json!({"error": {"message": message, "type": kind, "code": fail.code}})
            }
            Api::Messages => json!({"type": "error", "error": {"type": kind, "message": message}}),
            Api::Gemini => {
                let status = fail.code.as_deref().unwrap_or("INVALID_ARGUMENT");
                json!({"error": {"code": fail.status, "message": message, "status": status}})
            }
        }
    }
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

/// The text of a message: its parts, joined with line breaks.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// The size of one delta of a long message; agents limit the length of a line.
const DELTA_CHARS: usize = 16_384;

/// Splits `text` into chunks of at most [`DELTA_CHARS`]. An empty text becomes one empty chunk.
fn text_chunks(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec![String::new()];
    }
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(DELTA_CHARS).map(|chunk| chunk.iter().collect()).collect()
}
