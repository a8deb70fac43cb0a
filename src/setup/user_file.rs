//! A file that belongs to the user, such as `settings.json`: read, and replaced in one step.
//!
//! A symbolic link stays: the file that it leads to is replaced.

use std::{
    fs,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use rustix::fs::{Access, access};

/// Upper bound on the length of a file that is edited, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;

/// The state of a file at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserFile {
    /// The path by which it is known.
    pub path: PathBuf,
    /// The path of the file itself, after all symbolic links.
    pub target: PathBuf,
    /// The content; `None` if the file does not exist.
    pub text: Option<String>,
    /// Whether it may be written.
    pub is_writable: bool,
}

/// Why a file cannot be edited.
#[derive(Debug, thiserror::Error)]
pub enum UserFileProblem {
    /// It is a symbolic link to nothing.
    #[error("{} is a symbolic link to a file that does not exist", path.display())]
    Dangling {
        /// The link.
        path: PathBuf,
    },
    /// It is a directory or something else, too long, or not text.
    #[error("{} is not a text file of at most {} MiB", path.display(), MAX_FILE_BYTES >> 20)]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It cannot be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Inaccessible {
        /// The operation.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
}

impl UserFileProblem {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Self::Dangling { path } | Self::NotText { path } | Self::Inaccessible { path, .. } => path,
        }
    }
}

impl UserFile {
    /// Reads a file, which need not exist.
    pub fn read(path: &Path) -> Result<Self, UserFileProblem> {
        let inaccessible = |source| UserFileProblem::Inaccessible { action: "read", path: path.to_owned(), source };
        let target = match path.canonicalize() {
            Ok(target) => target,
            Err(error) if error.kind() == ErrorKind::NotFound && path.is_symlink() => {
                return Err(UserFileProblem::Dangling { path: path.to_owned() });
            }
            Err(error) if error.kind() == ErrorKind::NotFound => path.to_owned(),
            Err(error) => return Err(inaccessible(error)),
        };
        let metadata = match target.metadata() {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Ok(Self { path: path.to_owned(), target, text: None, is_writable: true });
            }
            Err(error) => return Err(inaccessible(error)),
        };
        if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
            return Err(UserFileProblem::NotText { path: path.to_owned() });
        }
        let bytes = fs::read(&target).map_err(inaccessible)?;
        let text = String::from_utf8(bytes).map_err(|_| UserFileProblem::NotText { path: path.to_owned() })?;
        // The superuser may write files that their owner has made read-only on purpose.
        let is_writable = !metadata.permissions().readonly() && access(&target, Access::WRITE_OK).is_ok();
        Ok(Self { path: path.to_owned(), target, text: Some(text), is_writable })
    }

    /// Replaces the content in one step, keeping the permissions; `None` removes the file. A new file is readable by its
    /// owner only, like the one that Claude Code would create.
    pub fn write(&self, text: Option<&str>) -> Result<(), UserFileProblem> {
        self.replace(text).map_err(|source| UserFileProblem::Inaccessible {
            action: "write",
            path: self.path.clone(),
            source,
        })
    }

    fn replace(&self, text: Option<&str>) -> io::Result<()> {
        let Some(text) = text else { return fs::remove_file(&self.target) };
        let directory = self.target.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(directory)?;
        let mut new = tempfile::Builder::new().prefix(".codex-connector-").tempfile_in(directory)?;
        new.write_all(text.as_bytes())?;
        if let Ok(metadata) = self.target.metadata() {
            new.as_file().set_permissions(metadata.permissions())?;
        }
        new.as_file().sync_data()?;
        new.persist(&self.target).map(|_| ()).map_err(|failed| failed.error)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_link_stays_and_its_file_keeps_its_permissions() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let (link, real) = (dir.path().join("settings.json"), dir.path().join("dotfiles.json"));
        fs::write(&real, "{}").expect("the directory is writable");
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).expect("the test owns the file");
        symlink("dotfiles.json", &link).expect("the directory is writable");
        let file = UserFile::read(&link).expect("the file is text");
        file.write(Some("{\"a\": 1}")).expect("the directory is writable");
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&real).expect("it exists"), "{\"a\": 1}");
        assert_eq!(real.metadata().expect("it exists").permissions().mode() & 0o777, 0o644);
    }

    #[test]
    fn a_missing_file_can_be_created_and_removed() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let file = UserFile::read(&dir.path().join("new/settings.json")).expect("a missing file is not a problem");
        assert_eq!(file.text, None);
        file.write(Some("x")).expect("the directory is writable");
        assert_eq!(UserFile::read(&file.path).expect("the file is text").text.as_deref(), Some("x"));
        file.write(None).expect("the directory is writable");
        assert!(!file.path.exists());
    }

    #[test]
    fn files_that_cannot_be_edited_are_distinguished() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("settings.json");
        symlink("nowhere", &path).expect("the directory is writable");
        assert!(matches!(UserFile::read(&path), Err(UserFileProblem::Dangling { .. })));
        assert!(matches!(UserFile::read(dir.path()), Err(UserFileProblem::NotText { .. })));
        fs::remove_file(&path).expect("it exists");
        fs::write(&path, b"\xff").expect("the directory is writable");
        assert!(matches!(UserFile::read(&path), Err(UserFileProblem::NotText { .. })));
        fs::write(&path, "{}").expect("the directory is writable");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("the test owns the file");
        assert!(!UserFile::read(&path).expect("the file is text").is_writable);
    }
}
