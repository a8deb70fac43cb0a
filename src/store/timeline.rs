//! Writing the timeline of one task: `logs/<id>.timeline.jsonl`.
//!
//! Entries are collected in memory and written together as complete lines. A failed write is retried at the same
//! offset, so a partial line does not stay in the file. When the file reaches its limit, its middle is removed: see
//! [`shortened`].
//!
//! Failures and their effects:
//!
//! | failure | effect |
//! |---|---|
//! | the disk is full | entries wait in memory, up to [`MAX_WAITING_BYTES`] bytes; further ones are [not accepted](TimelineWriter::has_room) |
//! | the writer dies during a write | the next writer terminates the torn last line, and readers skip it |
//! | a power cut | the file is not synced, so its end may be damaged; readers skip unreadable lines |

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
};

use chrono::{DateTime, SubsecRound, Utc};

use super::{
    atomic::{Durability, replace_by},
    error::StoreError,
    fault, files,
};
use crate::task::{EntryHead, TimelineEntry, TimelineEvent, is_exempt};

/// Maximum size of a timeline, in bytes.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Maximum total size of entries that wait to be written, in bytes.
const MAX_WAITING_BYTES: usize = 256 << 10;

/// How many bytes to read from the end of an existing timeline to find its last number. Longer than any line.
const MAX_LINE_BYTES: u64 = 256 << 10;

/// Appends entries to a timeline.
#[derive(Debug)]
pub struct TimelineWriter {
    path: PathBuf,
    file: File,
    /// The end of the last complete line.
    length: u64,
    max: u64,
    /// The number of the newest entry.
    seq: u64,
    /// Lines that are not in the file yet.
    waiting: Vec<u8>,
    has_ended: bool,
}

impl TimelineWriter {
    /// Opens a timeline for appending, and creates it if it does not exist.
    pub(super) fn open(path: PathBuf, max: u64) -> Result<Self, StoreError> {
        let opened = files::read_and_write(&path).and_then(|file| {
            let length = file.metadata()?.len();
            let end = TimelineEnd::of(&file, length)?;
            // The next line must not continue a torn one.
            let waiting = if end.is_torn { b"\n".to_vec() } else { Vec::new() };
            Ok((file, length, end, waiting))
        });
        let (file, length, end, waiting) = opened.map_err(StoreError::at("open", &path))?;
        Ok(Self { path, file, length, max, seq: end.seq, waiting, has_ended: end.has_ended })
    }

    /// Adds an entry with this time. The next [`flush`](Self::flush) writes it.
    pub fn append(&mut self, at: DateTime<Utc>, event: TimelineEvent) {
        self.seq += 1;
        self.has_ended = matches!(event, TimelineEvent::Ended { .. });
        let entry = TimelineEntry { seq: self.seq, at: at.trunc_subsecs(3), event };
        self.waiting.extend_from_slice(&entry.to_line());
    }

    /// Whether more entries may be added. Entries that are exempt from limits may be added in any case.
    pub fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING_BYTES
    }

    /// Whether entries wait to be written.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The number of the newest entry.
    pub fn newest(&self) -> u64 {
        self.seq
    }

    /// Whether the newest entry is the end of the task.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Writes the waiting entries. If that fails, they are kept.
    pub fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        if self.length + self.waiting.len() as u64 > self.max {
            self.shorten()?;
        }
        fault::point("timeline")?;
        self.file.write_all_at(&self.waiting, self.length)?;
        self.length += self.waiting.len() as u64;
        self.waiting.clear();
        Ok(())
    }

    /// Replaces the file with a copy without its middle. Readers see the old file or the new one, never a partial one.
    fn shorten(&mut self) -> io::Result<()> {
        let (from, length, max) = (&self.file, self.length, self.max);
        replace_by(&self.path, Durability::Volatile, |to| shortened(from, length, max, to))
            .map_err(|error| error.source)?;
        self.file = files::read_and_write(&self.path)?;
        self.length = self.file.metadata()?.len();
        Ok(())
    }
}

/// Copies the timeline without its middle: keeps the first half of `max` bytes and the last quarter. Of the entries in
/// between, those that are exempt from limits are kept; each run of other entries is replaced by one entry that counts
/// them.
fn shortened(from: &File, length: u64, max: u64, to: &mut File) -> io::Result<()> {
    let mut to = BufWriter::new(to);
    let mut from = BufReader::new(from);
    from.seek(SeekFrom::Start(0))?;
    let mut from = from.take(length);
    let tail = length.saturating_sub(max / 4);
    let (mut offset, mut line, mut gap) = (0, Vec::new(), OmittedEntries::default());
    loop {
        line.clear();
        let count = from.read_until(b'\n', &mut line)? as u64;
        if count == 0 {
            break;
        }
        offset += count;
        let is_middle = offset > max / 2 && offset <= tail;
        match EntryHead::read(&line) {
            // Adjacent omissions are merged.
            Some(head) if is_omission(&head) || (is_middle && !is_exempt(&head.kind)) => gap.widen(head),
            None if is_middle => {}
            Some(_) | None => {
                gap.close(&mut to)?;
                to.write_all(&line)?;
            }
        }
    }
    gap.close(&mut to)?;
    to.flush()
}

/// A run of omitted entries.
#[derive(Debug, Default)]
struct OmittedEntries {
    count: u64,
    last: Option<EntryHead>,
}

impl OmittedEntries {
    fn widen(&mut self, head: EntryHead) {
        // An existing omission already counts entries.
        self.count += if is_omission(&head) { head.count.unwrap_or(1) } else { 1 };
        self.last = Some(head);
    }

    /// Writes the entry that replaces them. It has the number of the last one, so numbers keep increasing.
    fn close(&mut self, to: &mut impl Write) -> io::Result<()> {
        let Some(EntryHead { seq, at, .. }) = self.last.take() else { return Ok(()) };
        let event = TimelineEvent::Omitted { count: std::mem::take(&mut self.count) };
        to.write_all(&TimelineEntry { seq, at, event }.to_line())
    }
}

fn is_omission(head: &EntryHead) -> bool {
    head.kind == "omitted"
}

/// The state at the end of a timeline.
#[derive(Debug, Default)]
struct TimelineEnd {
    seq: u64,
    has_ended: bool,
    is_torn: bool,
}

impl TimelineEnd {
    fn of(file: &File, length: u64) -> io::Result<Self> {
        let start = length.saturating_sub(MAX_LINE_BYTES);
        let mut end = Self::from(file, start, length)?;
        if end.seq == 0 && start > 0 {
            // The end contains no valid entry, so read all of it.
            end = Self::from(file, 0, length)?;
        }
        Ok(end)
    }

    fn from(mut file: &File, start: u64, length: u64) -> io::Result<Self> {
        file.seek(SeekFrom::Start(start))?;
        let mut lines = BufReader::new(file.take(length - start));
        let (mut end, mut line) = (Self::default(), Vec::new());
        while lines.read_until(b'\n', &mut line)? > 0 {
            end.is_torn = line.last() != Some(&b'\n');
            if let Some(head) = EntryHead::read(&line).filter(|head| head.seq > end.seq) {
                (end.seq, end.has_ended) = (head.seq, head.kind == "ended");
            }
            line.clear();
        }
        Ok(end)
    }
}

/// Opens an existing timeline for appending; `None` if the task has none.
pub(super) fn open_existing(path: &Path) -> Result<Option<TimelineWriter>, StoreError> {
    if path.symlink_metadata().is_err() {
        return Ok(None);
    }
    TimelineWriter::open(path.to_owned(), MAX_BYTES).map(Some)
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
