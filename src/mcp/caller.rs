//! The client behind a tool call.

use rmcp::{RoleServer, service::RequestContext};

use super::{
    cancellation::CancellationListener, channel::Channel, status_polls::StatusPolls, transport_kind::TransportKind,
};
use crate::{broker::Broker, process::claude_session, task::TaskId};

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
            TransportKind::Stdio => claude_session(),
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
