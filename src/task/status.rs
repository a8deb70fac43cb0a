//! The documented statuses of a task.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// The status of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// The record has no end yet.
    Running,
    /// The agent did the work.
    Completed,
    /// The agent failed, was cancelled, or reached the time limit.
    Failed,
    /// The task lost its server, its supervisor or its machine.
    Interrupted,
}

impl TaskStatus {
    /// Every status, in the order of the documentation.
    pub const ALL: [Self; 4] = [Self::Running, Self::Completed, Self::Failed, Self::Interrupted];

    /// The documented word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Interrupted => "interrupted",
        }
    }

    /// The status of a task that has ended; `None` if it is running.
    pub fn end(self) -> Option<EndStatus> {
        match self {
            Self::Running => None,
            Self::Completed => Some(EndStatus::Completed),
            Self::Failed => Some(EndStatus::Failed),
            Self::Interrupted => Some(EndStatus::Interrupted),
        }
    }

    /// Whether the task has ended.
    pub fn is_final(self) -> bool {
        self.end().is_some()
    }
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EndStatus {
    /// The agent did the work.
    Completed,
    /// The agent failed, was cancelled, or reached the time limit.
    Failed,
    /// The task lost its server, its supervisor or its machine.
    Interrupted,
}

impl From<EndStatus> for TaskStatus {
    fn from(status: EndStatus) -> Self {
        match status {
            EndStatus::Completed => Self::Completed,
            EndStatus::Failed => Self::Failed,
            EndStatus::Interrupted => Self::Interrupted,
        }
    }
}

impl fmt::Display for TaskStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TaskStatus {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == word).ok_or(())
    }
}
