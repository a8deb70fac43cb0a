//! Turns calls of Claude Code's tools into events.

use connector_api::{AgentEvent, CommandStatus, FileChange, FileChangeKind, TodoItem, UnfinishedItems};
use serde_json::Value;

/// The calls that have no result yet, by ID.
#[derive(Debug, Default)]
pub(crate) struct ClaudeToolCalls(UnfinishedItems<ClaudeToolCall>);

#[derive(Debug, Clone)]
enum ClaudeToolCall {
    Command(String),
    File(String, FileChangeKind),
    Mcp { server: String, tool: String },
    Other(String),
}

impl ClaudeToolCall {
    /// The length of its texts, in bytes.
    fn length(&self) -> usize {
        match self {
            Self::Command(text) | Self::File(text, _) | Self::Other(text) => text.len(),
            Self::Mcp { server, tool } => server.len() + tool.len(),
        }
    }
}

impl ClaudeToolCalls {
    /// Records a call that begins, and returns its event.
    pub(crate) fn begin(&mut self, block: &Value) -> AgentEvent {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (id, name, input) = (word(&block["id"]), word(&block["name"]), &block["input"]);
        let (call, event) = match name.as_str() {
            "Bash" => {
                let command = word(&input["command"]);
                (ClaudeToolCall::Command(command.clone()), AgentEvent::CommandStarted { id: id.clone(), command })
            }
            "Write" | "Edit" | "MultiEdit" | "NotebookEdit" => {
                let path = input["file_path"].as_str().or(input["notebook_path"].as_str()).unwrap_or_default();
                let kind =
                    if name == "Write" { FileChangeKind::Other("written".into()) } else { FileChangeKind::Updated };
                (ClaudeToolCall::File(path.to_owned(), kind), other(&name, block))
            }
            "TodoWrite" => (ClaudeToolCall::Other(name), todo_list(input)),
            _ => match name.strip_prefix("mcp__").and_then(|rest| rest.split_once("__")) {
                Some((server, tool)) => {
                    (ClaudeToolCall::Mcp { server: server.to_owned(), tool: tool.to_owned() }, other(&name, block))
                }
                None => (ClaudeToolCall::Other(name.clone()), other(&name, block)),
            },
        };
        let length = call.length();
        self.0.begin(&id, call, length);
        event
    }

    /// Forgets a call that now has a result, and returns the event of the result.
    pub(crate) fn end(&mut self, block: &Value) -> AgentEvent {
        let id = block["tool_use_id"].as_str().unwrap_or_default().to_owned();
        let failed = block["is_error"] == true;
        let text = text_of(&block["content"]);
        match self.0.end(&id) {
            Some(ClaudeToolCall::Command(command)) => {
                // The output of a failed command begins with a line such as "Exit code 3".
                let code = text.strip_prefix("Exit code ").and_then(|rest| rest.lines().next()?.trim().parse().ok());
                let status = if failed { CommandStatus::Failed } else { CommandStatus::Completed };
                let exit_code = if failed { code } else { Some(0) };
                AgentEvent::CommandFinished { id, command, status, exit_code, output: text }
            }
            Some(ClaudeToolCall::File(path, kind)) => {
                AgentEvent::FilesChanged { changes: vec![FileChange { path, kind }], applied: !failed }
            }
            Some(ClaudeToolCall::Mcp { server, tool }) => {
                AgentEvent::McpToolCall { server, tool, error: failed.then_some(text) }
            }
            Some(ClaudeToolCall::Other(name)) => other(&format!("{name} result"), block),
            None => other("tool_result", block),
        }
    }
}

fn other(kind: &str, block: &Value) -> AgentEvent {
    AgentEvent::Other { kind: kind.to_owned(), raw: block.to_string() }
}

fn todo_list(input: &Value) -> AgentEvent {
    let items = input["todos"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|todo| TodoItem {
        text: todo["content"].as_str().unwrap_or_default().to_owned(),
        completed: todo["status"] == "completed",
    });
    AgentEvent::TodoList { items: items.collect() }
}

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

    #[test]
    fn calls_without_a_result_are_bounded() {
        let mut calls = ClaudeToolCalls::default();
        for number in 0..3_000 {
            calls.begin(
                &json!({"type": "tool_use", "id": format!("id-{number}"), "name": "Bash", "input": {"command": "ls"}}),
            );
        }
        let remembered = format!("{calls:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }
}
