//! Reading blocks of a timeline.

use std::{fs::File, io, os::unix::fs::FileExt};

/// Maximum number of bytes read at once. Longer than any line.
pub(super) const MAX_READ_BYTES: usize = 256 << 10;

/// Up to `max` bytes at `offset`, but at most one block.
pub(super) fn read_at(file: &File, offset: u64, max: u64) -> io::Result<Vec<u8>> {
    let mut block = vec![0; usize::try_from(max).unwrap_or(MAX_READ_BYTES).min(MAX_READ_BYTES)];
    let mut count = 0;
    while count < block.len() {
        match file.read_at(&mut block[count..], offset + count as u64) {
            Ok(0) => break,
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    block.truncate(count);
    Ok(block)
}
