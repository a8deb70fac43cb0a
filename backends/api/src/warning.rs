//! Warnings about a run.

use serde::{Deserialize, Serialize};

/// A caveat about a run that its status does not show, such as an answer that may not be one. It is shown above the answer
/// and kept in the task's record.
///
/// Use it for anything the user should act on or distrust. A complaint that the agent makes while it works is an
/// [`AgentEvent::Warning`](crate::AgentEvent::Warning), which is only logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// One sentence without a full stop.
    pub message: String,
    /// Advice for the user, if there is any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Warning {
    /// A warning without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }
}
