//! What a user has to know about a run besides its verdict.

use serde::{Deserialize, Serialize};

/// Something about a run that its status does not tell, such as an answer that may not be one. It is shown above the
/// answer, and kept in the task's record.
///
/// For what the user should act on or distrust. What an agent complains about on its way is an
/// [`AgentEvent::Warning`](crate::AgentEvent::Warning), which is only logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Warning {
    /// One sentence, without its full stop.
    pub message: String,
    /// What the user can do about it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

impl Warning {
    /// One without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None }
    }
}
