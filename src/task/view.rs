//! Views of tasks, as they are read to be shown.

use super::{LiveView, TaskRecord, TimelineEvent, Untrusted};

/// Everything there is to see of one task.
#[derive(Debug, Clone)]
pub struct TaskView {
    /// The record, brought up to this moment while the task runs.
    pub record: TaskRecord,
    /// The current activity of a running task.
    pub live: Option<LiveView>,
    /// The end of its log.
    pub tail: LogTail,
    /// The agent's final message, its middle left out when it is long.
    pub result: Option<ResultText>,
}

/// The end of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogTail {
    /// The lines, oldest first, without line ends. Bytes that are not UTF-8 are replaced.
    pub lines: Vec<Untrusted>,
    /// Whether the log goes further back.
    pub has_more: bool,
}

/// The agent's final message, with its middle left out when it is long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResultText {
    /// The whole message, or its beginning.
    pub head: Untrusted,
    /// Bytes between `head` and `tail`.
    pub left_out: u64,
    /// The end of a long message.
    pub tail: Untrusted,
}

/// Tasks in the order in which they began, newest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// At most the number that was asked for.
    pub records: Vec<TaskRecord>,
    /// The number of tasks that there are.
    pub total: usize,
}

/// The number of an agent's steps of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Messages.
    pub messages: u64,
    /// Commands that ended.
    pub commands: u64,
    /// Changes of files, each of any number of files.
    pub changes: u64,
    /// Calls of tools.
    pub tools: u64,
    /// Warnings, and failures of the agent.
    pub warnings: u64,
}

impl Steps {
    /// Counts the step that an entry of the timeline tells of, if it does.
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
