//! Reading the log of a task while it is written.
//!
//! A [`LogReader`] remembers its position, and each [`read`](LogReader::read) continues there with complete lines. When
//! a log reaches its size limit, its writer removes the middle *in place* (see `capped`), which moves the position. The
//! reader notices that by the bytes before its position, the *anchor*, and finds them again at their new offset. If
//! they were removed too, it continues at the line that reports the removed bytes.

use std::{
    fs::File,
    io,
    os::unix::fs::{FileExt, MetadataExt},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};

use super::{FileIdentity, Reader};
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
        log::{GAP_LABEL, time_of},
    },
    task::TaskId,
};

/// Maximum number of bytes read in one call.
const BLOCK_BYTES: usize = 256 << 10;

/// Length of the anchor. Two places in a log hardly ever have that many bytes in common.
const ANCHOR_BYTES: u64 = 1 << 10;

/// The first line to read from a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogStart {
    /// The first one.
    Beginning,
    /// The first of the last lines, this many of them.
    Last(usize),
    /// The first entry written at this time or later.
    Since(DateTime<Utc>),
}

/// Lines of a log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LogLines {
    /// The lines, oldest first, without line endings.
    pub lines: Vec<Vec<u8>>,
    /// Whether more lines can be read immediately.
    pub has_more: bool,
}

/// Reads one log.
#[derive(Debug)]
pub struct LogReader {
    path: PathBuf,
    start: LogStart,
    open: Option<OpenLog>,
}

/// A log that is being read.
#[derive(Debug)]
struct OpenLog {
    file: File,
    offset: u64,
    /// The bytes before `offset`.
    anchor: Vec<u8>,
}

impl Reader {
    /// A reader of the task's log.
    pub fn log(&self, id: &TaskId, start: LogStart) -> LogReader {
        LogReader { path: self.layout.log(id), start, open: None }
    }
}

impl LogReader {
    /// The path of the log.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file that is being read; `None` until it exists.
    pub fn identity(&self) -> Option<FileIdentity> {
        let facts = self.open.as_ref()?.file.metadata().ok()?;
        Some(FileIdentity(facts.dev(), facts.ino()))
    }

    /// The complete lines since the last call, up to 256 KiB. `None` if there is no log.
    pub fn read(&mut self) -> Result<Option<LogLines>, StoreError> {
        self.try_read(false).map_err(StoreError::at("read", &self.path))
    }

    /// The same, for a task that has ended: the last line need not be complete.
    pub fn read_to_end(&mut self) -> Result<Option<LogLines>, StoreError> {
        self.try_read(true).map_err(StoreError::at("read", &self.path))
    }

    fn try_read(&mut self, to_end: bool) -> io::Result<Option<LogLines>> {
        if self.open.is_none() {
            let Some(file) = if_exists(files::open(&self.path))? else { return Ok(None) };
            self.open = Some(OpenLog::at(file, self.start)?);
        }
        let open = self.open.as_mut().expect("it was opened above");
        open.read(to_end).map(Some)
    }
}

impl OpenLog {
    fn at(file: File, start: LogStart) -> io::Result<Self> {
        let mut open = Self { file, offset: 0, anchor: Vec::new() };
        let offset = match start {
            LogStart::Beginning => 0,
            LogStart::Last(count) => open.last_lines(count)?,
            LogStart::Since(time) => open.first_since(time)?,
        };
        open.move_to(offset)?;
        Ok(open)
    }

    fn read(&mut self, to_end: bool) -> io::Result<LogLines> {
        if !self.is_anchored()? {
            self.find_position()?;
        }
        let block = self.bytes(self.offset, BLOCK_BYTES)?;
        let is_full = block.len() == BLOCK_BYTES;
        let end = match memchr::memrchr(b'\n', &block) {
            Some(end) if is_full || !to_end => end + 1,
            // A line longer than a block is read in parts.
            _ if is_full || to_end => block.len(),
            _ => 0,
        };
        if !self.is_anchored()? {
            // The middle was removed while the block was read, so it may be a mixture.
            return Ok(LogLines { lines: Vec::new(), has_more: true });
        }
        self.move_to(self.offset + end as u64)?;
        let text = block[..end].strip_suffix(b"\n").unwrap_or(&block[..end]);
        let lines = if end == 0 { Vec::new() } else { text.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect() };
        Ok(LogLines { lines, has_more: is_full })
    }

    /// Whether the bytes before the position are still the same.
    fn is_anchored(&self) -> io::Result<bool> {
        let length = self.anchor.len();
        Ok(self.bytes(self.offset - length as u64, length)? == self.anchor)
    }

    fn move_to(&mut self, offset: u64) -> io::Result<()> {
        let length = offset.min(ANCHOR_BYTES);
        self.offset = offset;
        self.anchor = self.bytes(offset - length, usize::try_from(length).expect("an anchor is short"))?;
        Ok(())
    }

    /// Finds the position again after the middle was removed.
    fn find_position(&mut self) -> io::Result<()> {
        let anchor = std::mem::take(&mut self.anchor);
        let gap = [b"] ", GAP_LABEL.as_bytes()].concat();
        let (mut found, mut removed) = (None, None);
        let mut from = 0;
        loop {
            let block = self.bytes(from, BLOCK_BYTES)?;
            // While the middle is being removed, the anchor can occur twice; the later one is followed by more.
            found = memchr::memmem::rfind(&block, &anchor).map(|at| from + (at + anchor.len()) as u64).or(found);
            let starts_line =
                |at: &usize| line_start(&block, *at).is_some_and(|start| time_of(&block[start..]).is_some());
            let gap_at = memchr::memmem::find_iter(&block, &gap).find(starts_line);
            removed = gap_at.and_then(|at| line_start(&block, at)).map(|start| from + start as u64).or(removed);
            if block.len() < BLOCK_BYTES {
                break;
            }
            // Blocks overlap, so that nothing is cut in two.
            from += (BLOCK_BYTES - ANCHOR_BYTES as usize - 1) as u64;
        }
        self.move_to(found.or(removed).unwrap_or(0))
    }

    /// The offset at which the last `count` lines begin.
    fn last_lines(&self, count: usize) -> io::Result<u64> {
        let length = self.file.metadata()?.len();
        if count == 0 {
            return Ok(length);
        }
        let mut missing = count;
        let mut end = length;
        while end > 0 {
            let start = end.saturating_sub(BLOCK_BYTES as u64);
            let block = self.bytes(start, usize::try_from(end - start).unwrap_or(BLOCK_BYTES))?;
            for at in memchr::memrchr_iter(b'\n', &block).map(|at| start + at as u64 + 1) {
                // The end of the last line does not begin another one.
                if at == length {
                    continue;
                }
                missing -= 1;
                if missing == 0 {
                    return Ok(at);
                }
            }
            end = start;
        }
        Ok(0)
    }

    /// The offset of the first entry written at `time` or later; the end if there is none.
    fn first_since(&self, time: DateTime<Utc>) -> io::Result<u64> {
        let mut from = 0;
        loop {
            let block = self.bytes(from, BLOCK_BYTES)?;
            let mut start = 0;
            for end in memchr::memchr_iter(b'\n', &block).chain([block.len()]) {
                if time_of(&block[start..end]).is_some_and(|at| at >= time) {
                    return Ok(from + start as u64);
                }
                start = (end + 1).min(block.len());
            }
            if block.len() < BLOCK_BYTES {
                return Ok(from + block.len() as u64);
            }
            from += memchr::memrchr(b'\n', &block).map_or(block.len(), |end| end + 1) as u64;
        }
    }

    /// Up to `max` bytes at `offset`.
    fn bytes(&self, offset: u64, max: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; max];
        let mut count = 0;
        while count < max {
            match self.file.read_at(&mut bytes[count..], offset + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(count);
        Ok(bytes)
    }
}

/// The start of the line that contains the byte `at`; `None` if it is before the block.
fn line_start(block: &[u8], at: usize) -> Option<usize> {
    memchr::memrchr(b'\n', &block[..at]).map(|end| end + 1)
}

#[cfg(test)]
#[path = "log_tests.rs"]
mod tests;
