//! The agents' shell and editor tools: their names and arguments.

use serde_json::{Value, json};

use super::{
    api::Api,
    conversation::Conversation,
    step::{FileText, ToolCall},
};

/// A call of a tool, as the model makes it.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ModelToolCall {
    pub(super) namespace: Option<String>,
    pub(super) name: String,
    pub(super) input: ToolInput,
}

/// The input of a tool call.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum ToolInput {
    Arguments(Value),
    Text(String),
}

/// How long Codex waits for a command before it returns while the command keeps running. The maximum is 30,000 ms.
const YIELD_MS: u64 = 30_000;
/// Time limit for a command in older versions, which wait until it ends; their default is 10 s.
const COMMAND_TIMEOUT_MS: u64 = 600_000;

/// The shell tool, with the name and arguments that this agent offers. If none is offered, it is called anyway, as a
/// real model may do, by the name that most agents with this `api` use. Codex always offers one.
pub(super) fn shell(command: &str, api: Api, conversation: &Conversation) -> Option<ModelToolCall> {
    let argv = ["bash", "-lc", command];
    let described = json!({"command": command, "description": "Run it", "timeout": COMMAND_TIMEOUT_MS});
    let kinds = [
        ("exec_command", json!({"cmd": command, "yield_time_ms": YIELD_MS})),
        ("shell_command", json!({"command": command, "timeout_ms": COMMAND_TIMEOUT_MS})),
        ("shell", json!({"command": argv, "timeout_ms": COMMAND_TIMEOUT_MS})),
        ("Bash", described.clone()),
        ("bash", described),
        ("run_shell_command", json!({"command": command, "description": "Run it", "is_background": false})),
    ];
    offered(
        kinds,
        conversation,
        match api {
            Api::Responses => None,
            Api::Messages => Some("Bash"),
            Api::ChatCompletions => Some("bash"),
            Api::Gemini => Some("run_shell_command"),
        },
    )
}

/// The first of `kinds` that is offered, or else the one named `otherwise`.
fn offered<const N: usize>(
    kinds: [(&str, Value); N],
    conversation: &Conversation,
    otherwise: Option<&str>,
) -> Option<ModelToolCall> {
    let is_offered = |(name, _): &&(&str, Value)| conversation.tool(name).is_some();
    let other = || kinds.iter().find(|(name, _)| Some(*name) == otherwise);
    kinds.iter().find(is_offered).or_else(other).map(|(name, arguments)| call(name, arguments.clone()))
}

/// `apply_patch`, as the custom tool or the function that this version of Codex offers.
pub(super) fn patch(patch: &str, api: Api, conversation: &Conversation) -> Option<ModelToolCall> {
    match conversation.tool("apply_patch") {
        Some(tool) if tool.is_freeform => Some(ModelToolCall {
            namespace: None,
            name: "apply_patch".into(),
            input: ToolInput::Text(patch.to_owned()),
        }),
        Some(_) => Some(call("apply_patch", json!({"input": patch}))),
        // Codex also accepts this form in a shell command, and older versions accept no other.
        None => shell(&format!("apply_patch <<'END_OF_PATCH'\n{patch}\nEND_OF_PATCH"), api, conversation),
    }
}

/// The tool for writing a file, whether offered or not.
pub(super) fn write(file: &FileText, api: Api, conversation: &Conversation) -> Option<ModelToolCall> {
    let FileText { path, text } = file;
    let added: String = text.lines().map(|line| format!("+{line}\n")).collect();
    let otherwise = match api {
        Api::Responses => {
            return patch(&format!("*** Begin Patch\n*** Add File: {path}\n{added}*** End Patch"), api, conversation);
        }
        Api::Messages => "Write",
        Api::ChatCompletions => "write",
        Api::Gemini => "write_file",
    };
    let kinds = [
        ("Write", json!({"file_path": path, "content": text})),
        ("write", json!({"filePath": path, "content": text})),
        ("write_file", json!({"file_path": path, "content": text})),
    ];
    offered(kinds, conversation, Some(otherwise))
}

/// A tool of an MCP server. Codex offers these in one namespace per server, other agents under long names.
pub(super) fn mcp(wanted: &ToolCall, conversation: &Conversation) -> Option<ModelToolCall> {
    let offered = conversation.mcp_tool(&wanted.name)?;
    Some(ModelToolCall { namespace: offered.namespace.clone(), ..call(&offered.name, wanted.args.clone()) })
}

fn call(name: &str, arguments: Value) -> ModelToolCall {
    ModelToolCall { namespace: None, name: name.to_owned(), input: ToolInput::Arguments(arguments) }
}
