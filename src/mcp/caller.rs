//! The client that waits for an answer.

use rmcp::{RoleServer, service::RequestContext};

use super::{cancellation::Listening, channel::Channel, connection::Connection, looks::Looks};
use crate::{broker::Broker, task::TaskId};

/// The caller, and how to reach it while it waits.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) context: RequestContext<RoleServer>,
    pub(super) connection: Connection,
    pub(super) listening: Listening,
    pub(super) looks: Looks,
    pub(super) channel: Channel,
}

impl Caller {
    /// Tells the client when a task has ended for which no call waits, where it takes such messages.
    pub(super) fn tell_the_end_of(&self, id: &TaskId, broker: &Broker) {
        if broker.config().serving.channel && self.connection == Connection::Stdio {
            self.channel.tell_the_end_of(id, broker, self.context.peer.clone());
        }
    }
}
