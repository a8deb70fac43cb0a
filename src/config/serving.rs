//! How the server speaks with its clients, as `[server]` and `[tools]` have it.

use std::collections::BTreeSet;

use connector_api::BackendName;
use serde::Deserialize;

/// How the server speaks with its clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Serving {
    /// What becomes of a task whose waiting call the client withdraws.
    pub on_call_cancelled: OnCallEnd,
    /// What becomes of a task whose waiting call the client withdraws because it took too long.
    pub on_call_timed_out: OnCallEnd,
    /// Whether a call is answered with a handle of the tasks extension.
    pub task_handles: TaskHandles,
    /// Whether Claude Code is sent a message when a background task ends.
    pub channel: bool,
    /// Names under which HTTP clients may reach the server, beside those of this machine for itself.
    pub http_hosts: Vec<String>,
    /// Web origins whose pages may be HTTP clients.
    pub http_origins: Vec<String>,
    /// Whether each backend but the default one has a tool of its own.
    pub tool_per_backend: bool,
    /// The tools beyond the four.
    pub extra_tools: BTreeSet<ExtraTool>,
}

/// What becomes of a task when the call that waits for it comes to an end before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnCallEnd {
    /// It is cancelled as well.
    Cancel,
    /// It goes on without a listener.
    Detach,
}

/// When `codex_agent` is answered with a handle of the extension `io.modelcontextprotocol/tasks`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskHandles {
    /// When the client declares that it knows them.
    Auto,
    /// Never.
    Off,
}

/// A tool beyond the four.
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
}

/// The tool that a backend has of its own, where each has one.
pub fn tool_of(backend: &BackendName) -> String {
    format!("{}_agent", backend.as_str().replace('-', "_"))
}
