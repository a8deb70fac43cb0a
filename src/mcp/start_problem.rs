//! Reasons for a server not to start.

use std::{io, net::SocketAddr};

/// Why a server did not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartProblem {
    /// The operating system has no room for its threads.
    #[error("cannot start the threads of the server: {0}")]
    NoThreads(#[source] io::Error),
    /// Its address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    NotListening {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

impl StartProblem {
    /// What to do about it.
    pub fn next(&self) -> &'static str {
        match self {
            Self::NoThreads(_) => {
                "raise the limit on processes (`ulimit -u`, or `pids.max` of the container), or end other processes"
            }
            Self::NotListening { .. } => "choose another port; 0 is any",
        }
    }
}
