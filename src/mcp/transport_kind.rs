//! How a client is connected, and whether it uses a stateless version of the protocol.

use rmcp::{RoleServer, model::ProtocolVersion, service::RequestContext};

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransportKind {
    /// Over the server's stdin and stdout.
    Stdio,
    /// Over HTTP, with or without an MCP session.
    Http,
}

/// Whether the request uses a stateless version of the protocol, which has no `initialize`.
pub(super) fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
