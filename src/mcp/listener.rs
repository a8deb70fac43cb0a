//! The session behind a connection, for reports of ends.

use super::transport_kind::TransportKind;
use crate::{
    process::{claude_session, claude_window},
    store::Listener,
};

/// The client of this connection. Over HTTP, the environment says nothing about clients.
pub(super) fn listener(transport: TransportKind) -> Listener {
    match transport {
        TransportKind::Stdio => Listener { session: claude_session(), window: claude_window(), ..Listener::default() },
        TransportKind::Http => Listener::default(),
    }
}
