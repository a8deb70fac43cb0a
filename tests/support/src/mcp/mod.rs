//! A small synchronous MCP client that talks to a child process over stdin and stdout.
//!
//! It behaves like Claude Code in both eras of the protocol. It can also misbehave: it can send invalid messages,
//! leave calls unanswered, close stdin, and signal or kill the server. It is not a general client: it only records
//! messages that it does not understand.

mod answer;
mod call;
mod inbox;
mod server;

pub use answer::{McpError, ToolAnswer};
pub use call::PendingCall;
pub use server::McpServer;

/// The protocol version of [`McpServer::initialize`].
pub const LEGACY_VERSION: &str = "2025-11-25";
/// The protocol version of [`McpServer::discover`].
pub const STATELESS_VERSION: &str = "2026-07-28";
