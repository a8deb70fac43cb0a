//! Copies files of a git directory into a shadow repository.
//!
//! An agent may have replaced such a file by a FIFO, a device or a link, so only regular files are read.

use std::{
    fs::{self, File, FileTimes},
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// The size limit of an index, in bytes: 4 GiB.
const MAX_INDEX_BYTES: u64 = 4 << 30;

/// The size limit of any other file, in bytes: 16 MiB.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// How often to copy the index again if the file that it is based on has been replaced.
const MAX_ATTEMPTS: usize = 3;

/// Copies the index with its times, and the files that a split index is based on. Returns whether there is one.
///
/// git replaces its index as a whole, so a copy is always consistent, even while `index.lock` exists. With the times,
/// git recognizes files that were changed at about the same time as the index.
pub(super) fn copy_index(git_dir: &Path, shadow: &Path) -> io::Result<bool> {
    let (from, to) = (git_dir.join("index"), shadow.join("index"));
    for _ in 0..MAX_ATTEMPTS {
        let is_copied = copy(&from, &to, MAX_INDEX_BYTES)?;
        for entry in fs::read_dir(git_dir)?.flatten() {
            if entry.file_name().as_encoded_bytes().starts_with(b"sharedindex.") {
                copy(&entry.path(), &shadow.join(entry.file_name()), MAX_INDEX_BYTES)?;
            }
        }
        // A new index may be based on another file than the one that was just copied.
        let times = [&from, &to].map(|path| path.metadata().and_then(|file| file.modified()).ok());
        if times[0] == times[1] {
            return Ok(is_copied);
        }
    }
    Ok(true)
}

/// Copies a file if it is a small regular one. A file that does not exist, or cannot be read, is left out.
pub(super) fn copy_small(from: &Path, to: &Path) -> io::Result<()> {
    match copy(from, to, MAX_FILE_BYTES) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::StorageFull => Err(error),
        Err(_) => Ok(()),
    }
}

/// Copies a regular file of at most `limit` bytes with its times, replacing `to`. Returns whether there is such a file.
fn copy(from: &Path, to: &Path, limit: u64) -> io::Result<bool> {
    // Opening a FIFO without this flag would block.
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = match File::options().read(true).custom_flags(flags).open(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() || metadata.len() > limit {
        return Ok(false);
    }
    let mut copy = File::create(to)?;
    io::copy(&mut file.take(limit), &mut copy)?;
    copy.set_times(FileTimes::new().set_modified(metadata.modified()?))?;
    Ok(true)
}
