//! The live view: the current activity of a running task.

use std::iter;

use chrono::{DateTime, SubsecRound, Utc};
use serde::{Deserialize, Serialize};

use super::{Trouble, Untrusted, activity::ActivityKind, record::TaskRecord};

/// The current activity of a running task: `run/<id>/live.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveView {
    /// [`RECORD_FORMAT`](super::RECORD_FORMAT).
    pub format: u32,
    /// The supervisor's current activity, as text for people: `working`, `stopping: cancelled`.
    pub phase: Untrusted,
    /// The agent's last step, in one line.
    pub last_event: Option<Untrusted>,
    /// The problem that the agent is trying to recover from, such as a lost connection. Cleared by the agent's next
    /// step.
    pub trouble: Option<Untrusted>,
    /// Since when the agent has only been waiting for the network; absent otherwise. Cleared like `trouble`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_since: Option<DateTime<Utc>>,
    /// Bytes that the agent wrote to stdout.
    pub stdout_bytes: u64,
    /// Bytes that the agent wrote to stderr.
    pub stderr_bytes: u64,
    /// When the agent last wrote anything, or started.
    pub last_activity_at: DateTime<Utc>,
    /// The kind of that activity.
    pub last_activity_type: ActivityKind,
    /// Number of heartbeats so far.
    pub heartbeat_count: u64,
}

impl LiveView {
    /// The problem that the agent is trying to recover from.
    pub fn trouble(&self) -> Option<Trouble> {
        Some(Trouble { text: self.trouble.clone()?, offline_since: self.offline_since })
    }

    /// The texts that may contain words of an agent.
    pub fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        iter::once(&mut self.phase).chain(&mut self.last_event).chain(&mut self.trouble).map(Untrusted::raw_mut)
    }

    /// Updates a running task's record from this view.
    pub fn overlay(&self, record: &mut TaskRecord) {
        let progress = &mut record.progress;
        progress.stdout_bytes = self.stdout_bytes;
        progress.stderr_bytes = self.stderr_bytes;
        progress.last_activity_at = Some(self.last_activity_at.trunc_subsecs(3));
        progress.last_activity_type = Some(self.last_activity_type);
        progress.heartbeat_count = self.heartbeat_count;
    }
}
