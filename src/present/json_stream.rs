//! The objects in streams of `--json`: the start of a task, what happens, and the end.

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use super::json_output::{Output, Task, time};
use crate::task::{ResultText, TaskId, TaskSummary, TimelineEntry};

impl Output {
    /// A new task at `now`.
    pub(crate) fn started(task: &TaskSummary, now: DateTime<Utc>) -> Self {
        Self::Started { task: Box::new(Task::of(task, now)) }
    }

    /// An entry of a task's timeline.
    pub(crate) fn event(id: &TaskId, entry: &TimelineEntry) -> Self {
        let mut event = match serde_json::to_value(&entry.event) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) | Err(_) => Map::new(),
        };
        event.shift_remove("kind");
        let kind = entry.event.kind().to_owned();
        Self::Event { id: id.to_string(), seq: entry.seq, at: time(entry.at), kind, event }
    }

    /// The end of a task, which is seen at `now`.
    pub(crate) fn ended(task: &TaskSummary, result: Option<&ResultText>, now: DateTime<Utc>) -> Self {
        let text = |result: &ResultText| match result.left_out {
            0 => format!("{}{}", result.head.raw(), result.tail.raw()),
            bytes => format!("{}\n[{bytes} bytes left out]\n{}", result.head.raw(), result.tail.raw()),
        };
        Self::Ended { task: Box::new(Task::of(task, now)), result: result.map(text) }
    }
}
