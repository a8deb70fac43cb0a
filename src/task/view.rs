//! Snapshots of tasks, read in order to be shown.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{LiveView, TaskId, TaskRecord, TimelineEvent, Untrusted};

/// Everything that can be shown about one task.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The record; for a running task, updated from the live view.
    pub record: TaskRecord,
    /// The current activity of a running task.
    pub live: Option<LiveView>,
    /// The end of its log.
    pub tail: LogTail,
    /// The agent's final message.
    pub result: Option<ResultText>,
}

/// The end of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    /// The lines, oldest first, without line endings. Bytes that are not UTF-8 are replaced.
    pub lines: Vec<Untrusted>,
    /// Whether the log goes further back.
    pub has_more: bool,
}

/// The agent's final message. The middle of a long one is omitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultText {
    /// The whole message, or its beginning.
    pub head: Untrusted,
    /// Number of bytes omitted between `head` and `tail`.
    pub left_out: u64,
    /// The end of a long message; otherwise empty.
    pub tail: Untrusted,
}

/// A list of tasks, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// At most the requested number.
    pub records: Vec<TaskRecord>,
    /// The number of all matching tasks; of those that were found, if the listing is partial.
    pub total: usize,
    /// Whether older tasks may be missing, because the catalog of a long history is being built.
    pub is_partial: bool,
    /// The running tasks among `records` whose agents cannot work at the moment.
    pub waiting: BTreeMap<TaskId, WaitsFor>,
}

/// The obstacle that keeps a running task's agent from working.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitsFor {
    /// Its turn: `limits.max_running` tasks are running already.
    Turn,
    /// The network.
    Network {
        /// When the wait began.
        since: DateTime<Utc>,
    },
}

/// How many steps of each kind an agent took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Messages.
    pub messages: u64,
    /// Commands that ended.
    pub commands: u64,
    /// File changes. One change can affect several files.
    pub changes: u64,
    /// Tool calls.
    pub tools: u64,
    /// Warnings and errors of the agent, and periods of silence.
    pub warnings: u64,
}

impl Steps {
    /// Counts the event if it is a step.
    pub fn count(&mut self, event: &TimelineEvent) {
        let counter = match event {
            TimelineEvent::Message { .. } => &mut self.messages,
            TimelineEvent::CommandFinished { .. } => &mut self.commands,
            TimelineEvent::FilesChanged { applied: true, .. } => &mut self.changes,
            TimelineEvent::Tool { .. } => &mut self.tools,
            TimelineEvent::Warning { .. } | TimelineEvent::Silence { .. } => &mut self.warnings,
            TimelineEvent::FilesChanged { applied: false, .. }
            | TimelineEvent::Queued { .. }
            | TimelineEvent::Started { .. }
            | TimelineEvent::Session { .. }
            | TimelineEvent::Reasoning { .. }
            | TimelineEvent::CommandStarted { .. }
            | TimelineEvent::Plan { .. }
            | TimelineEvent::Usage { .. }
            | TimelineEvent::Output { .. }
            | TimelineEvent::Fallback { .. }
            | TimelineEvent::Stopping { .. }
            | TimelineEvent::Changes { .. }
            | TimelineEvent::Ended { .. }
            | TimelineEvent::Omitted { .. }
            | TimelineEvent::Unknown { .. } => return,
        };
        *counter += 1;
    }
}
