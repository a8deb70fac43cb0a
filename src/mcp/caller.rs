//! The client behind a tool call.

use rmcp::{RoleServer, service::RequestContext};

use super::{
    cancellation::CancellationListener, channel::Channel, status_polls::StatusPolls, transport_kind::TransportKind,
};
use crate::{broker::Broker, task::TaskId};

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
    /// Announces the end of a task that no call waits for, if channels are enabled.
    pub(super) fn announce_end(&self, id: &TaskId, broker: &Broker) {
        if broker.config().serving.channel && self.transport == TransportKind::Stdio {
            self.channel.announce_end(id, broker, self.context.peer.clone());
        }
    }
}
