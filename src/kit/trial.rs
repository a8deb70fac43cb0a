//! One task of the kit that has ended, and what it left behind.

use std::path::Path;

use crate::task::{TaskRecord, TaskStatus, Untrusted};

/// A task of the kit that has ended.
#[derive(Debug, Clone)]
pub(super) struct Trial {
    pub(super) record: TaskRecord,
    pub(super) answer: String,
    /// The names of the processes that it left running.
    pub(super) survivors: Vec<String>,
    /// Whether the interference took place.
    pub(super) interfered: bool,
}

impl Trial {
    pub(super) fn completed(&self) -> bool {
        self.record.status() == TaskStatus::Completed
    }

    /// How it ended, in a few words.
    pub(super) fn summary(&self) -> String {
        let said = self.record.agent_said().map_or("", Untrusted::raw).lines().next().unwrap_or_default();
        let said: String = said.chars().take(160).collect();
        match (self.record.failure_reason().map(Untrusted::raw), said.is_empty()) {
            (None, _) => "completed".to_owned(),
            (Some(reason), true) => reason.to_owned(),
            (Some(reason), false) => format!("{reason}: {said}"),
        }
    }

    /// Whether its end says nothing about the agent: its time was up, or it lost its server.
    pub(super) fn is_cut_short(&self) -> bool {
        self.failed_by("Timeout after") || self.record.status() == TaskStatus::Interrupted
    }

    /// Whether it failed for this documented reason, or for one that begins like it.
    pub(super) fn failed_by(&self, reason: &str) -> bool {
        self.record.failure_reason().is_some_and(|found| found.raw().starts_with(reason))
    }
}

/// Commands of the kit write their process id.
pub(super) fn is_written(file: &Path) -> bool {
    std::fs::read_to_string(file).is_ok_and(|text| text.ends_with('\n'))
}
