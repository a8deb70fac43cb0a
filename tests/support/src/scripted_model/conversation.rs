//! What a request says about the conversation so far.

use serde_json::Value;

/// The `input` and `tools` of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conversation<'a> {
    items: &'a [Value],
    tools: &'a [Value],
}

/// A user message and its place in the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserMessage {
    pub(super) position: usize,
    pub(super) text: String,
}

/// How a tool is to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct McpTool<'a> {
    pub(super) namespace: Option<&'a str>,
    pub(super) name: &'a str,
}

/// What Codex itself says in the user's name; none of it is a prompt. Seen in 0.47.0 to 0.169.0.
const INSERTED_BY_CODEX: [&str; 5] =
    ["<environment_context>", "<user_instructions>", "<turn_aborted>", "# AGENTS.md instructions", "Warning: "];

impl<'a> Conversation<'a> {
    /// Reads `body`, the JSON body of a request.
    pub(super) fn of(body: &'a Value) -> Conversation<'a> {
        Conversation { items: list(body, "input"), tools: list(body, "tools") }
    }

    /// The user's messages, newest first.
    pub(super) fn user_messages(&self) -> impl Iterator<Item = UserMessage> + use<'a> {
        self.items.iter().enumerate().rev().filter_map(|(position, item)| {
            let text = text_of(item.get("content")?);
            (item["role"] == "user").then_some(UserMessage { position, text })
        })
    }

    /// The newest user message that a user wrote.
    pub(super) fn prompt(&self) -> Option<UserMessage> {
        self.user_messages().find(|message| !INSERTED_BY_CODEX.iter().any(|mark| message.text.starts_with(mark)))
    }

    /// How many tool outputs stand after `position`.
    pub(super) fn tool_outputs_after(&self, position: usize) -> usize {
        let is_output = |item: &&Value| item["type"].as_str().is_some_and(|kind| kind.ends_with("_call_output"));
        self.items.iter().skip(position).filter(is_output).count()
    }

    /// The tool of an MCP server whose own name is `name`, if it is offered.
    pub(super) fn mcp_tool(&self, name: &str) -> Option<McpTool<'a>> {
        let is_it = |offered: &&str| *offered == name || offered.ends_with(&format!("__{name}"));
        self.tools.iter().find_map(|tool| {
            let own = tool["name"].as_str()?;
            let inside = list(tool, "tools").iter().filter_map(|tool| tool["name"].as_str()).find(is_it);
            match inside {
                Some(inside) => Some(McpTool { namespace: Some(own), name: inside }),
                None => is_it(&own).then_some(McpTool { namespace: None, name: own }),
            }
        })
    }

    /// The `type` of the tool called `name`, if it is offered.
    pub(super) fn tool_kind(&self, name: &str) -> Option<&'a str> {
        self.tools.iter().find(|tool| tool["name"] == name).and_then(|tool| tool["type"].as_str())
    }

    /// The names of the tools offered, for messages.
    pub(super) fn tool_names(&self) -> String {
        let names: Vec<&str> =
            self.tools.iter().filter_map(|tool| tool["name"].as_str().or_else(|| tool["type"].as_str())).collect();
        names.join(", ")
    }
}

fn list<'a>(body: &'a Value, key: &str) -> &'a [Value] {
    body[key].as_array().map_or(&[], Vec::as_slice)
}

/// The text of a message: its parts, a line break between two of them.
fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts.iter().filter_map(|part| part["text"].as_str()).collect::<Vec<_>>().join("\n"),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn body() -> Value {
        json!({
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "first"}]},
                {"type": "function_call_output", "call_id": "a"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "second"}]},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "hm"}]},
                {"type": "function_call", "call_id": "b"},
                {"type": "function_call_output", "call_id": "b"},
                {"type": "custom_tool_call_output", "call_id": "c"},
                {"type": "message", "role": "user",
                 "content": [{"type": "input_text", "text": "<environment_context>\n</environment_context>"}]},
            ],
            "tools": [{"type": "function", "name": "shell"}, {"type": "custom", "name": "apply_patch"}],
        })
    }

    #[test]
    fn the_prompt_is_the_newest_message_that_the_user_wrote() {
        let body = body();
        assert_eq!(Conversation::of(&body).prompt(), Some(UserMessage { position: 2, text: "second".into() }));
    }

    #[test]
    fn tool_outputs_are_counted_from_a_message_on() {
        let body = body();
        assert_eq!(Conversation::of(&body).tool_outputs_after(2), 2);
        assert_eq!(Conversation::of(&body).tool_outputs_after(0), 3);
    }

    #[test]
    fn a_tool_is_found_by_its_name() {
        let body = body();
        assert_eq!(Conversation::of(&body).tool_kind("apply_patch"), Some("custom"));
        assert_eq!(Conversation::of(&body).tool_kind("exec_command"), None);
    }
}
