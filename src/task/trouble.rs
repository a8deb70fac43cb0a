//! A problem that a running agent is trying to recover from.

use chrono::{DateTime, Utc};

use super::Untrusted;

/// A problem that a running agent is trying to recover from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// In the agent's words.
    pub text: Untrusted,
    /// Since when the agent has only been waiting for the network; `None` if this is another problem.
    pub offline_since: Option<DateTime<Utc>>,
}
