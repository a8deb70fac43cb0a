//! Finding an entry of a timeline by its number.

use std::{fs::File, io};

use super::timeline_block::{MAX_READ_BYTES, read_at};
use crate::task::EntryHead;

/// A line that begins before any entry whose number is greater than `seq`, and near the first one. `length` is the length
/// of the file, in bytes.
///
/// Entries are in the order of their numbers, so this is a binary search: it reads a few blocks of a long timeline.
pub(super) fn line_near(file: &File, length: u64, seq: u64) -> io::Result<u64> {
    if seq == 0 {
        return Ok(0);
    }
    // Every entry that begins before `low` has at most this number.
    let (mut low, mut high) = (0, length);
    while high - low > MAX_READ_BYTES as u64 {
        let middle = low + (high - low) / 2;
        match entry_after(file, middle)? {
            Some((number, end)) if number <= seq && end <= high => low = end,
            Some(_) | None => high = middle,
        }
    }
    Ok(low)
}

/// The first line whose entry has a number greater than `seq`; the end of the last complete line if there is none.
pub(super) fn after_entry(file: &File, length: u64, seq: u64) -> io::Result<u64> {
    let mut offset = line_near(file, length, seq)?;
    loop {
        let block = read_at(file, offset, length.saturating_sub(offset))?;
        let Some(end) = memchr::memrchr(b'\n', &block) else {
            // No entry is that long, so skip the block.
            if block.len() < MAX_READ_BYTES {
                return Ok(offset);
            }
            offset += block.len() as u64;
            continue;
        };
        let mut start = offset;
        for line in block[..end].split(|byte| *byte == b'\n') {
            if EntryHead::read(line).is_some_and(|head| head.seq > seq) {
                return Ok(start);
            }
            start += line.len() as u64 + 1;
        }
        offset = start;
    }
}

/// The number of the first entry that begins after `offset`, and the offset of its end. `None` if there is none in the
/// next block.
fn entry_after(file: &File, offset: u64) -> io::Result<Option<(u64, u64)>> {
    let block = read_at(file, offset, u64::MAX)?;
    let mut ends = memchr::memchr_iter(b'\n', &block);
    let Some(first) = ends.next() else { return Ok(None) };
    let mut start = first + 1;
    for end in ends {
        if let Some(head) = EntryHead::read(&block[start..end]) {
            return Ok(Some((head.seq, offset + end as u64 + 1)));
        }
        start = end + 1;
    }
    Ok(None)
}
