//! The ways to be connected with a client, and the two eras of the protocol.

use rmcp::{RoleServer, model::ProtocolVersion, service::RequestContext};

/// How a client is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TransportKind {
    /// By our stdin and stdout.
    Stdio,
    /// By HTTP: in a session, or by one request alone.
    Http,
}

/// Whether the request is of the versions that have no handshake.
pub(super) fn is_stateless(context: &RequestContext<RoleServer>) -> bool {
    context.protocol_version().is_some_and(|version| version >= ProtocolVersion::V_2026_07_28)
}
