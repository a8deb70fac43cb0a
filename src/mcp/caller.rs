//! The client that waits for an answer.

use rmcp::{RoleServer, service::RequestContext};

use super::{
    cancellation::CancellationListener, channel::Channel, status_polls::StatusPolls, transport_kind::TransportKind,
};
use crate::{broker::Broker, task::TaskId};

/// The caller, and how to reach it while it waits.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) context: RequestContext<RoleServer>,
    pub(super) transport: TransportKind,
    pub(super) cancellation: CancellationListener,
    pub(super) status_polls: StatusPolls,
    pub(super) channel: Channel,
}

impl Caller {
    /// Tells the client when a task has ended for which no call waits, where it takes such messages.
    pub(super) fn announce_end(&self, id: &TaskId, broker: &Broker) {
        if broker.config().serving.channel && self.transport == TransportKind::Stdio {
            self.channel.announce_end(id, broker, self.context.peer.clone());
        }
    }
}
