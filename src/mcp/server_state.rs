//! The state of a server: ready, or with an invalid configuration.

use crate::{broker::Broker, present::Refused};

/// Whether a server can execute calls.
#[derive(Debug, Clone)]
pub enum ServerState {
    /// It can.
    Ready(Box<Broker>),
    /// Its configuration is invalid.
    Misconfigured {
        /// The answer to every call that starts a task.
        problems: Vec<Refused>,
        /// A broker with default settings for calls that view or cancel tasks, if the data directory is known and
        /// exists.
        viewer: Option<Box<Broker>>,
    },
}
