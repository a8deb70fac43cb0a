//! The timeline of a task: everything that the task and its agent did, one entry after another.
//!
//! The supervisor writes it to `logs/<id>.timeline.jsonl`, one JSON object per line. Programs read the timeline and people
//! read the log: entries are numbered, typed and bounded, whereas the log is complete.
//!
//! ```json
//! {"v":1,"seq":12,"at":"2026-01-15T10:30:00.007Z","kind":"command_finished","command":"cargo test","status":"completed","exitCode":0,"durationMs":2500,"output":"ok\n"}
//! ```
//!
//! - `seq` starts at 1 and increases from line to line, so a reader knows where it was. A number may be missing.
//! - `kind` and the other fields are those of [`TimelineEvent`]. A reader ignores fields that it does not know, and an
//!   entry of an unknown kind is [`TimelineEvent::Unknown`]: a later version may write both.
//! - Texts have at most [`MAX_TEXT_BYTES`] bytes; a longer text loses its middle and says how much. Secrets were redacted before
//!   that.
//! - [`TimelineEvent::Omitted`] stands for entries that were not written, because there were too many at once, or that were
//!   removed from the middle of a long timeline. [Exempt](TimelineEvent::is_exempt) entries are always kept.
//!
//! A task that an older version ran has no timeline, or one without a beginning.

mod event;
mod headline;
mod text;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub(crate) use event::is_exempt;
pub use event::{ChangedFile, CommandOutcome, PlanItem, TimelineEvent, WarningSource};
pub(crate) use headline::outcome;
pub use text::{MAX_TEXT_BYTES, excerpt, fit_items};

/// The version of the format, `v` in each entry.
pub const TIMELINE_FORMAT: u32 = 1;

/// One entry of a timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelineEntry {
    /// Its number. Numbers increase.
    pub seq: u64,
    /// When it was written, to the millisecond.
    pub at: DateTime<Utc>,
    /// The event.
    pub event: TimelineEvent,
}

/// The fields that every entry has, and the two by which entries are counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryHead {
    /// The entry's number.
    pub seq: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// The kind of its event.
    pub kind: String,
    /// The number of entries that an omission stands for.
    #[serde(default)]
    pub count: Option<u64>,
}

impl TimelineEntry {
    /// The entry as a line of the file, with its line end.
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
        let mut line = serde_json::to_vec(&entry).expect("an object of JSON has only string keys");
        line.push(b'\n');
        line
    }

    /// Reads a line of the file. `None`: it is torn or damaged.
    pub fn read(line: &[u8]) -> Option<Self> {
        let head: EntryHead = serde_json::from_slice(line).ok()?;
        Some(Self::read_after(head, line))
    }

    /// Reads the rest of a line whose head was read.
    pub fn read_after(head: EntryHead, line: &[u8]) -> Self {
        let event = serde_json::from_slice(line).unwrap_or(TimelineEvent::Unknown { kind: head.kind });
        Self { seq: head.seq, at: head.at, event }
    }
}

impl EntryHead {
    /// Reads the head of a line. `None`: the line is torn or damaged.
    pub fn read(line: &[u8]) -> Option<Self> {
        serde_json::from_slice(line).ok()
    }
}

#[cfg(test)]
mod tests;
