//! The events in a timeline.

use std::{iter, time::Duration};

use connector_api::{BackendName, Usage};
use serde::{Deserialize, Serialize};

use crate::task::{TaskRecord, TaskStatus, Untrusted, millis, optional_millis};

/// One thing that a task or its agent did. Texts are the agent's own, each cut to about
/// [`MAX_TEXT_BYTES`](super::MAX_TEXT_BYTES).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum TimelineEvent {
    /// The task is waiting in the queue.
    Queued {
        /// The number of tasks ahead of it.
        ahead: u64,
        /// Maximum number of tasks that run at once; 0 if it waits for tasks that write in the same work tree.
        max_running: u64,
    },
    /// An agent was started.
    Started {
        /// The backend it belongs to.
        backend: BackendName,
        /// The version of its program, if known.
        version: Option<String>,
        /// The number of this attempt: 1, plus one for each fallback.
        attempt: u32,
    },
    /// The agent reported its session ID.
    Session {
        /// The agent's own ID for it.
        id: String,
    },
    /// The agent said something.
    Message {
        /// The text.
        text: String,
    },
    /// The agent reported its reasoning.
    Reasoning {
        /// The text.
        text: String,
    },
    /// A shell command began.
    CommandStarted {
        /// The command line.
        command: String,
    },
    /// A shell command ended.
    CommandFinished {
        /// The command line.
        command: String,
        /// How it ended.
        status: CommandOutcome,
        /// Its exit code, if it has one.
        exit_code: Option<i64>,
        /// How long it took, if its start was reported too.
        #[serde(rename = "durationMs", with = "optional_millis", default)]
        took: Option<Duration>,
        /// Its output.
        output: String,
    },
    /// The agent changed files, or tried to.
    FilesChanged {
        /// The first files.
        files: Vec<ChangedFile>,
        /// The number of files that are not listed.
        #[serde(default, skip_serializing_if = "is_zero")]
        omitted: u64,
        /// Whether the change was made.
        applied: bool,
    },
    /// A call to a tool of an MCP server ended.
    Tool {
        /// The server's name.
        server: String,
        /// The tool's name.
        tool: String,
        /// The error, if the call failed.
        error: Option<String>,
    },
    /// The agent's to-do list.
    Plan {
        /// The number of items that are done.
        done: u64,
        /// The total number of items.
        total: u64,
        /// The first items, as many as fit into an entry.
        items: Vec<PlanItem>,
    },
    /// Tokens used so far, as the agent counts them.
    Usage {
        /// The counts.
        usage: Usage,
    },
    /// The newest line of output that is not part of the agent's protocol. At most one per second.
    Output {
        /// The line.
        text: String,
    },
    /// A problem that does not end the task by itself.
    Warning {
        /// The source of the warning.
        source: WarningSource,
        /// The text.
        text: String,
        /// Whether the agent only waits for the network until its next step.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        offline: bool,
    },
    /// The agent has been silent for a while.
    Silence {
        /// How long it has been silent.
        #[serde(rename = "durationMs", with = "millis")]
        lasting: Duration,
    },
    /// The backend cannot work at all.
    Fallback {
        /// The reason.
        reason: String,
        /// The backend that takes over; `None` if no fallback is left.
        to: Option<BackendName>,
    },
    /// The agent is being stopped.
    Stopping {
        /// The reason.
        cause: String,
    },
    /// The changes that a task made to its repository, between two snapshots.
    Changes {
        /// The commit with the state before.
        base: String,
        /// The commit with the state after.
        head: String,
        /// The number of changed files.
        files: u64,
        /// Lines added.
        added: u64,
        /// Lines removed.
        removed: u64,
        /// The number of files left out of the snapshots.
        #[serde(default, skip_serializing_if = "is_zero")]
        omitted: u64,
    },
    /// The task has ended. This is the last entry.
    Ended {
        /// How it ended.
        status: TaskStatus,
        /// Why it did not complete.
        reason: Option<String>,
        /// The agent's exit code.
        exit_code: Option<i32>,
        /// The name of the signal that ended the agent.
        exit_signal: Option<String>,
        /// How long the task took.
        #[serde(rename = "durationMs", with = "optional_millis", default)]
        took: Option<Duration>,
    },
    /// Entries are missing here.
    Omitted {
        /// The number of missing entries.
        count: u64,
    },
    /// A kind that this version does not know, or an entry that lacks a required field.
    #[serde(skip)]
    Unknown {
        /// The kind.
        kind: String,
    },
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommandOutcome {
    /// It ran and succeeded.
    Completed,
    /// It ran and failed.
    Failed,
    /// It was not allowed to run.
    Declined,
}

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedFile {
    /// The path, as written by the agent.
    pub path: String,
    /// `added`, `updated`, `deleted`, or the agent's own word.
    pub change: String,
}

/// One item of a to-do list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanItem {
    /// The item's text.
    pub text: String,
    /// Whether it is done.
    pub done: bool,
}

/// The source of a warning, and how serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WarningSource {
    /// This program.
    Connector,
    /// The agent, about something that does not stop it.
    Agent,
    /// The agent, about a failure that it tries to recover from.
    AgentTrouble,
    /// The agent, about a failure that ends its work.
    AgentError,
}

impl TimelineEvent {
    /// The event for the end of the task with this record; `None` while the task runs.
    pub fn ended(record: &TaskRecord) -> Option<Self> {
        let end = record.end.as_ref()?;
        Some(Self::Ended {
            status: record.status(),
            reason: end.failure_reason.clone().map(Untrusted::into_raw),
            exit_code: end.exit_code,
            exit_signal: end.exit_signal.clone(),
            took: end.duration.map(Duration::from_millis),
        })
    }

    /// The name of its kind in the file.
    pub fn kind(&self) -> &str {
        match self {
            Self::Queued { .. } => "queued",
            Self::Started { .. } => "started",
            Self::Session { .. } => "session",
            Self::Message { .. } => "message",
            Self::Reasoning { .. } => "reasoning",
            Self::CommandStarted { .. } => "command_started",
            Self::CommandFinished { .. } => "command_finished",
            Self::FilesChanged { .. } => "files_changed",
            Self::Tool { .. } => "tool",
            Self::Plan { .. } => "plan",
            Self::Usage { .. } => "usage",
            Self::Output { .. } => "output",
            Self::Warning { .. } => "warning",
            Self::Silence { .. } => "silence",
            Self::Fallback { .. } => "fallback",
            Self::Stopping { .. } => "stopping",
            Self::Changes { .. } => "changes",
            Self::Ended { .. } => "ended",
            Self::Omitted { .. } => "omitted",
            Self::Unknown { kind } => kind,
        }
    }

    /// Whether the agent reports that it only waits for the network.
    pub fn is_offline(&self) -> bool {
        matches!(self, Self::Warning { offline: true, .. })
    }

    /// Whether it is exempt from the limits on the rate and size of a timeline.
    pub fn is_exempt(&self) -> bool {
        is_exempt(self.kind())
    }

    /// The texts that may contain words of an agent.
    pub fn untrusted_texts(&mut self) -> Box<dyn Iterator<Item = &mut String> + '_> {
        match self {
            Self::Session { id: text }
            | Self::Message { text }
            | Self::Reasoning { text }
            | Self::CommandStarted { command: text }
            | Self::Output { text }
            | Self::Warning { text, .. }
            | Self::Fallback { reason: text, .. }
            | Self::Stopping { cause: text } => Box::new(iter::once(text)),
            Self::CommandFinished { command, output, .. } => Box::new([command, output].into_iter()),
            Self::FilesChanged { files, .. } => {
                Box::new(files.iter_mut().flat_map(|file| [&mut file.path, &mut file.change]))
            }
            Self::Tool { server, tool, error } => Box::new([server, tool].into_iter().chain(error)),
            Self::Plan { items, .. } => Box::new(items.iter_mut().map(|item| &mut item.text)),
            Self::Started { version, .. } => Box::new(version.iter_mut()),
            Self::Ended { reason, .. } => Box::new(reason.iter_mut()),
            Self::Queued { .. }
            | Self::Usage { .. }
            | Self::Silence { .. }
            | Self::Changes { .. }
            | Self::Omitted { .. }
            | Self::Unknown { .. } => Box::new(iter::empty()),
        }
    }
}

/// Whether entries of this kind are always written and never removed: the milestones of a task, and its changes.
pub(crate) fn is_exempt(kind: &str) -> bool {
    matches!(kind, "queued" | "started" | "fallback" | "stopping" | "changes" | "ended")
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde requires a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
