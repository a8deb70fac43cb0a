//! The steps of a script.

use serde::{Deserialize, Serialize};

/// One step of the model. In JSON, a step is `{"say": "text"}`; a step without a value is `"hang"` or `{"hang": true}`.
///
/// A tool call ends the model's response. The steps after it are played when the agent returns the tool's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScriptStep {
    /// An assistant message. The last one in a turn is the agent's answer.
    Say(String),
    /// A reasoning summary.
    Think(String),
    /// A call of the agent's own shell tool, whatever this version calls it. If the agent answers after 30 seconds
    /// while the command is still running, the next step follows then.
    Shell(String),
    /// A call of `apply_patch` with this patch text (`*** Begin Patch` …). If the agent has no such tool, it is a
    /// shell command.
    Patch(String),
    /// A call of the agent's own tool for writing files, whether offered or not. For Codex, this is `apply_patch`.
    Write(FileText),
    /// A call of a tool of an MCP server, by the tool's own name.
    Tool(ToolCall),
    /// A pause in seconds, with the response's stream open.
    Sleep(f64),
    /// Silence with the stream open, until the agent disconnects or [`MAX_REQUEST_TIME`](super::MAX_REQUEST_TIME)
    /// passes.
    Hang,
    /// An HTTP error instead of an answer. It comes first, wherever it appears before the next tool call.
    Fail(Fail),
    /// A failure inside the stream, such as `response.failed`.
    Error(StreamError),
    /// A cut connection in the middle of the stream.
    Drop,
    /// The token counts to report for this response.
    Usage(ScriptedUsage),
}

impl ScriptStep {
    /// Whether the agent answers this step with a tool's output.
    pub(super) fn calls_a_tool(&self) -> bool {
        matches!(self, ScriptStep::Shell(_) | ScriptStep::Patch(_) | ScriptStep::Write(_) | ScriptStep::Tool(_))
    }
}

/// A call of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolCall {
    /// The tool's name.
    pub name: String,
    /// Its arguments.
    #[serde(default)]
    pub args: serde_json::Value,
}

/// A file and its intended content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Its path; most agents want an absolute one.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// An HTTP error in the format of the API in use, such as `{"error": {"message", "type", "code"}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The HTTP status.
    pub status: u16,
    /// The message; "scripted failure" by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The error's `type`, such as `usage_limit_reached`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The error's `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many requests fail before the rest of the script is played; all of them by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
}

/// A failure inside the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StreamError {
    /// The message.
    pub message: String,
    /// The code, such as `context_length_exceeded`.
    pub code: String,
}

/// Token counts of one response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ScriptedUsage {
    /// Input tokens, including those from a cache.
    pub input: u64,
    /// Input tokens from a cache.
    pub cached: u64,
    /// Output tokens.
    pub output: u64,
}

impl Default for ScriptedUsage {
    fn default() -> ScriptedUsage {
        ScriptedUsage { input: 100, cached: 0, output: 10 }
    }
}
