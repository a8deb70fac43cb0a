//! Turns calls of Gemini CLI's tools into events.

use connector_api::{AgentEvent, CommandStatus, FileChange, FileChangeKind, TodoItem, UnfinishedItems, Warning};
use serde_json::Value;

/// The calls that have no result yet, by ID.
#[derive(Debug, Default)]
pub(crate) struct GeminiToolCalls(UnfinishedItems<GeminiToolCall>);

#[derive(Debug, Clone)]
enum GeminiToolCall {
    Command(String),
    File(String, FileChangeKind),
    Mcp { server: String, tool: String },
    Other(String),
}

impl GeminiToolCall {
    /// The length of its texts, in bytes.
    fn length(&self) -> usize {
        match self {
            Self::Command(text) | Self::File(text, _) | Self::Other(text) => text.len(),
            Self::Mcp { server, tool } => server.len() + tool.len(),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Command(name) | Self::File(name, _) | Self::Other(name) | Self::Mcp { tool: name, .. } => name,
        }
    }
}

impl GeminiToolCalls {
    /// A call begins: an event of type `tool_use`.
    pub(crate) fn begin(&mut self, event: &Value) -> AgentEvent {
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (id, name, input) = (word(&event["tool_id"]), word(&event["tool_name"]), &event["parameters"]);
        let file = |kind| GeminiToolCall::File(word(&input["file_path"]), kind);
        let (call, event) = match name.as_str() {
            "run_shell_command" => {
                let command = word(&input["command"]);
                (GeminiToolCall::Command(command.clone()), AgentEvent::CommandStarted { id: id.clone(), command })
            }
            "write_file" => (file(FileChangeKind::Other("written".into())), other(&name, event)),
            "replace" => (file(FileChangeKind::Updated), other(&name, event)),
            "write_todos" => (GeminiToolCall::Other(name), todo_list(input)),
            _ => match name.strip_prefix("mcp_").and_then(|rest| rest.split_once('_')) {
                Some((server, tool)) => {
                    (GeminiToolCall::Mcp { server: server.to_owned(), tool: tool.to_owned() }, other(&name, event))
                }
                None => (GeminiToolCall::Other(name.clone()), other(&name, event)),
            },
        };
        let length = call.length();
        self.0.begin(&id, call, length);
        event
    }

    /// A warning about calls that have no result.
    pub(crate) fn warning(&self) -> Option<Warning> {
        Warning::unfinished(self.0.items().map(GeminiToolCall::name))
    }

    /// A call has a result: an event of type `tool_result`.
    pub(crate) fn end(&mut self, event: &Value) -> AgentEvent {
        let id = event["tool_id"].as_str().unwrap_or_default().to_owned();
        let failed = event["status"] == "error";
        let text = event["output"].as_str().unwrap_or_default().to_owned();
        match self.0.end(&id) {
            Some(GeminiToolCall::Command(command)) => {
                let (status, exit_code) = ended(event, &text);
                AgentEvent::CommandFinished { id, command, status, exit_code, output: text }
            }
            Some(GeminiToolCall::File(path, kind)) => {
                AgentEvent::FilesChanged { changes: vec![FileChange { path, kind }], applied: !failed }
            }
            Some(GeminiToolCall::Mcp { server, tool }) => {
                let error = event["error"]["message"].as_str().map_or(text, str::to_owned);
                AgentEvent::McpToolCall { server, tool, error: failed.then_some(error) }
            }
            Some(GeminiToolCall::Other(name)) => other(&format!("{name} result"), event),
            None => other("tool_result", event),
        }
    }
}

/// How a command ended. Gemini CLI reports the exit code only if the command printed nothing, instead of its output.
/// Otherwise the exit code is unknown, and Gemini CLI reports a success.
fn ended(event: &Value, text: &str) -> (CommandStatus, Option<i64>) {
    if event["status"] == "error" {
        let was_denied = matches!(event["error"]["type"].as_str(), Some("tool_not_registered" | "policy_violation"));
        return (if was_denied { CommandStatus::Declined } else { CommandStatus::Failed }, None);
    }
    if let Some(code) = text.strip_prefix("Command exited with code: ").and_then(|code| code.trim().parse().ok()) {
        return (CommandStatus::Failed, Some(code));
    }
    if text.starts_with("Command terminated by signal: ") || text.starts_with("Command failed: ") {
        return (CommandStatus::Failed, None);
    }
    (CommandStatus::Completed, text.is_empty().then_some(0))
}

fn other(kind: &str, event: &Value) -> AgentEvent {
    AgentEvent::Other { kind: kind.to_owned(), raw: event.to_string() }
}

fn todo_list(input: &Value) -> AgentEvent {
    let items = input["todos"].as_array().map_or(&[][..], Vec::as_slice).iter().map(|todo| TodoItem {
        text: todo["description"].as_str().unwrap_or_default().to_owned(),
        completed: todo["status"] == "completed",
    });
    AgentEvent::TodoList { items: items.collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_without_a_result_are_bounded() {
        let mut calls = GeminiToolCalls::default();
        for number in 0..3_000 {
            calls.begin(&json!({"type": "tool_use", "tool_id": format!("id-{number}"), "tool_name": "run_shell_command", "parameters": {"command": "ls"}}));
        }
        let remembered = format!("{calls:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }
}
