//! Data left by the original Node program: archived indexes, and entries in its format.

use std::{collections::BTreeSet, fs};

use chrono::{DateTime, Utc};
use serde_json::{Map, Value, value::RawValue};

use super::{
    entries::{self, EachEntry},
    files,
    layout::{ARCHIVE_PREFIX, Layout},
};
use crate::task::{EndStatus, FailureReason, TaskEnd, TaskId, TaskRecord};

/// A task that is only in an archived index.
pub(super) fn archived(layout: &Layout, id: &TaskId) -> Option<TaskRecord> {
    let entry = |name: String| read(layout, &name)?.find(|(key, _)| key == id.as_str());
    names(layout).into_iter().find_map(|name| understand(id.as_str(), &entry(name)?.1)).map(closed)
}

/// All tasks in archived indexes. One archive is in memory at a time, and one of its tasks.
pub(super) fn all_archived(layout: &Layout) -> impl Iterator<Item = TaskRecord> + use<'_> {
    names(layout).into_iter().flat_map(|name| of(layout, &name))
}

/// The size of all archived indexes together, in bytes.
pub(super) fn bytes(layout: &Layout) -> u64 {
    let sizes = names(layout).into_iter().filter_map(|name| layout.data.join(name).symlink_metadata().ok());
    sizes.map(|found| found.len()).sum()
}

/// The names of the archived indexes.
pub(super) fn names(layout: &Layout) -> BTreeSet<String> {
    let files = fs::read_dir(&layout.data).into_iter().flatten().flatten();
    files
        .filter_map(|file| file.file_name().into_string().ok())
        .filter(|name| name.starts_with(ARCHIVE_PREFIX))
        .collect()
}

/// All tasks in the archived index with this name.
pub(super) fn of(layout: &Layout, name: &str) -> impl Iterator<Item = TaskRecord> + use<> {
    read(layout, name).into_iter().flatten().filter_map(|(id, raw)| understand(&id, &raw).map(closed))
}

/// The entries of an archived index; `None` if it cannot be read.
fn read(layout: &Layout, name: &str) -> Option<EachEntry> {
    entries::each(files::read(&layout.data.join(name), files::MAX_LARGE_FILE_BYTES).ok()?)
}

/// Closes a record from an archive. The original program is gone, so tasks that it left as `running` were interrupted.
fn closed(mut record: TaskRecord) -> TaskRecord {
    record.end.get_or_insert_with(|| TaskEnd {
        failure_reason: Some(FailureReason::ServerRestarted.to_string().into()),
        ..TaskEnd::bare(EndStatus::Interrupted)
    });
    record
}

/// Reads an entry in the current or the original format. A record requires only a status and a start time; any other
/// field that cannot be read is omitted. The ID is the entry's key. Returns `None` if this is not a record.
pub(super) fn understand(id: &str, raw: &RawValue) -> Option<TaskRecord> {
    let id = TaskId::parse(id).ok()?;
    if let Ok(record) = serde_json::from_str::<TaskRecord>(raw.get()) {
        return Some(TaskRecord { id, ..record });
    }
    let mut fields: Map<String, Value> = serde_json::from_str(raw.get()).ok()?;
    fields.shift_remove("id");
    let mut kept = Map::from_iter([("id".to_owned(), Value::from(id.as_str()))]);
    for required in ["status", "startedAt"] {
        kept.insert(required.to_owned(), moment(required, fields.get(required)?.clone()));
    }
    let mut record: TaskRecord = serde_json::from_value(Value::Object(kept.clone())).ok()?;
    for (key, value) in fields {
        let mut more = kept.clone();
        more.insert(key.clone(), moment(&key, value));
        if let Ok(read) = serde_json::from_value(Value::Object(more.clone())) {
            (record, kept) = (read, more);
        }
    }
    Some(record)
}

/// Converts milliseconds since 1970 in a time field to the current format.
fn moment(key: &str, value: Value) -> Value {
    let millis = value.as_i64().filter(|_| key.ends_with("At"));
    match millis.and_then(DateTime::<Utc>::from_timestamp_millis) {
        Some(moment) => Value::from(moment.to_rfc3339()),
        None => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(value: Value) -> Box<RawValue> {
        serde_json::value::to_raw_value(&value).expect("a JSON value can be serialized")
    }

    #[test]
    fn readable_fields_of_a_strange_entry_are_kept() {
        let entry = raw(serde_json::json!({
            "status": "completed", "startedAt": 1_705_314_600_000_i64, "sandbox": "unknown", "pid": "12",
            "task": "fix it", "exitCode": 0
        }));
        let record = understand("0123abcd", &entry).expect("status and start are present");
        assert_eq!(
            (record.start.task.raw(), record.end.map(|end| (end.status, end.exit_code))),
            ("fix it", Some((EndStatus::Completed, Some(0))))
        );
        assert_eq!((record.start.sandbox, record.progress.pid), (None, None));
        assert_eq!(record.start.started_at.timestamp(), 1_705_314_600);
    }

    #[test]
    fn an_entry_belongs_to_the_task_of_its_key() {
        let mut entry =
            serde_json::json!({"id": "89abcdef", "status": "completed", "startedAt": "2024-01-15T10:30:00Z"});
        for _ in 0..2 {
            let record = understand("0123abcd", &raw(entry.clone())).expect("status and start are present");
            assert_eq!(record.id.as_str(), "0123abcd");
            entry["pid"] = "strange".into();
        }
    }

    #[test]
    fn an_invalid_record_is_ignored() {
        for value in [serde_json::json!(3), serde_json::json!({}), serde_json::json!({"status": "completed"})] {
            assert_eq!(understand("0123abcd", &raw(value)), None);
        }
    }
}
