//! OpenAI's Responses API, as Codex uses it.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::{ResponseInfo, ResponseWriter, list, text_chunks, text_of};
use crate::scripted_model::{
    conversation::{Conversation, ConversationItem, Tool},
    step::StreamError,
    toolbox::{ModelToolCall, ToolInput},
};

/// Reads a request.
pub(super) fn conversation(body: &Value) -> Conversation {
    Conversation { items: list(body, "input").iter().map(item).collect(), tools: tools(body) }
}

fn item(item: &Value) -> ConversationItem {
    let is_output = item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
    match item["role"].as_str() {
        Some("user") => ConversationItem::User(text_of(&item["content"])),
        Some("assistant") => ConversationItem::Assistant(text_of(&item["content"])),
        Some(_) | None if is_output => ConversationItem::ToolOutput,
        Some(_) | None => ConversationItem::Other,
    }
}

/// Reads the tools. Those of an MCP server are in a group with the server's name.
fn tools(body: &Value) -> Vec<Tool> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut tools = vec![];
    for tool in list(body, "tools") {
        let name = tool["name"].as_str().or(tool["type"].as_str()).unwrap_or_default().to_owned();
        let inside = list(tool, "tools").iter().map(|inside| Tool {
            namespace: Some(name.clone()),
            name: word(&inside["name"]),
            is_freeform: false,
        });
        tools.extend(inside);
        if list(tool, "tools").is_empty() {
            tools.push(Tool { namespace: None, name, is_freeform: tool["type"] == "custom" });
        }
    }
    tools
}

/// Writes an answer.
#[derive(Debug)]
pub(super) struct ResponsesWriter {
    info: ResponseInfo,
    sequence: u64,
    /// The items finished so far.
    output: Vec<Value>,
}

impl ResponsesWriter {
    pub(super) fn new(info: ResponseInfo) -> ResponsesWriter {
        ResponsesWriter { info, sequence: 0, output: Vec::new() }
    }

    fn event(&mut self, kind: &str, fields: Value) -> String {
        let mut data = json!({"type": kind, "sequence_number": self.sequence});
        self.sequence += 1;
        if let (Some(data), Value::Object(fields)) = (data.as_object_mut(), fields) {
            data.extend(fields);
        }
        format!("event: {kind}\ndata: {data}\n\n")
    }

    fn added(&mut self, item: &Value) -> String {
        let index = self.output.len();
        self.event("response.output_item.added", json!({"output_index": index, "item": item}))
    }

    fn done(&mut self, item: Value) -> String {
        let index = self.output.len();
        self.output.push(item.clone());
        self.event("response.output_item.done", json!({"output_index": index, "item": item}))
    }

    fn item_id(&self, prefix: &str) -> String {
        format!("{prefix}_{}_{}", self.info.id, self.output.len())
    }

    /// The response object in the first and the last event.
    fn response(&self, status: &str) -> Value {
        let usage = self.info.usage;
        let usage = match status {
            "in_progress" => Value::Null,
            _ => json!({
                "input_tokens": usage.input,
                "input_tokens_details": {"cached_tokens": usage.cached},
                "output_tokens": usage.output,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": usage.input + usage.output,
            }),
        };
        json!({
            "id": format!("resp_{}", self.info.id),
            "object": "response",
            "created_at": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()),
            "status": status,
            "model": self.info.model,
            "output": self.output,
            "usage": usage,
        })
    }
}

impl ResponseWriter for ResponsesWriter {
    fn begin(&mut self) -> String {
        let created = self.response("in_progress");
        self.event("response.created", json!({"response": created}))
    }

    fn say(&mut self, text: &str) -> String {
        let id = self.item_id("msg");
        let index = self.output.len();
        let message = |status: &str, content: Value| json!({"type": "message", "id": id, "role": "assistant", "status": status, "content": content});
        let part = |text: &str| json!({"type": "output_text", "text": text, "annotations": []});
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": id, "output_index": index, "content_index": 0});
            fields[key] = value;
            fields
        };
        let mut stream = self.added(&message("in_progress", json!([])));
        stream += &self.event("response.content_part.added", at("part", part("")));
        for delta in text_chunks(text) {
            stream += &self.event("response.output_text.delta", at("delta", delta.into()));
        }
        stream += &self.event("response.output_text.done", at("text", text.into()));
        stream += &self.event("response.content_part.done", at("part", part(text)));
        stream + &self.done(message("completed", json!([part(text)])))
    }

    fn think(&mut self, text: &str) -> String {
        let id = self.item_id("rs");
        let index = self.output.len();
        let reasoning =
            |summary: Value| json!({"type": "reasoning", "id": id, "summary": summary, "encrypted_content": null});
        let part = |text: &str| json!({"type": "summary_text", "text": text});
        let at = |key: &str, value: Value| {
            let mut fields = json!({"item_id": id, "output_index": index, "summary_index": 0});
            fields[key] = value;
            fields
        };
        let mut stream = self.added(&reasoning(json!([])));
        stream += &self.event("response.reasoning_summary_part.added", at("part", part("")));
        stream += &self.event("response.reasoning_summary_text.delta", at("delta", text.into()));
        stream += &self.event("response.reasoning_summary_text.done", at("text", text.into()));
        stream + &self.done(reasoning(json!([part(text)])))
    }

    fn call(&mut self, call: &ModelToolCall) -> String {
        let call_id = self.item_id("call");
        let mut item = match &call.input {
            ToolInput::Arguments(arguments) => {
                let (id, arguments) = (self.item_id("fc"), arguments.to_string());
                json!({"type": "function_call", "id": id, "call_id": call_id, "name": call.name, "arguments": arguments})
            }
            ToolInput::Text(text) => {
                let id = self.item_id("ctc");
                json!({"type": "custom_tool_call", "id": id, "call_id": call_id, "name": call.name, "input": text})
            }
        };
        if let Some(namespace) = &call.namespace {
            item["namespace"] = namespace.as_str().into();
        }
        self.added(&item) + &self.done(item)
    }

    fn break_off(&mut self, error: &StreamError) -> String {
        let mut failed = self.response("failed");
        failed["error"] = json!({"code": error.code, "message": error.message});
        self.event("response.failed", json!({"response": failed}))
    }

    fn end(&mut self) -> String {
        let completed = self.response("completed");
        self.event("response.completed", json!({"response": completed}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_tool_outputs_and_tools_are_read() {
        let body = json!({
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "first"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hm"}]},
                {"type": "function_call", "call_id": "b"},
                {"type": "function_call_output", "call_id": "b"},
                {"type": "custom_tool_call_output", "call_id": "c"},
            ],
            "tools": [
                {"type": "function", "name": "shell"},
                {"type": "custom", "name": "apply_patch"},
                {"type": "namespace", "name": "mcp__server", "tools": [{"name": "look"}]},
            ],
        });
        let conversation = conversation(&body);
        let words =
            [ConversationItem::User("first".into()), ConversationItem::Assistant("hm".into()), ConversationItem::Other];
        assert_eq!(conversation.items[..3], words);
        assert_eq!(conversation.tool_outputs_after(0), 2);
        assert!(conversation.tool("apply_patch").is_some_and(|tool| tool.is_freeform));
        let look = conversation.mcp_tool("look").expect("it is offered");
        assert_eq!(look.namespace.as_deref(), Some("mcp__server"));
    }
}
