//! Reading the timeline of a task while it is written.
//!
//! A [`TimelineReader`] remembers its position, and each [`read`](TimelineReader::read) continues there. It returns
//! each entry exactly once and in order, regardless of what the writer does:
//!
//! - An incomplete line is not read yet. The writer may still complete it; otherwise the next writer terminates it, and
//!   it is skipped.
//! - To remove the middle, the writer replaces the file. The reader first reads the old file to its end, and then finds
//!   its position in the new one by the number of its last entry. If it was behind, it reads an entry that counts the
//!   omitted ones. The reader may already have returned some of those.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{
    Reader,
    timeline_block::{MAX_READ_BYTES, read_at},
    timeline_search::line_near,
};
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{EntryHead, TaskId, TimelineEntry},
};

/// How many bytes before the end of a timeline a reader of the newest entries starts.
const NEWEST_BYTES: u64 = 64 << 10;

/// Reads one timeline, starting at any entry.
#[derive(Debug)]
pub struct TimelineReader {
    path: PathBuf,
    open: Option<OpenTimeline>,
    /// The number of the last entry that was read.
    seq: u64,
    /// Whether to start near the end.
    from_newest: bool,
}

/// A file that is being read.
#[derive(Debug)]
struct OpenTimeline {
    file: File,
    identity: FileIdentity,
    offset: u64,
}

/// Device and inode of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity(pub(super) u64, pub(super) u64);

/// Entries of a timeline.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TimelineEntries {
    /// The entries, the oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether more entries can be read immediately.
    pub has_more: bool,
}

/// A position in a timeline, from which another reader can continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelinePosition {
    /// The number of the last entry before the position.
    seq: u64,
    /// The offset at which that entry ends.
    offset: u64,
}

impl Reader {
    /// A reader of the task's timeline that starts after the entry `seq`; 0 is the beginning.
    pub fn timeline(&self, id: &TaskId, seq: u64) -> TimelineReader {
        TimelineReader { path: self.layout.timeline(id), open: None, seq, from_newest: false }
    }

    /// A reader of the task's timeline that starts with the newest entries, in the last 64 KiB.
    pub fn newest_timeline(&self, id: &TaskId) -> TimelineReader {
        TimelineReader { from_newest: true, ..self.timeline(id, 0) }
    }

    /// A reader of the task's timeline that continues from another reader's position.
    pub fn timeline_from(&self, id: &TaskId, position: &TimelinePosition) -> TimelineReader {
        let mut reader = self.timeline(id, position.seq);
        reader.open = reader.opened().ok().flatten();
        if let Some(open) = &mut reader.open
            // The file may have been replaced. Then the entry's number tells where to continue.
            && last_before(&open.file, position.offset).ok().flatten() == Some(position.seq)
        {
            open.offset = position.offset;
        }
        reader
    }
}

impl TimelineReader {
    /// The path of the timeline.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is being read; `None` until it exists.
    pub fn identity(&self) -> Option<FileIdentity> {
        self.open.as_ref().map(|open| open.identity)
    }

    /// The current position.
    pub fn position(&self) -> TimelinePosition {
        TimelinePosition { seq: self.seq, offset: self.open.as_ref().map_or(0, |open| open.offset) }
    }

    /// The entries since the last call, up to 256 KiB. `None` if there is no timeline.
    pub fn read(&mut self) -> Result<Option<TimelineEntries>, StoreError> {
        self.try_read().map_err(StoreError::at("read", &self.path))
    }

    fn try_read(&mut self) -> io::Result<Option<TimelineEntries>> {
        let mut found = TimelineEntries::default();
        if self.open.is_none() {
            self.open = self.opened()?;
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        found.has_more = open.read(&mut self.seq, &mut found.entries)?;
        if !found.has_more
            && let Some(new) = self.opened()?.filter(|new| Some(new.identity) != self.identity())
        {
            // The old file no longer changes, but more may have been written to it since we read it.
            let open = self.open.as_mut().expect("it was opened above");
            if !open.read(&mut self.seq, &mut found.entries)? {
                self.open = Some(new);
            }
            found.has_more = true;
        }
        Ok(Some(found))
    }

    /// Opens the current file, unless it is open already.
    fn opened(&mut self) -> io::Result<Option<OpenTimeline>> {
        let same =
            |open: &OpenTimeline| fs::symlink_metadata(&self.path).is_ok_and(|now| open.identity == identity_of(&now));
        if self.open.as_ref().is_some_and(same) {
            return Ok(None);
        }
        let Some(file) = if_exists(files::open(&self.path))? else { return Ok(None) };
        let facts = file.metadata()?;
        let is_first = std::mem::take(&mut self.from_newest);
        let offset = match is_first {
            true => line_after(&file, facts.len().saturating_sub(NEWEST_BYTES))?,
            false => line_near(&file, facts.len(), self.seq)?,
        };
        Ok(Some(OpenTimeline { file, identity: identity_of(&facts), offset }))
    }
}

impl OpenTimeline {
    /// Reads complete lines, and returns whether there are more.
    fn read(&mut self, seq: &mut u64, entries: &mut Vec<TimelineEntry>) -> io::Result<bool> {
        let length = self.file.metadata()?.len();
        if length < self.offset {
            // Our code never truncates a timeline, so start again.
            self.offset = 0;
        }
        let block = read_at(&self.file, self.offset, length - self.offset)?;
        let Some(end) = memchr::memrchr(b'\n', &block) else {
            // No entry is that long, so skip the block.
            let is_too_long = block.len() == MAX_READ_BYTES;
            self.offset += if is_too_long { MAX_READ_BYTES as u64 } else { 0 };
            return Ok(is_too_long);
        };
        for line in block[..end].split(|byte| *byte == b'\n') {
            let Some(head) = EntryHead::read(line).filter(|head| head.seq > *seq) else { continue };
            *seq = head.seq;
            entries.push(TimelineEntry::read_after(head, line));
        }
        self.offset += end as u64 + 1;
        Ok(block.len() == MAX_READ_BYTES)
    }
}

/// The start of the first line after `offset`; 0 if `offset` is 0.
fn line_after(file: &File, offset: u64) -> io::Result<u64> {
    if offset == 0 {
        return Ok(0);
    }
    let block = read_at(file, offset, u64::MAX)?;
    Ok(memchr::memchr(b'\n', &block).map_or(offset, |end| offset + end as u64 + 1))
}

/// The number of the entry that ends at `offset`; `None` if no entry ends there.
fn last_before(file: &File, offset: u64) -> io::Result<Option<u64>> {
    let start = offset.saturating_sub(MAX_READ_BYTES as u64);
    let block = read_at(file, start, offset - start)?;
    let lines = block.strip_suffix(b"\n").filter(|lines| start + lines.len() as u64 + 1 == offset);
    let line = lines.map(|lines| &lines[memchr::memrchr(b'\n', lines).map_or(0, |end| end + 1)..]);
    Ok(line.and_then(EntryHead::read).map(|head| head.seq))
}

fn identity_of(facts: &fs::Metadata) -> FileIdentity {
    FileIdentity(facts.dev(), facts.ino())
}

#[cfg(test)]
#[path = "timeline_tests.rs"]
mod tests;
