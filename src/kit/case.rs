//! The cases of the kit: the promises that it tests.

use serde::Serialize;

/// One promise of a backend that the kit tests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Case {
    /// The agent completes a task and answers.
    Answer,
    /// It reports a session ID.
    Session,
    /// It reports how many tokens it used.
    Tokens,
    /// A prompt that begins like an option is not treated as one.
    HyphenPrompt,
    /// An unknown model is an error.
    UnknownModel,
    /// It resumes a session and remembers the conversation.
    Resume,
    /// An unknown session is an error.
    UnknownSession,
    /// It can be cancelled while its model works on an answer.
    CancelThinking,
    /// The sandbox `read-only`.
    ReadOnly,
    /// The sandbox `workspace-write`.
    WorkspaceWrite,
    /// The sandbox `danger-full-access`.
    DangerFullAccess,
    /// Its sandbox also holds in a project whose settings try to widen it.
    ProjectSettings,
    /// It accepts a prompt of 300,000 characters.
    LongPrompt,
    /// It creates a file.
    Edit,
    /// It can be cancelled while it runs a command.
    CancelCommand,
    /// It is stopped if it reaches the time limit while it runs a command.
    TimeLimit,
    /// It reports why its model failed.
    ModelFailure,
    /// The task fails if another process kills the agent.
    Crash,
}

impl Case {
    /// All cases, in the order in which they are tested.
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

    /// Whether the case belongs to [`KitScope::Safe`](super::KitScope::Safe). The sandboxes do, although only
    /// [`KitScope::Full`](super::KitScope::Full) verifies them on disk.
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

    /// Whether the case is skipped if the agent did not answer the first task.
    pub fn needs_an_answer(self) -> bool {
        !matches!(self, Self::Answer)
    }

    /// The title of the case in tables for people.
    pub fn title(self) -> &'static str {
        match self {
            Self::Answer => "completes a task",
            Self::Session => "reports a session ID",
            Self::Tokens => "reports token usage",
            Self::HyphenPrompt => "accepts a prompt that looks like an option",
            Self::UnknownModel => "rejects an unknown model",
            Self::Resume => "resumes a session",
            Self::UnknownSession => "rejects an unknown session",
            Self::CancelThinking => "can be cancelled while thinking",
            Self::ReadOnly => "sandbox read-only",
            Self::WorkspaceWrite => "sandbox workspace-write",
            Self::DangerFullAccess => "sandbox danger-full-access",
            Self::ProjectSettings => "keeps its sandbox despite project settings",
            Self::LongPrompt => "accepts a prompt of 300,000 characters",
            Self::Edit => "creates a file",
            Self::CancelCommand => "can be cancelled while running a command",
            Self::TimeLimit => "is stopped at the time limit",
            Self::ModelFailure => "reports why its model failed",
            Self::Crash => "its crash is detected",
        }
    }
}
