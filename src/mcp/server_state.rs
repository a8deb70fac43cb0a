//! The state of a server: ready, or with a broken configuration.

use crate::{broker::Broker, present::Refused};

/// Whether a server can execute calls.
#[derive(Debug, Clone)]
pub enum ServerState {
    /// It can.
    Ready(Box<Broker>),
    /// Its configuration is invalid: every call is answered with these problems.
    Misconfigured(Vec<Refused>),
}
