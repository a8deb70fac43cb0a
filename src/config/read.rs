//! Reads the user's file without ever blocking.
//!
//! The file is read at every start, also by a hook before each turn of Claude Code. Therefore nothing at its path may
//! block the start: pipes and devices are rejected, and the length is limited. Symbolic links are followed, because
//! people keep their settings elsewhere and link to them.

use std::{
    fs::OpenOptions,
    io::{self, ErrorKind, Read},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

/// Maximum length of the file, in bytes.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The content of a regular file of at most 1 MiB. Anything else is an error.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let refuse = |why| Err(io::Error::new(ErrorKind::InvalidData, why));
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("the flags of open(2) fit into 32 bits");
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return refuse("not a regular file");
    }
    let mut content = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut content)?;
    if content.len() as u64 > MAX_FILE_BYTES {
        return refuse("larger than 1 MiB");
    }
    Ok(content)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_reading_never_blocks() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "x = 1").expect("the temporary directory is writable");
        symlink("file", path("link")).expect("the temporary directory is writable");
        assert_eq!(read(&path("link")).expect("links are followed"), b"x = 1");

        rustix::fs::mknodat(rustix::fs::CWD, path("pipe"), rustix::fs::FileType::Fifo, 0o600.into(), 0)
            .expect("the temporary directory is writable");
        symlink("/dev/zero", path("zero")).expect("the temporary directory is writable");
        for (name, why) in [("pipe", "not a regular file"), ("zero", "not a regular file"), (".", "not a regular file")]
        {
            assert_eq!(read(&path(name)).expect_err(name).to_string(), why, "{name}");
        }
    }

    #[test]
    fn a_file_of_1_mib_is_read_and_a_larger_one_is_rejected() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("file");
        fs::write(&path, vec![b'#'; 1 << 20]).expect("the temporary directory is writable");
        assert_eq!(read(&path).expect("the file is small enough").len(), 1 << 20);
        fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("the temporary directory is writable");
        assert_eq!(read(&path).expect_err("the file is too large").to_string(), "larger than 1 MiB");
    }
}
