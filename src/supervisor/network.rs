//! Whether the agent only waits for the network.

use connector_api::{AgentEvent, Cause};

/// The agent's need for the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NetworkState {
    /// It only waits for the network.
    Waiting,
    /// It does not wait for the network.
    Working,
}

impl NetworkState {
    /// The state after an event; `None` if the event does not change it.
    pub(super) fn after(event: &AgentEvent) -> Option<Self> {
        match event {
            AgentEvent::TransientError { cause: Some(Cause::Network), .. } => Some(Self::Waiting),
            AgentEvent::Other { .. } | AgentEvent::Warning { .. } => None,
            AgentEvent::TransientError {
                cause: Some(Cause::NotLoggedIn | Cause::OutOfQuota | Cause::Capacity) | None,
                ..
            }
            | AgentEvent::SessionStarted { .. }
            | AgentEvent::Message { .. }
            | AgentEvent::Reasoning { .. }
            | AgentEvent::CommandStarted { .. }
            | AgentEvent::CommandFinished { .. }
            | AgentEvent::FilesChanged { .. }
            | AgentEvent::McpToolCall { .. }
            | AgentEvent::TodoList { .. }
            | AgentEvent::Usage(_)
            | AgentEvent::FatalError { .. } => Some(Self::Working),
        }
    }
}
