//! The content of `tasks.json`: one entry per task.

use std::{
    borrow::Cow,
    collections::{BTreeMap, btree_map},
    ops::Range,
};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::task::{RECORD_FORMAT, TaskId, TaskStatus};

/// Entries by ID. Most of them borrow from the file's content, so adding one task does not copy a long history.
pub(super) type IndexEntries<'a> = BTreeMap<String, Cow<'a, RawValue>>;

/// The fields of an entry that the index itself needs.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IndexEntryHead {
    #[serde(default)]
    pub(super) format: u32,
    #[serde(default)]
    pub(super) status: Option<TaskStatus>,
    #[serde(default)]
    pub(super) started_at: Option<DateTime<Utc>>,
}

/// Parses the index. Returns `None` if it is damaged or contains an entry from a later version.
pub(super) fn parse(content: &[u8]) -> Option<IndexEntries<'_>> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(content).ok()?;
    // Our own entries start with their format number, so most entries need no parsing.
    let ours = format!("{{\"format\":{RECORD_FORMAT},");
    let is_later = |raw: &RawValue| {
        !raw.get().starts_with(&ours)
            && serde_json::from_str::<IndexEntryHead>(raw.get()).is_ok_and(|head| head.format > RECORD_FORMAT)
    };
    if entries.values().any(|raw| is_later(raw)) {
        return None;
    }
    Some(entries.into_iter().map(|(id, raw)| (id, Cow::Borrowed(raw))).collect())
}

/// The entries of a file, copied from its content one at a time. With the original program, the file can have tens of
/// thousands of them.
pub(super) struct EachEntry {
    content: Vec<u8>,
    ranges: btree_map::IntoIter<String, Range<usize>>,
}

/// The entries in this content. Returns `None` if it is not an object.
pub(super) fn each(content: Vec<u8>) -> Option<EachEntry> {
    let entries: BTreeMap<String, &RawValue> = serde_json::from_slice(&content).ok()?;
    let start = content.as_ptr().addr();
    let range = |raw: &RawValue| {
        let from = raw.get().as_ptr().addr() - start;
        from..from + raw.get().len()
    };
    let ranges: BTreeMap<_, _> = entries.into_iter().map(|(id, raw)| (id, range(raw))).collect();
    Some(EachEntry { content, ranges: ranges.into_iter() })
}

impl Iterator for EachEntry {
    type Item = (String, Box<RawValue>);

    fn next(&mut self) -> Option<Self::Item> {
        self.ranges.find_map(|(id, range)| Some((id, serde_json::from_slice(self.content.get(range)?).ok()?)))
    }
}

/// Keeps all running tasks and the newest `max` ended ones. Returns the tasks that were dropped.
pub(super) fn bound(entries: &mut IndexEntries<'_>, max: usize) -> Vec<TaskId> {
    if entries.len() <= max {
        return Vec::new();
    }
    let mut ended: Vec<(DateTime<Utc>, String)> = entries
        .iter()
        .filter_map(|(id, raw)| {
            let head: IndexEntryHead = serde_json::from_str(raw.get()).ok()?;
            head.status.is_none_or(TaskStatus::is_final).then(|| (head.started_at.unwrap_or_default(), id.clone()))
        })
        .collect();
    ended.sort_by(|a, b| b.cmp(a));
    let dropped: Vec<_> = ended.drain(max.min(ended.len())..).map(|(_, id)| id).collect();
    for id in &dropped {
        entries.remove(id);
    }
    dropped.iter().filter_map(|id| TaskId::parse(id).ok()).collect()
}
