//! The events that an agent reports.

use serde::{Deserialize, Serialize};

use crate::Cause;

/// One thing that an agent said or did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentEvent {
    /// The agent reported the ID of its session, which it can resume later.
    SessionStarted {
        /// The agent's own ID of the session.
        id: String,
    },
    /// A text by the agent. The last one is its answer.
    Message {
        /// The complete text.
        text: String,
    },
    /// The agent's reasoning.
    Reasoning {
        /// The complete text.
        text: String,
    },
    /// A shell command began.
    CommandStarted {
        /// Pairs it with [`AgentEvent::CommandFinished`].
        id: String,
        /// The command line, as the agent writes it.
        command: String,
    },
    /// A shell command ended.
    CommandFinished {
        /// Pairs it with [`AgentEvent::CommandStarted`].
        id: String,
        /// The command line, as the agent writes it.
        command: String,
        /// How it ended.
        status: CommandStatus,
        /// Its exit code, if it has one.
        exit_code: Option<i64>,
        /// Its complete output.
        output: String,
    },
    /// Files were changed.
    FilesChanged {
        /// Each file.
        changes: Vec<FileChange>,
        /// Whether the change was made.
        applied: bool,
    },
    /// A call of an MCP server's tool ended.
    McpToolCall {
        /// The server's name.
        server: String,
        /// The tool's name.
        tool: String,
        /// The error, if the call failed.
        error: Option<String>,
    },
    /// The agent's to-do list, each time it changes.
    TodoList {
        /// All items.
        items: Vec<TodoItem>,
    },
    /// Tokens used.
    Usage(Usage),
    /// A problem that did not stop the agent.
    Warning {
        /// In the agent's words.
        message: String,
    },
    /// A failure from which the agent tries to recover, such as a lost connection. It may repeat forever.
    TransientError {
        /// In the agent's words.
        message: String,
        /// The cause, if known. With [`Cause::Network`], the agent only waits for the network until its next step.
        cause: Option<Cause>,
    },
    /// A failure that ended the agent's work.
    FatalError {
        /// In the agent's words.
        message: String,
    },
    /// An event unknown to this version of the backend, unchanged.
    Other {
        /// The agent's name for this kind of event.
        kind: String,
        /// The complete event.
        raw: String,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStatus {
    /// It ran and succeeded.
    Completed,
    /// It ran and failed.
    Failed,
    /// It was not allowed to run.
    Declined,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The path, as the agent writes it.
    pub path: String,
    /// The kind of change.
    pub kind: FileChangeKind,
}

/// The kind of change to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileChangeKind {
    /// It was created.
    Added,
    /// Its content changed.
    Updated,
    /// It was deleted.
    Deleted,
    /// A change unknown to this version, in the agent's word.
    Other(String),
}

/// One item of a to-do list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TodoItem {
    /// The description of the item.
    pub text: String,
    /// Whether it is done.
    pub completed: bool,
}

/// Tokens that an agent used, in one run or in a session so far; see [`UsageScope`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Usage {
    /// Tokens read by the model.
    pub input_tokens: u64,
    /// Input tokens that came from a cache; part of `input_tokens`.
    pub cached_input_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// Tokens written as reasoning; part of `output_tokens`.
    pub reasoning_output_tokens: u64,
}

impl Usage {
    /// The tokens used since `earlier`. `None` if any count went down: the two counts are then from different sessions.
    pub fn since(self, earlier: Self) -> Option<Self> {
        Some(Self {
            input_tokens: self.input_tokens.checked_sub(earlier.input_tokens)?,
            cached_input_tokens: self.cached_input_tokens.checked_sub(earlier.cached_input_tokens)?,
            output_tokens: self.output_tokens.checked_sub(earlier.output_tokens)?,
            reasoning_output_tokens: self.reasoning_output_tokens.checked_sub(earlier.reasoning_output_tokens)?,
        })
    }
}

/// The scope of the token counts that an agent reports at the end of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UsageScope {
    /// Only the run.
    #[default]
    Run,
    /// The session so far, including its earlier runs.
    Session,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_subtracted_unless_a_count_has_gone_down() {
        let usage = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
        assert_eq!(usage(1_050, 105).since(usage(1_000, 100)), Some(usage(50, 5)));
        assert_eq!(usage(1_000, 100).since(usage(1_000, 100)), Some(usage(0, 0)));
        assert_eq!(usage(1_050, 99).since(usage(1_000, 100)), None);
    }
}
