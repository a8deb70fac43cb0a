//! Google's generateContent, as Gemini CLI uses it.

use serde_json::{Value, json};

use super::{ResponseInfo, ResponseWriter, list, text_chunks};
use crate::scripted_model::{
    conversation::{Conversation, ConversationItem, Tool},
    step::StreamError,
    toolbox::{ModelToolCall, ToolInput},
};

/// Reads a request. Tool results are parts of a user message.
pub(super) fn conversation(body: &Value) -> Conversation {
    let mut items = vec![];
    for content in list(body, "contents") {
        let parts = list(content, "parts");
        let spoken = parts.iter().filter(|part| part["thought"] != true).filter_map(|part| part["text"].as_str());
        let text = spoken.collect::<Vec<_>>().join("\n");
        items.extend(
            parts.iter().filter(|part| part.get("functionResponse").is_some()).map(|_| ConversationItem::ToolOutput),
        );
        match content["role"].as_str() {
            Some("model") => items.push(ConversationItem::Assistant(text)),
            Some("user") | None if !text.is_empty() => items.push(ConversationItem::User(text)),
            Some(_) | None => items.push(ConversationItem::Other),
        }
    }
    let functions = list(body, "tools").iter().flat_map(|tool| list(tool, "functionDeclarations"));
    let names = functions.filter_map(|function| function["name"].as_str());
    let tool = |name: &str| Tool { namespace: None, name: name.to_owned(), is_freeform: false };
    Conversation { items, tools: names.map(tool).collect() }
}

/// Writes an answer.
#[derive(Debug)]
pub(super) struct GeminiWriter {
    info: ResponseInfo,
}

impl GeminiWriter {
    pub(super) fn new(info: ResponseInfo) -> GeminiWriter {
        GeminiWriter { info }
    }

    fn chunk(&self, part: Value, finish: Option<&str>) -> String {
        let usage = self.info.usage;
        let mut candidate = json!({"index": 0, "content": {"role": "model", "parts": [part]}});
        if let Some(finish) = finish {
            candidate["finishReason"] = finish.into();
        }
        let chunk = json!({
            "candidates": [candidate],
            "modelVersion": self.info.model,
            "usageMetadata": {
                "promptTokenCount": usage.input,
                "cachedContentTokenCount": usage.cached,
                "candidatesTokenCount": usage.output,
                "totalTokenCount": usage.input + usage.output,
            },
        });
        format!("data: {chunk}\r\n\r\n")
    }
}

impl ResponseWriter for GeminiWriter {
    fn begin(&mut self) -> String {
        String::new()
    }

    fn say(&mut self, text: &str) -> String {
        text_chunks(text).into_iter().map(|chunk| self.chunk(json!({"text": chunk}), None)).collect()
    }

    fn think(&mut self, text: &str) -> String {
        self.chunk(json!({"text": text, "thought": true}), None)
    }

    fn call(&mut self, call: &ModelToolCall) -> String {
        let arguments = match &call.input {
            ToolInput::Arguments(arguments) => arguments.clone(),
            ToolInput::Text(text) => json!({"input": text}),
        };
        self.chunk(json!({"functionCall": {"name": call.name, "args": arguments}}), None)
    }

    fn break_off(&mut self, error: &StreamError) -> String {
        let error = json!({"error": {"code": 500, "message": error.message, "status": error.code}});
        format!("data: {error}\r\n\r\n")
    }

    fn end(&mut self) -> String {
        self.chunk(json!({"text": ""}), Some("STOP"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_thoughts_and_tool_results_are_distinguished() {
        let body = json!({"contents": [
            {"role": "user", "parts": [{"text": "a task"}]},
            {"role": "model", "parts": [{"text": "hm", "thought": true}, {"text": "I do"}, {"functionCall": {}}]},
            {"role": "user", "parts": [{"functionResponse": {}}]},
        ], "tools": [{"functionDeclarations": [{"name": "write_file"}]}]});
        let conversation = conversation(&body);
        assert_eq!(conversation.said_before(9), Some("I do"));
        assert_eq!(conversation.tool_outputs_after(0), 1);
        assert_eq!(conversation.prompt().map(|prompt| prompt.text), Some("a task"));
        assert!(conversation.tool("write_file").is_some());
    }
}
