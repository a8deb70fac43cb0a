//! The requests of ACP that are made here.

/// The version of the protocol that is spoken here.
pub(crate) const VERSION: u64 = 1;

/// A request to the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    Initialize,
    Session,
    SetMode,
    Prompt,
    SetModel,
    SetModelOption,
    SetModeOption,
}

impl Request {
    /// The agent's name for it, for messages.
    pub(crate) fn method(self, resumes: bool) -> &'static str {
        match self {
            Self::Initialize => "initialize",
            Self::Session if resumes => "session/load",
            Self::Session => "session/new",
            Self::SetMode => "session/set_mode",
            Self::SetModel => "session/set_model",
            Self::SetModeOption | Self::SetModelOption => "session/set_config_option",
            Self::Prompt => "session/prompt",
        }
    }
}
