//! What is tried.

use serde::Serialize;

/// One thing that a backend can be asked, or can be put through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// It does a task and gives an answer.
    Answer,
    /// It names its session.
    Session,
    /// It tells how many tokens it used.
    Tokens,
    /// A prompt that begins like an option is a prompt.
    HyphenPrompt,
    /// A model that does not exist is an error.
    UnknownModel,
    /// It goes on with a session, and knows what was said.
    Resume,
    /// A session that does not exist is an error.
    UnknownSession,
    /// It is cancelled while its model thinks.
    CancelThinking,
    /// The sandbox `read-only`.
    ReadOnly,
    /// The sandbox `workspace-write`.
    WorkspaceWrite,
    /// The sandbox `danger-full-access`.
    DangerFullAccess,
    /// It works in a project whose settings try to widen the sandbox.
    ProjectSettings,
    /// A prompt of 300,000 characters.
    LongPrompt,
    /// It makes a file.
    Edit,
    /// It is cancelled while it runs a command.
    CancelCommand,
    /// Its time is up while it runs a command.
    TimeLimit,
    /// Its model fails.
    ModelFailure,
    /// Its process is killed by somebody else.
    Crash,
}

impl Case {
    /// All of them, in the order in which they are tried.
    pub const ALL: [Self; 18] = [
        Self::Answer,
        Self::Session,
        Self::Tokens,
        Self::HyphenPrompt,
        Self::UnknownModel,
        Self::Resume,
        Self::UnknownSession,
        Self::CancelThinking,
        Self::ReadOnly,
        Self::WorkspaceWrite,
        Self::DangerFullAccess,
        Self::ProjectSettings,
        Self::LongPrompt,
        Self::Edit,
        Self::CancelCommand,
        Self::TimeLimit,
        Self::ModelFailure,
        Self::Crash,
    ];

    /// Whether it belongs to [`KitScope::Safe`](super::KitScope::Safe). A sandbox does: it is only proven on disk beyond that.
    pub fn is_safe(self) -> bool {
        match self {
            Self::Answer
            | Self::Session
            | Self::Tokens
            | Self::HyphenPrompt
            | Self::UnknownModel
            | Self::Resume
            | Self::UnknownSession
            | Self::CancelThinking
            | Self::ReadOnly
            | Self::WorkspaceWrite
            | Self::DangerFullAccess => true,
            Self::ProjectSettings
            | Self::LongPrompt
            | Self::Edit
            | Self::CancelCommand
            | Self::TimeLimit
            | Self::ModelFailure
            | Self::Crash => false,
        }
    }

    /// Whether it says nothing about an agent that cannot even answer.
    pub fn needs_an_answer(self) -> bool {
        !matches!(self, Self::Answer)
    }

    /// A few words for people, as the head of a row.
    pub fn title(self) -> &'static str {
        match self {
            Self::Answer => "does a task and answers",
            Self::Session => "names its session",
            Self::Tokens => "tells its tokens",
            Self::HyphenPrompt => "takes a prompt that looks like an option",
            Self::UnknownModel => "a model that does not exist is an error",
            Self::Resume => "goes on with a session",
            Self::UnknownSession => "a session that does not exist is an error",
            Self::CancelThinking => "is cancelled while it thinks",
            Self::ReadOnly => "sandbox read-only",
            Self::WorkspaceWrite => "sandbox workspace-write",
            Self::DangerFullAccess => "sandbox danger-full-access",
            Self::ProjectSettings => "has a weaker sandbox that a project's own settings do not widen",
            Self::LongPrompt => "takes a prompt of 300,000 characters",
            Self::Edit => "makes a file",
            Self::CancelCommand => "is cancelled while it runs a command",
            Self::TimeLimit => "is stopped at a time limit",
            Self::ModelFailure => "tells why its model failed",
            Self::Crash => "its death is noticed",
        }
    }
}
