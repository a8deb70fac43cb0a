//! The APIs that agents speak to their models.
//!
//! Each has a file that reads its requests and writes its answers; nothing else knows its words.

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
    /// OpenAI's, which Codex speaks.
    Responses,
    /// OpenAI's older one, which most others speak: OpenCode here.
    ChatCompletions,
    /// Anthropic's, which Claude Code speaks.
    Messages,
    /// Google's, which Gemini CLI speaks.
    Gemini,
}

/// Writes one answer as a stream of server-sent events. Each function returns the next piece of the stream.
pub(super) trait ResponseWriter: Send {
    /// The beginning.
    fn begin(&mut self) -> String;
    /// A message.
    fn say(&mut self, text: &str) -> String;
    /// What the model thinks.
    fn think(&mut self, text: &str) -> String;
    /// A call of a tool.
    fn call(&mut self, call: &ModelToolCall) -> String;
    /// The end by a failure.
    fn break_off(&mut self, error: &StreamError) -> String;
    /// The end.
    fn end(&mut self) -> String;
}

/// What every voice knows of its answer.
#[derive(Debug, Clone)]
pub(super) struct ResponseInfo {
    /// Unique among answers; part of every id inside this one.
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

    /// What writes an answer.
    pub(super) fn writer(self, info: ResponseInfo) -> Box<dyn ResponseWriter> {
        match self {
            Api::Responses => Box::new(responses::ResponsesWriter::new(info)),
            Api::ChatCompletions => Box::new(chat::ChatWriter::new(info)),
            Api::Messages => Box::new(messages::MessagesWriter::new(info)),
            Api::Gemini => Box::new(gemini::GeminiWriter::new(info)),
        }
    }

    /// Whether agents that speak it ask for things on the side, such as a title, which are no part of a script: their
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

/// The text of a message: its parts, a line break between two of them.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// One delta of a long message; agents limit the length of a line.
const DELTA_CHARS: usize = 16_384;

/// `text` in pieces of at most [`DELTA_CHARS`]; an empty text is one empty piece.
fn text_chunks(text: &str) -> Vec<String> {
    if text.is_empty() {
        return vec![String::new()];
    }
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(DELTA_CHARS).map(|chunk| chunk.iter().collect()).collect()
}
