//! Reasons for a server not to start.

use std::{io, net::SocketAddr};

use crate::present::{Refused, refusals};

/// Why a server did not begin.
#[derive(Debug)]
pub enum StartProblem {
    /// The operating system has no room for its threads.
    NoThreads(io::Error),
    /// Its address cannot be listened on.
    NotListening {
        /// The address.
        address: SocketAddr,
        /// Why not.
        error: io::Error,
    },
}

impl StartProblem {
    /// The problem, and the next step.
    pub fn explain(&self) -> Refused {
        match self {
            Self::NoThreads(error) => refusals::no_threads(error),
            Self::NotListening { address, error } => refusals::cannot_listen(*address, error),
        }
    }
}
