//! Replacing files atomically: neither a reader nor a power cut sees a partial file.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
    time::Duration,
};

use tempfile::NamedTempFile;

use super::{
    StoreError, fault,
    files::{self, make_private},
};

/// How much of a write must survive a power cut before the call returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// The content and the name.
    Durable,
    /// The content, but not the name: after a power cut the file is either the new or the old one, complete.
    Whole,
    /// Nothing: the content is short-lived or can be recreated.
    Volatile,
}

/// Replaces the file at `path` atomically with `content` (mode 0600).
pub(super) fn replace(path: &Path, content: &[u8], durability: Durability) -> Result<(), StoreError> {
    replace_by(path, durability, |file| file.write_all(content))
}

/// Replaces the file at `path` atomically with the output of `content` (mode 0600).
pub(super) fn replace_by(
    path: &Path,
    durability: Durability,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> Result<(), StoreError> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        let file = written(dir, durability, content)?;
        file.persist(path).map_err(|failed| failed.error)?;
        fault::point("named")?;
        match durability {
            Durability::Durable => files::sync_names(dir),
            Durability::Whole | Durability::Volatile => Ok(()),
        }
    };
    write().map_err(StoreError::at("write", path))
}

/// Creates a file with this `content` (mode 0600) atomically and durably. Fails with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if the file exists, and leaves that file unchanged.
pub(super) fn make(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let file = written(dir, Durability::Durable, |file| file.write_all(content))?;
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    fault::point("named")?;
    files::sync_names(dir)
}

/// Creates a temporary file in `dir` and fills it with `content`.
fn written(
    dir: &Path,
    durability: Durability,
    content: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<NamedTempFile> {
    fault::point("begin")?;
    let mut file = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(dir)?;
    make_private(file.as_file())?;
    content(file.as_file_mut())?;
    fault::point("written")?;
    match durability {
        Durability::Durable | Durability::Whole => file.as_file().sync_data()?,
        Durability::Volatile => {}
    }
    Ok(file)
}

/// Removes temporary files older than one hour, left by writers that were killed. `dir` must be one of our directories.
pub(super) fn remove_leftovers(dir: &Path) {
    let is_leftover = |file: &fs::DirEntry| {
        let old = file
            .metadata()
            .and_then(|file| file.modified())
            .is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > Duration::from_secs(3600)));
        old && file.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX)
    };
    for file in fs::read_dir(dir).into_iter().flatten().flatten().filter(is_leftover) {
        let _ = files::remove(&file.path());
    }
}

/// Prefix of temporary files.
const TEMPORARY_PREFIX: &str = ".new-";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_replaced_file_is_private_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("record.json");
        replace(&path, b"one", Durability::Durable).expect("the directory is writable");
        replace(&path, b"two", Durability::Volatile).expect("the directory is writable");
        assert_eq!(fs::read(&path).expect("it was just written"), b"two");
        assert_eq!(fs::metadata(&path).expect("it exists").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("it exists").count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_path() {
        let error = replace(Path::new("/proc/no/such/file"), b"", Durability::Volatile).expect_err("no such directory");
        assert!(error.to_string().contains("/proc/no/such/file"), "{error}");
    }
}
