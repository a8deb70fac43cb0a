//! The ACP requests that this backend sends.

/// The version of the protocol that this backend supports.
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
    /// The method of this request. `resumes` says whether the run resumes a session.
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
