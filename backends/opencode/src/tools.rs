//! Turns calls of OpenCode's tools into events. OpenCode reports a call when it has ended.

use connector_api::{AgentEvent, CommandStatus, FileChange, FileChangeKind, TodoItem};
use serde_json::Value;

/// OpenCode's own tools whose names look like those of an MCP server's tools.
const BUILT_IN: [&str; 2] = ["plan_enter", "plan_exit"];

/// The event for a call that has ended. `part` is the `part` of a `tool_use` event.
pub(crate) fn used(part: &Value, raw: &str) -> AgentEvent {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let (name, state) = (word(&part["tool"]), &part["state"]);
    let input = &state["input"];
    let failure = (state["status"] == "error").then(|| word(&state["error"]));
    let other = || AgentEvent::Other { kind: format!("tool_use {name}").trim().to_owned(), raw: raw.to_owned() };
    match (name.as_str(), failure) {
        ("bash", failure) => {
            let exit_code = state["metadata"]["exit"].as_i64();
            let status = match &failure {
                Some(why) if was_denied(why) => CommandStatus::Declined,
                Some(_) => CommandStatus::Failed,
                None if exit_code.is_some_and(|code| code != 0) => CommandStatus::Failed,
                None => CommandStatus::Completed,
            };
            let output = failure.unwrap_or_else(|| word(&state["output"]));
            let (id, command) = (word(&part["callID"]), word(&input["command"]));
            AgentEvent::CommandFinished { id, command, status, exit_code, output }
        }
        ("write" | "edit" | "multiedit" | "apply_patch" | "patch", failure) => {
            let changes = changes(&name, input, &state["metadata"]);
            if changes.is_empty() { other() } else { AgentEvent::FilesChanged { changes, applied: failure.is_none() } }
        }
        ("todowrite", None) => match input["todos"].as_array() {
            Some(todos) => AgentEvent::TodoList { items: todos.iter().map(todo).collect() },
            None => other(),
        },
        (built_in, _) if BUILT_IN.contains(&built_in) => other(),
        // OpenCode writes SERVER_TOOL, so the end of the server's name is a guess.
        (_, error) => match name.split_once('_') {
            Some((server, tool)) => AgentEvent::McpToolCall { server: server.to_owned(), tool: tool.to_owned(), error },
            None => other(),
        },
    }
}

/// Whether a rule denied the call, or there was no user to allow it.
fn was_denied(why: &str) -> bool {
    why.contains("rejected permission") || why.contains("specified a rule which prevents")
}

fn changes(tool: &str, input: &Value, metadata: &Value) -> Vec<FileChange> {
    if let Some(files) = metadata["files"].as_array() {
        let change = |file: &Value| {
            let kind = match file["type"].as_str().unwrap_or_default() {
                "add" => FileChangeKind::Added,
                "update" => FileChangeKind::Updated,
                "delete" => FileChangeKind::Deleted,
                kind => FileChangeKind::Other(kind.to_owned()),
            };
            Some(FileChange { path: file["filePath"].as_str()?.to_owned(), kind })
        };
        return files.iter().filter_map(change).collect();
    }
    let kind = match (tool, metadata["exists"].as_bool()) {
        ("write", Some(false)) => FileChangeKind::Added,
        ("write", None) => FileChangeKind::Other("written".to_owned()),
        _ => FileChangeKind::Updated,
    };
    input["filePath"].as_str().map(|path| FileChange { path: path.to_owned(), kind }).into_iter().collect()
}

fn todo(todo: &Value) -> TodoItem {
    TodoItem { text: todo["content"].as_str().unwrap_or_default().to_owned(), completed: todo["status"] == "completed" }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(tool: &str, state: Value) -> AgentEvent {
        used(&json!({"tool": tool, "callID": "call_1", "state": state}), "the line")
    }

    #[test]
    fn a_denied_command_differs_from_a_failed_one() {
        let denied = "The user rejected permission to use this specific tool call.";
        for (state, expected) in [
            (json!({"status": "completed", "output": "x", "metadata": {"exit": 0}}), CommandStatus::Completed),
            (json!({"status": "completed", "output": "x", "metadata": {"exit": 2}}), CommandStatus::Failed),
            (json!({"status": "error", "error": "no such directory"}), CommandStatus::Failed),
            (json!({"status": "error", "error": denied}), CommandStatus::Declined),
        ] {
            let event = event("bash", state);
            assert!(matches!(event, AgentEvent::CommandFinished { status, .. } if status == expected), "{event:?}");
        }
    }

    #[test]
    fn a_file_change_is_added_updated_or_failed() {
        let change = |tool, exists: Value, status| {
            let state = json!({"status": status, "input": {"filePath": "/p/x"}, "metadata": {"exists": exists}});
            match event(tool, state) {
                AgentEvent::FilesChanged { changes, applied } => (changes[0].kind.clone(), applied),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(change("write", json!(false), "completed"), (FileChangeKind::Added, true));
        assert_eq!(change("write", json!(true), "completed"), (FileChangeKind::Updated, true));
        assert_eq!(change("edit", json!(null), "error"), (FileChangeKind::Updated, false));
    }

    #[test]
    fn tools_of_mcp_servers_are_distinguished_from_built_in_and_unknown_ones() {
        let failed = event("demo_add_it", json!({"status": "error", "error": "no"}));
        let AgentEvent::McpToolCall { server, tool, error } = failed else { panic!("{failed:?}") };
        assert_eq!((server.as_str(), tool.as_str(), error.as_deref()), ("demo", "add_it", Some("no")));
        for tool in ["plan_exit", "read", "invalid", ""] {
            let event = event(tool, json!({"status": "completed"}));
            assert!(matches!(&event, AgentEvent::Other { raw, .. } if raw == "the line"), "{event:?}");
        }
        for tool in ["todowrite", "write", "apply_patch"] {
            assert!(matches!(event(tool, json!({"input": 3})), AgentEvent::Other { .. }), "{tool}");
        }
    }
}
