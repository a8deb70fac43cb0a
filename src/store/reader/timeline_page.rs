//! Reading a timeline from its end, so that its length does not matter.

use std::{fs::File, io};

use super::{
    Reader,
    timeline_block::{MAX_READ_BYTES, read_at},
    timeline_search::after_entry,
};
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
    },
    task::{ActivityPage, TaskId, TimelineEntry},
};

/// Maximum total length of the lines on a page, in bytes. A page has at least one entry.
const MAX_PAGE_BYTES: usize = 4 << 20;

impl Reader {
    /// The last `limit` entries of the task's timeline before the entry `before`; the newest entries for `None`. Empty if
    /// there is no timeline.
    pub fn activity_page(&self, id: &TaskId, before: Option<u64>, limit: usize) -> Result<ActivityPage, StoreError> {
        let path = self.layout.timeline(id);
        let read = if_exists(files::open(&path).and_then(|file| page_of(&file, before, limit)));
        Ok(read.map_err(StoreError::at("read", path))?.unwrap_or_default())
    }
}

fn page_of(file: &File, before: Option<u64>, limit: usize) -> io::Result<ActivityPage> {
    let length = file.metadata()?.len();
    let last = before.map_or(u64::MAX, |before| before.saturating_sub(1));
    let mut end = after_entry(file, length, last)?;
    let (mut page, mut bytes) = (ActivityPage::default(), 0);
    // The end of a line that begins in an earlier block.
    let mut rest = Vec::new();
    while end > 0 && !page.has_earlier {
        let start = end.saturating_sub(MAX_READ_BYTES as u64);
        let mut block = read_at(file, start, end - start)?;
        block.append(&mut rest);
        let first = match start {
            0 => 0,
            _ => memchr::memchr(b'\n', &block).map_or(block.len(), |end| end + 1),
        };
        for line in block[first..].rsplit(|byte| *byte == b'\n') {
            let Some(entry) = TimelineEntry::read(line) else { continue };
            if page.entries.len() == limit || (bytes > MAX_PAGE_BYTES && limit > 0) {
                page.has_earlier = true;
                break;
            }
            bytes += line.len();
            page.entries.push(entry);
        }
        block.truncate(first);
        // No entry is longer than a block, so a longer line is damaged.
        rest = if block.len() > MAX_READ_BYTES { Vec::new() } else { block };
        end = start;
    }
    page.entries.reverse();
    Ok(page)
}

#[cfg(test)]
#[path = "timeline_page_tests.rs"]
mod tests;
