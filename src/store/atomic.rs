//! Replacing files so that no reader and no power cut finds half of one.

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

/// Whether a write waits until it would survive a power cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// It waits.
    Durable,
    /// It waits for the content and not for the name: after a power cut there is this file or the one before, whole.
    Whole,
    /// It does not: the content is of this second, or can be made again.
    Volatile,
}

/// Puts `content` (0600) in the place of `path` in one step.
pub(super) fn replace(path: &Path, content: &[u8], durability: Durability) -> Result<(), StoreError> {
    replace_by(path, durability, |file| file.write_all(content))
}

/// Puts what `content` writes (0600) in the place of `path` in one step.
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

/// Makes a file with this `content` (0600) that survives a power cut, in one step. Fails with
/// [`AlreadyExists`](io::ErrorKind::AlreadyExists) when there is one, which stays as it is.
pub(super) fn make(path: &Path, content: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let file = written(dir, Durability::Durable, |file| file.write_all(content))?;
    file.persist_noclobber(path).map_err(|failed| failed.error)?;
    fault::point("named")?;
    files::sync_names(dir)
}

/// A temporary file in `dir` with what `content` writes.
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

/// Removes the temporary files of writers that were killed, in directories of ours.
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

/// How the name of a file begins that is about to take another's place.
const TEMPORARY_PREFIX: &str = ".new-";

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_replaced_file_is_private_and_leaves_no_temporary_file() {
        let dir = tempfile::tempdir().expect("a temporary directory can be made");
        let path = dir.path().join("record.json");
        replace(&path, b"one", Durability::Durable).expect("the directory is writable");
        replace(&path, b"two", Durability::Volatile).expect("the directory is writable");
        assert_eq!(fs::read(&path).expect("it was just written"), b"two");
        assert_eq!(fs::metadata(&path).expect("it is there").permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).expect("it is there").count(), 1);
    }

    #[test]
    fn a_failed_write_names_the_path() {
        let error = replace(Path::new("/proc/no/such/file"), b"", Durability::Volatile).expect_err("no such directory");
        assert!(error.to_string().contains("/proc/no/such/file"), "{error}");
    }
}
