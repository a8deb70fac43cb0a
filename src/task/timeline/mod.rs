//! The timeline of a task: everything that the task and its agent did, in order.
//!
//! The supervisor writes it to `logs/<id>.timeline.jsonl`, one JSON object per line. Programs read the timeline and
//! people read the log: entries are numbered, typed and bounded, whereas the log is complete.
//!
//! ```json
//! {"v":1,"seq":12,"at":"2026-01-15T10:30:00.007Z","kind":"command_finished","command":"cargo test","status":"completed","exitCode":0,"durationMs":2500,"output":"ok\n"}
//! ```
//!
//! - `seq` starts at 1 and increases from line to line, so a reader can continue where it stopped. Numbers may be
//!   skipped.
//! - `kind` and the other fields are those of [`TimelineEvent`]. A later version may write new fields, which a reader
//!   ignores, and new kinds, which it reads as [`TimelineEvent::Unknown`].
//! - Texts have at most about [`MAX_TEXT_BYTES`] bytes. In a longer text, a note with the number of omitted bytes
//!   replaces the middle. Secrets are redacted before texts are shortened.
//! - [`TimelineEvent::Omitted`] replaces entries that were not written, because there were too many at once, or that
//!   were removed from the middle of a long timeline. [Exempt](TimelineEvent::is_exempt) entries are always kept.
//!
//! A task that an older version ran has no timeline, or one that lacks its beginning.

mod event;
mod headline;
mod spans;
mod text;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use event::is_exempt;
pub use event::{ChangedFile, CommandOutcome, PlanItem, TimelineEvent, WarningSource};
pub(crate) use headline::{outcome, script};
pub use spans::{ActivityMark, ActivitySpan, SpanBuilder, SpanKind};
pub use text::{MAX_TEXT_BYTES, excerpt, fit_items};

/// The version of the format, `v` in each entry.
pub const TIMELINE_FORMAT: u32 = 1;

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Its number, greater than that of the entry before.
    pub seq: u64,
    /// When it was written, to the millisecond.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: TimelineEvent,
}

/// The fields that every entry has, and `count`, which is needed to count omitted entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHead {
    /// The entry's number.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The kind of its event.
    pub kind: String,
    /// For [`TimelineEvent::Omitted`]: the number of omitted entries.
    #[serde(default)]
    pub count: Option<u64>,
}

impl TimelineEntry {
    /// The entry as a line of the file, including the newline.
    pub fn to_line(&self) -> Vec<u8> {
        let fields = match &self.event {
            TimelineEvent::Unknown { kind } => Map::from_iter([("kind".to_owned(), Value::from(kind.as_str()))]),
            event => match serde_json::to_value(event) {
                Ok(Value::Object(fields)) => fields,
                Ok(_) | Err(_) => Map::new(),
            },
        };
        let mut entry = Map::with_capacity(fields.len() + 3);
        entry.insert("v".to_owned(), TIMELINE_FORMAT.into());
        entry.insert("seq".to_owned(), self.seq.into());
        entry.insert("at".to_owned(), self.at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
        entry.extend(fields);
        let mut line = serde_json::to_vec(&entry).expect("a JSON object has only string keys");
        line.push(b'\n');
        line
    }

    /// Parses a line of the file. Returns `None` if the line is incomplete or damaged.
    pub fn read(line: &[u8]) -> Option<Self> {
        let head: EntryHead = serde_json::from_slice(line).ok()?;
        Some(Self::read_after(head, line))
    }

    /// Parses the rest of a line whose head has been parsed.
    pub fn read_after(head: EntryHead, line: &[u8]) -> Self {
        let event = serde_json::from_slice(line).unwrap_or(TimelineEvent::Unknown { kind: head.kind });
        Self { seq: head.seq, at: head.at, event }
    }
}

impl EntryHead {
    /// Parses the head of a line. Returns `None` if the line is incomplete or damaged.
    pub fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests;
