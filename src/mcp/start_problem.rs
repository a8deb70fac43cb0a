//! Reasons why a server cannot start.

use std::{io, net::SocketAddr};

use crate::present::{Refused, refusals};

/// The reason why a server did not start.
#[derive(Debug)]
pub enum StartProblem {
    /// The operating system refuses to start its threads.
    NoThreads(io::Error),
    /// It cannot listen on its address.
    NotListening {
        /// The address.
        address: SocketAddr,
        /// The cause.
        error: io::Error,
    },
}

impl StartProblem {
    /// The problem and the next step, for the user.
    pub fn explain(&self) -> Refused {
        match self {
            Self::NoThreads(error) => refusals::no_threads(error),
            Self::NotListening { address, error } => refusals::cannot_listen(*address, error),
        }
    }
}
