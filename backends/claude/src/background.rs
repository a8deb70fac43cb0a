//! Claude Code's own background tasks (not tasks of codex-connector).

use connector_api::{UnfinishedItems, Warning};
use serde_json::Value;

/// The tasks that have started but not finished. With `-p`, Claude Code waits for them after its `result`, for at most 600
/// s (2.1.332).
#[derive(Debug, Default)]
pub(crate) struct BackgroundTasks {
    /// Their descriptions.
    running: UnfinishedItems<String>,
}

impl BackgroundTasks {
    /// Updates the tasks from an event. Events of other types are ignored.
    pub(crate) fn update(&mut self, event: &Value) {
        let Some(id) = event["task_id"].as_str().filter(|_| event["type"] == "system") else { return };
        let status = event["patch"]["status"].as_str().or(event["status"].as_str());
        let has_ended = matches!(status, Some("completed" | "failed" | "killed" | "stopped"));
        match event["subtype"].as_str() {
            Some("task_started") => {
                let reported = event["description"].as_str().filter(|reported| !reported.trim().is_empty());
                let description = reported.unwrap_or("a background task").to_owned();
                let length = description.len();
                self.running.begin(id, description, length);
            }
            Some("task_notification") => drop(self.running.end(id)),
            Some("task_updated") if has_ended => drop(self.running.end(id)),
            _ => {}
        }
    }

    /// A warning about the tasks that have not finished.
    pub(crate) fn warning(&self) -> Option<Warning> {
        Warning::unfinished(self.running.items().map(String::as_str))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.running.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_number_of_unfinished_tasks_is_bounded() {
        let mut tasks = BackgroundTasks::default();
        for number in 0..3_000 {
            tasks.update(&json!({"type": "system", "subtype": "task_started", "task_id": format!("id-{number}")}));
        }
        let remembered = format!("{tasks:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }
}
