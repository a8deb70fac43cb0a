//! Tasks that Claude Code runs in the background.

use std::collections::BTreeSet;

use serde_json::Value;

/// Upper bound on the tasks that are remembered.
const MOST: usize = 1_000;

/// The ids of tasks that have started and not ended. With `-p`, Claude Code waits for them after its `result`, for at most
/// 600 s (2.1.332).
#[derive(Debug, Default)]
pub(crate) struct BackgroundTasks {
    running: BTreeSet<String>,
}

impl BackgroundTasks {
    /// Takes note of an event of any type.
    pub(crate) fn hear(&mut self, event: &Value) {
        let Some(id) = event["task_id"].as_str().filter(|_| event["type"] == "system") else { return };
        let status = event["patch"]["status"].as_str().or(event["status"].as_str());
        let has_ended = matches!(status, Some("completed" | "failed" | "killed" | "stopped"));
        match event["subtype"].as_str() {
            Some("task_started") if self.running.len() < MOST => drop(self.running.insert(id.to_owned())),
            Some("task_notification") => drop(self.running.remove(id)),
            Some("task_updated") if has_ended => drop(self.running.remove(id)),
            _ => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}
