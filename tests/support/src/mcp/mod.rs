//! A small MCP client over a child's stdin and stdout, as synchronous as a test wants it.
//!
//! It speaks as Claude Code does, in both eras of the protocol, and can also misbehave: send bytes that are no
//! message, leave calls unanswered, close stdin, signal and kill. It is no general client: what it does not know it
//! records.

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
