//! The steps of which a script is made.

use serde::{Deserialize, Serialize};

/// One thing the model does. In JSON a step is `{"say": "text"}`, and one that takes nothing `"hang"` or
/// `{"hang": true}`.
///
/// A step that calls a tool ends the model's response; the steps after it are played when the agent comes back with
/// the tool's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum ScriptStep {
    /// An assistant message. The last one of a turn is the agent's answer.
    Say(String),
    /// A reasoning summary.
    Think(String),
    /// A call of the agent's own shell tool, whatever that version names it. An agent that answers after 30 seconds
    /// while the command still runs gets the next step then.
    Shell(String),
    /// A call of `apply_patch` with this patch text (`*** Begin Patch` …), as a shell command where that is no tool.
    Patch(String),
    /// A call of the agent's own tool that writes files, offered or not; Codex has `apply_patch` for it.
    Write(FileText),
    /// A call of a tool of an MCP server, by the tool's own name.
    Tool(ToolCall),
    /// A pause, in seconds, with the response's stream open.
    Sleep(f64),
    /// Silence with the stream open, until the agent goes, or [`MAX_REQUEST_TIME`](super::MAX_REQUEST_TIME).
    Hang,
    /// An HTTP error instead of an answer. Wherever it stands before the next tool call, it comes first.
    Fail(Fail),
    /// A failure inside the stream, such as `response.failed`.
    Error(StreamError),
    /// Cuts the connection in the middle of the stream.
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

/// A file and what is to be in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileText {
    /// Its path; most agents want an absolute one.
    pub path: String,
    /// Its content.
    pub text: String,
}

/// An HTTP error, in the form of the API that is spoken, such as `{"error": {"message", "type", "code"}}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fail {
    /// The HTTP status.
    pub status: u16,
    /// The message; "scripted failure" when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// The error's `type`, such as `usage_limit_reached`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The error's `code`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// How many requests fail before the rest of the script is played; all of them when not given.
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
    /// Tokens read, those from a cache included.
    pub input: u64,
    /// Tokens read from a cache.
    pub cached: u64,
    /// Tokens written.
    pub output: u64,
}

impl Default for ScriptedUsage {
    fn default() -> ScriptedUsage {
        ScriptedUsage { input: 100, cached: 0, output: 10 }
    }
}
