//! What a site knows about the connection of a request, and what it can do with it.

use std::net::SocketAddr;

use rustix::process::geteuid;
use tokio_util::sync::CancellationToken;

use super::connection_slots::ConnectionSlot;
use crate::process::user_of_peer;

/// One connection. It keeps its slot until it ends.
#[derive(Debug)]
pub(crate) struct Connection {
    slot: ConnectionSlot,
    local: Option<SocketAddr>,
    peer: SocketAddr,
    closing: CancellationToken,
}

impl Connection {
    pub(super) fn new(
        slot: ConnectionSlot,
        local: Option<SocketAddr>,
        peer: SocketAddr,
        closing: CancellationToken,
    ) -> Self {
        Self { slot, local, peer, closing }
    }

    /// Records that the client has proven who it is. The connection is no longer dismissed to make room.
    pub(crate) fn mark_authenticated(&self) {
        self.slot.mark_authenticated();
    }

    /// The port of this server.
    pub(crate) fn port(&self) -> u16 {
        self.local.map_or(0, |local| local.port())
    }

    /// Whether both ends are on this machine, so that nobody else can read the traffic.
    pub(crate) fn is_loopback(&self) -> bool {
        let is_loopback = |end: SocketAddr| end.ip().to_canonical().is_loopback();
        self.local.is_some_and(is_loopback) && is_loopback(self.peer)
    }

    /// Whether a process of another user, who is not root, has the other end. Not if the system does not say.
    pub(crate) fn is_of_other_user(&self) -> bool {
        let user = self.local.filter(|_| self.is_loopback()).and_then(|local| user_of_peer(local, self.peer));
        user.is_some_and(|user| user != 0 && user != geteuid().as_raw())
    }

    /// Closes the connection at once, even in the middle of a response, when it is cancelled.
    pub(crate) fn closing(&self) -> CancellationToken {
        self.closing.clone()
    }
}
