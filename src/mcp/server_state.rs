//! A server with its broker, or without one.

use crate::{broker::Broker, present::Refused};

/// The services of a server for its callers.
#[derive(Debug, Clone)]
pub enum ServerState {
    /// Everything.
    Ready(Box<Broker>),
    /// Nothing but tell what is wrong with its configuration.
    Misconfigured(Vec<Refused>),
}
