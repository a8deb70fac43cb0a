//! The settings in `[server]` and `[tools]`: the server's behavior towards its clients.

use std::collections::BTreeSet;

use connector_api::BackendName;
use serde::Deserialize;

/// The server's behavior towards its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// The effect on a task when the client cancels the call that waits for it.
    pub on_call_cancelled: OnCallEnd,
    /// The effect on a task when the client cancels the call that waits for it because the call took too long.
    pub on_call_timed_out: OnCallEnd,
    /// Whether a call is answered with a handle of MCP's tasks extension.
    pub task_handles: TaskHandles,
    /// Whether the server sends Claude Code a message when a background task ends.
    pub channel: bool,
    /// Host names under which HTTP clients may reach the server, in addition to the local ones.
    pub http_hosts: Vec<String>,
    /// Web origins whose pages may call the server over HTTP.
    pub http_origins: Vec<String>,
    /// Whether the server also serves the web UI over HTTP.
    pub web_ui: bool,
    /// Whether each backend except the default one gets its own tool.
    pub tool_per_backend: bool,
    /// The optional tools to offer.
    pub extra_tools: BTreeSet<ExtraTool>,
}

/// The effect on a task when the call that waits for it ends before the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCallEnd {
    /// The task is cancelled too.
    Cancel,
    /// The task keeps running in the background.
    Detach,
}

/// Which calls that start a task are answered with a handle, if the client declares support for the extension
/// `io.modelcontextprotocol/tasks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskHandles {
    /// Calls with `async: true`.
    Async,
    /// All calls. Version 2.0.0 called this value `auto`.
    #[serde(alias = "auto")]
    All,
    /// None.
    Off,
}

/// A tool that is off by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtraTool {
    /// `codex_wait`.
    Wait,
    /// `codex_result`.
    Result,
    /// `codex_sessions`.
    Sessions,
    /// `codex_resume`.
    Resume,
    /// `codex_diff`.
    Diff,
    /// `codex_undo`.
    Undo,
    /// `codex_apply`.
    Apply,
}

/// The name of a backend's own tool.
pub fn tool_of(backend: &BackendName) -> String {
    format!("{}_agent", backend.as_str().replace('-', "_"))
}
