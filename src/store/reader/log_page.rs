//! Reading pages of a log from its end, so that its size does not matter.

use std::{fs::File, io, os::unix::fs::FileExt};

use super::Reader;
use crate::{
    redact::Redactor,
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{LogPage, PageLine, TaskId},
};

/// Maximum total length of the lines on a page, in bytes. A page has at least one line, which may be longer.
const MAX_PAGE_BYTES: u64 = 1 << 20;

/// Maximum number of bytes that are shown of a line.
const MAX_LINE_BYTES: usize = 16 << 10;

/// How many more bytes of a long line are read, so that a secret that is cut is redacted first.
const REDACTED_BEYOND: usize = 4 << 10;

/// How far to look back for the beginning of a line. A longer line is shown in parts.
const MAX_LOOK_BACK: u64 = 32 << 20;

const BLOCK_BYTES: u64 = 64 << 10;

impl Reader {
    /// The last lines of the task's log before the offset `before`, or before its end, up to `max`. Redacted. Empty if
    /// there is no log.
    pub(crate) fn log_page(
        &self,
        id: &TaskId,
        before: Option<u64>,
        max: usize,
        redactor: &Redactor,
    ) -> Result<LogPage, StoreError> {
        let path = self.layout.log(id);
        let read = || if_exists(files::open(&path).and_then(|file| page_of(&file, before, max, redactor)));
        // The log may lose its middle while it is read, and be shorter afterwards.
        let shrunk = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
        let page = read().or_else(|error| if shrunk(&error) { read() } else { Err(error) });
        Ok(page.map_err(StoreError::at("read", path))?.unwrap_or_default())
    }
}

fn page_of(file: &File, before: Option<u64>, max: usize, redactor: &Redactor) -> io::Result<LogPage> {
    let size = file.metadata()?.len();
    let end = before.unwrap_or(size).min(size);
    let mut page = LogPage { lines: Vec::new(), start: end, end, size };
    if end == 0 || max == 0 {
        return Ok(page);
    }
    let floor = end.saturating_sub(MAX_PAGE_BYTES);
    let (mut start, mut bytes) = (end, Vec::new());
    // Look for one line break more than lines: the last line ends with one, and one precedes the first line.
    while start > floor && memchr::memchr_iter(b'\n', &bytes).nth(max).is_none() {
        let from = start.saturating_sub(BLOCK_BYTES).max(floor);
        let mut block = block(file, from, start)?;
        block.append(&mut bytes);
        (start, bytes) = (from, block);
    }
    let text = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let mut lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    if start > 0 && lines.len() == 1 {
        return long_line(file, page, text.len() as u64 + start, redactor);
    }
    let skipped = lines.len().saturating_sub(max).max(usize::from(start > 0));
    page.start = start + lines.drain(..skipped).map(|line| line.len() as u64 + 1).sum::<u64>();
    page.lines = lines.into_iter().map(|line| shown(line, line.len() as u64, redactor)).collect();
    Ok(page)
}

/// A page with only the line that ends at `end`, which is longer than a page.
fn long_line(file: &File, page: LogPage, end: u64, redactor: &Redactor) -> io::Result<LogPage> {
    let floor = end.saturating_sub(MAX_LOOK_BACK);
    let mut start = end;
    while start > floor {
        let from = start.saturating_sub(BLOCK_BYTES).max(floor);
        if let Some(at) = memchr::memrchr(b'\n', &block(file, from, start)?) {
            start = from + at as u64 + 1;
            break;
        }
        start = from;
    }
    let head = block(file, start, end.min(start + (MAX_LINE_BYTES + REDACTED_BEYOND) as u64))?;
    Ok(LogPage { lines: vec![shown(&head, end - start, redactor)], start, ..page })
}

/// A line whose beginning is `head` and that has `length` bytes.
fn shown(head: &[u8], length: u64, redactor: &Redactor) -> PageLine {
    let is_cut = length > MAX_LINE_BYTES as u64;
    let head = &head[..head.len().min(MAX_LINE_BYTES + REDACTED_BEYOND)];
    let is_whole = head.len() as u64 == length;
    let redacted = if is_whole { redactor.bytes(head) } else { redactor.beginning(head) };
    let mut text = String::from_utf8_lossy(&redacted).into_owned();
    if is_cut {
        let end = (0..=MAX_LINE_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
        text.truncate(end.unwrap_or_default());
    }
    PageLine { text: text.into(), omitted: if is_cut { length - MAX_LINE_BYTES as u64 } else { 0 } }
}

/// The bytes between two offsets. Fails with `UnexpectedEof` if the file ends before.
fn block(file: &File, from: u64, to: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(to - from).expect("no block is longer than a page");
    let mut block = vec![0; length];
    file.read_exact_at(&mut block, from)?;
    Ok(block)
}

#[cfg(test)]
#[path = "log_page_tests.rs"]
mod tests;
