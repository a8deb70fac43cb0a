//! Anthropic's Messages API, as Claude Code uses it.

use serde_json::{Value, json};

use super::{ResponseInfo, ResponseWriter, list, text_chunks, text_of};
use crate::scripted_model::{
    conversation::{Conversation, ConversationItem, Tool},
    step::StreamError,
    toolbox::{ModelToolCall, ToolInput},
};

/// Reads a request. A user message may contain both text and tool results.
pub(super) fn conversation(body: &Value) -> Conversation {
    let mut items = vec![];
    for message in list(body, "messages") {
        let text = text_of(&message["content"]);
        let outputs = list(message, "content").iter().filter(|block| block["type"] == "tool_result");
        items.extend(outputs.map(|_| ConversationItem::ToolOutput));
        match message["role"].as_str() {
            Some("assistant") => items.push(ConversationItem::Assistant(text)),
            Some("user") if !text.is_empty() => items.push(ConversationItem::User(text)),
            Some(_) | None => items.push(ConversationItem::Other),
        }
    }
    let tools = list(body, "tools").iter().filter_map(|tool| tool["name"].as_str());
    let tool = |name: &str| Tool { namespace: None, name: name.to_owned(), is_freeform: false };
    Conversation { items, tools: tools.map(tool).collect() }
}

/// Writes an answer.
#[derive(Debug)]
pub(super) struct MessagesWriter {
    info: ResponseInfo,
    blocks: usize,
    calls: bool,
}

impl MessagesWriter {
    pub(super) fn new(info: ResponseInfo) -> MessagesWriter {
        MessagesWriter { info, blocks: 0, calls: false }
    }

    /// One block of the message: its start, and the deltas that fill it.
    fn block(&mut self, begin: Value, deltas: impl IntoIterator<Item = Value>) -> String {
        let index = self.blocks;
        self.blocks += 1;
        let mut stream = event("content_block_start", json!({"index": index, "content_block": begin}));
        for delta in deltas {
            stream += &event("content_block_delta", json!({"index": index, "delta": delta}));
        }
        stream + &event("content_block_stop", json!({"index": index}))
    }
}

impl ResponseWriter for MessagesWriter {
    fn begin(&mut self) -> String {
        let usage = self.info.usage;
        let fresh = usage.input.saturating_sub(usage.cached);
        event(
            "message_start",
            json!({"message": {
                "id": format!("msg_{}", self.info.id),
                "type": "message",
                "role": "assistant",
                "model": self.info.model,
                "content": [],
                "stop_reason": null,
                "stop_sequence": null,
                "usage": {"input_tokens": fresh, "cache_read_input_tokens": usage.cached, "output_tokens": 1},
            }}),
        )
    }

    fn say(&mut self, text: &str) -> String {
        let deltas = text_chunks(text).into_iter().map(|chunk| json!({"type": "text_delta", "text": chunk}));
        self.block(json!({"type": "text", "text": ""}), deltas)
    }

    fn think(&mut self, text: &str) -> String {
        let deltas = [
            json!({"type": "thinking_delta", "thinking": text}),
            json!({"type": "signature_delta", "signature": "c2lnbmF0dXJl"}),
        ];
        self.block(json!({"type": "thinking", "thinking": ""}), deltas)
    }

    fn call(&mut self, call: &ModelToolCall) -> String {
        self.calls = true;
        let arguments = match &call.input {
            ToolInput::Arguments(arguments) => arguments.to_string(),
            ToolInput::Text(text) => json!({"input": text}).to_string(),
        };
        let id = format!("toolu_{}_{}", self.info.id, self.blocks);
        let begin = json!({"type": "tool_use", "id": id, "name": call.name, "input": {}});
        self.block(begin, [json!({"type": "input_json_delta", "partial_json": arguments})])
    }

    fn break_off(&mut self, error: &StreamError) -> String {
        event("error", json!({"error": {"type": error.code, "message": error.message}}))
    }

    fn end(&mut self) -> String {
        let reason = if self.calls { "tool_use" } else { "end_turn" };
        let output = self.info.usage.output;
        let delta =
            json!({"delta": {"stop_reason": reason, "stop_sequence": null}, "usage": {"output_tokens": output}});
        event("message_delta", delta) + &event("message_stop", json!({}))
    }
}

fn event(kind: &str, mut fields: Value) -> String {
    fields["type"] = kind.into();
    format!("event: {kind}\ndata: {fields}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tool_results_come_before_the_text_of_the_same_message() {
        let body = json!({"messages": [
            {"role": "user", "content": "a task"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "x"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "x"}]},
            {"role": "user", "content": [{"type": "tool_result"}, {"type": "text", "text": "more"}]},
        ], "tools": [{"name": "Bash"}]});
        let conversation = conversation(&body);
        assert_eq!(conversation.tool_outputs_after(0), 2);
        assert_eq!(conversation.prompt().map(|prompt| prompt.text), Some("more"));
        assert!(conversation.tool("Bash").is_some());
    }
}
