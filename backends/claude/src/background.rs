//! Tasks that Claude Code runs in the background.

use connector_api::UnderWay;
use serde_json::Value;

/// The tasks that have started and not ended. With `-p`, Claude Code waits for them after its `result`, for at most
/// 600 s (2.1.332).
#[derive(Debug, Default)]
pub(crate) struct BackgroundTasks {
    running: UnderWay<()>,
}

impl BackgroundTasks {
    /// Takes note of an event of any type.
    pub(crate) fn hear(&mut self, event: &Value) {
        let Some(id) = event["task_id"].as_str().filter(|_| event["type"] == "system") else { return };
        let status = event["patch"]["status"].as_str().or(event["status"].as_str());
        let has_ended = matches!(status, Some("completed" | "failed" | "killed" | "stopped"));
        match event["subtype"].as_str() {
            Some("task_started") => drop(self.running.begin(id, (), 0)),
            Some("task_notification") => drop(self.running.end(id)),
            Some("task_updated") if has_ended => drop(self.running.end(id)),
            _ => {}
        }
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
    fn tasks_that_never_end_are_bounded() {
        let mut tasks = BackgroundTasks::default();
        for number in 0..3_000 {
            tasks.hear(&json!({"type": "system", "subtype": "task_started", "task_id": format!("id-{number}")}));
        }
        let remembered = format!("{tasks:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }
}
