//! OpenAI's chat completions, as OpenCode uses them.

use serde_json::{Value, json};

use super::{ResponseInfo, ResponseWriter, list, text_chunks, text_of};
use crate::scripted_model::{
    conversation::{Conversation, ConversationItem, Tool},
    step::StreamError,
    toolbox::{ModelToolCall, ToolInput},
};

/// Reads a request.
pub(super) fn conversation(body: &Value) -> Conversation {
    let item = |message: &Value| match message["role"].as_str() {
        Some("user") => ConversationItem::User(text_of(&message["content"])),
        Some("assistant") => ConversationItem::Assistant(text_of(&message["content"])),
        Some("tool") => ConversationItem::ToolOutput,
        Some(_) | None => ConversationItem::Other,
    };
    let tools = list(body, "tools").iter().filter_map(|tool| tool["function"]["name"].as_str());
    let tool = |name: &str| Tool { namespace: None, name: name.to_owned(), is_freeform: false };
    Conversation { items: list(body, "messages").iter().map(item).collect(), tools: tools.map(tool).collect() }
}

/// Writes an answer.
#[derive(Debug)]
pub(super) struct ChatWriter {
    info: ResponseInfo,
    calls: usize,
}

impl ChatWriter {
    pub(super) fn new(info: ResponseInfo) -> ChatWriter {
        ChatWriter { info, calls: 0 }
    }

    fn chunk(&self, delta: Value, finish: Option<&str>) -> Value {
        json!({
            "id": format!("chatcmpl-{}", self.info.id),
            "object": "chat.completion.chunk",
            "created": 0,
            "model": self.info.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
    }
}

impl ResponseWriter for ChatWriter {
    fn begin(&mut self) -> String {
        data(&self.chunk(json!({"role": "assistant", "content": ""}), None))
    }

    fn say(&mut self, text: &str) -> String {
        text_chunks(text).into_iter().map(|chunk| data(&self.chunk(json!({"content": chunk}), None))).collect()
    }

    fn think(&mut self, text: &str) -> String {
        data(&self.chunk(json!({"reasoning_content": text}), None))
    }

    fn call(&mut self, call: &ModelToolCall) -> String {
        let arguments = match &call.input {
            ToolInput::Arguments(arguments) => arguments.to_string(),
            ToolInput::Text(text) => json!({"input": text}).to_string(),
        };
        let index = self.calls;
        self.calls += 1;
        let id = format!("call_{}_{index}", self.info.id);
        let function = json!({"name": call.name, "arguments": arguments});
        let call = json!({"index": index, "id": id, "type": "function", "function": function});
        data(&self.chunk(json!({"tool_calls": [call]}), None))
    }

    fn break_off(&mut self, error: &StreamError) -> String {
        data(&json!({"error": {"message": error.message, "code": error.code}}))
    }

    fn end(&mut self) -> String {
        let usage = self.info.usage;
        let mut last = self.chunk(json!({}), Some(if self.calls > 0 { "tool_calls" } else { "stop" }));
        last["usage"] = json!({
            "prompt_tokens": usage.input,
            "prompt_tokens_details": {"cached_tokens": usage.cached},
            "completion_tokens": usage.output,
            "total_tokens": usage.input + usage.output,
        });
        data(&last) + "data: [DONE]\n\n"
    }
}

fn data(chunk: &Value) -> String {
    format!("data: {chunk}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_and_tools_are_read() {
        let body = json!({"messages": [
            {"role": "system", "content": "s"},
            {"role": "user", "content": [{"type": "text", "text": "a task"}]},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "tool", "content": "x"},
        ], "tools": [{"type": "function", "function": {"name": "bash"}}]});
        let conversation = conversation(&body);
        assert_eq!((conversation.items[0].clone(), conversation.tool_outputs_after(1)), (ConversationItem::Other, 1));
        assert_eq!(conversation.prompt().map(|prompt| prompt.text), Some("a task"));
        assert!(conversation.tool("bash").is_some());
    }
}
