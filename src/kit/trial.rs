//! A task of the kit that has ended, and the processes that it left running.

use std::path::Path;

use crate::task::{TaskRecord, TaskStatus, Untrusted};

/// A task of the kit that has ended.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) record: TaskRecord,
    pub(super) answer: String,
    /// The names of the processes that the task left running.
    pub(super) survivors: Vec<String>,
    /// Whether the interference happened before the task ended.
    pub(super) interfered: bool,
}

impl Trial {
    pub(super) fn completed(&self) -> bool {
        self.record.status() == TaskStatus::Completed
    }

    /// A short description of its end.
    pub(super) fn summary(&self) -> String {
        let said = self.record.agent_said().map_or("", Untrusted::raw).lines().next().unwrap_or_default();
        let said: String = said.chars().take(160).collect();
        match (self.record.failure_reason().map(Untrusted::raw), said.is_empty()) {
            (None, _) => "completed".to_owned(),
            (Some(reason), true) => reason.to_owned(),
            (Some(reason), false) => format!("{reason}: {said}"),
        }
    }

    /// Whether it was stopped for a reason unrelated to the agent: it timed out or lost its server.
    pub(super) fn is_cut_short(&self) -> bool {
        self.failed_by("Timeout after") || self.record.status() == TaskStatus::Interrupted
    }

    /// Whether it failed with a documented reason that begins with `reason`.
    pub(super) fn failed_by(&self, reason: &str) -> bool {
        self.record.failure_reason().is_some_and(|found| found.raw().starts_with(reason))
    }
}

/// Whether a command of the kit has written its whole PID to the file.
pub(super) fn is_written(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
}
