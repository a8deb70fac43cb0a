//! The client behind a tool call.

use rmcp::{RoleServer, service::RequestContext};

use super::{
    cancellation::CancellationListener, channel::Channel, status_polls::StatusPolls, transport_kind::TransportKind,
};
use crate::{broker::Broker, task::TaskId};

/// Maximum length of a session ID, in bytes. Claude Code's are UUIDs.
const MAX_SESSION_BYTES: usize = 64;

/// The client that made a call, and the ways to reach it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) context: RequestContext<RoleServer>,
    pub(super) transport: TransportKind,
    pub(super) cancellation: CancellationListener,
    pub(super) status_polls: StatusPolls,
    pub(super) channel: Channel,
}

impl Caller {
    /// Whether the client declares the tasks extension, in its handshake or in this call.
    pub(super) fn supports_handles(&self) -> bool {
        self.context.client_capabilities().is_some_and(|client| client.supports_tasks())
    }

    /// The ID of the Claude Code session that started this server. `None` over HTTP, where the server's environment says
    /// nothing about its clients.
    pub(super) fn session(&self) -> Option<String> {
        match self.transport {
            TransportKind::Stdio => std::env::var("CLAUDE_CODE_SESSION_ID").ok().filter(|session| is_session(session)),
            TransportKind::Http => None,
        }
    }

    /// Announces the end of a task that no call waits for, if channels are enabled.
    pub(super) fn announce_end(&self, id: &TaskId, broker: &Broker) {
        if broker.config().serving.channel && self.transport == TransportKind::Stdio {
            self.channel.announce_end(id, broker, self.context.peer.clone());
        }
    }
}

/// Whether this can be a session ID. Rejects everything else, because the ID is copied into each record.
fn is_session(text: &str) -> bool {
    (1..=MAX_SESSION_BYTES).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
