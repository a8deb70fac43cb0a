//! Finds a task's place in git.

use std::path::{Path, PathBuf};

use super::{git::Git, git_error::GitError};
use crate::task::{GitPath, ObjectFormat, ObjectId, Place};

/// What is checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit; `None` if there is none yet.
    pub commit: Option<ObjectId>,
    /// Its tree; `None` if there is no commit yet.
    pub tree: Option<ObjectId>,
    /// The short name of the branch; `None` if HEAD is detached.
    pub branch: Option<GitPath>,
}

/// Finds the work tree and the git directories for `directory`, a real path. Must be called before an agent starts.
///
/// Fails with [`NotCovered`] if there is no repository, or if it cannot be used.
pub fn find_place(_git: &Git, _directory: &Path) -> Result<Place, NotCovered> {
    let _ = ObjectFormat::Sha1;
    unreachable!("not built yet")
}

/// What is checked out at a place now.
pub fn head(_git: &Git, _place: &Place) -> Result<Head, GitError> {
    unreachable!("not built yet")
}

/// Why there are no snapshots of a directory. Each message is one sentence for people.
#[derive(Debug, thiserror::Error)]
pub enum NotCovered {
    /// The directory is not in a git repository.
    #[error("the directory is not in a git repository")]
    NoRepository,
    /// The work tree is the home directory or above it.
    #[error("the repository contains the home directory")]
    Home,
    /// The path.
    #[error("the repository's work tree {} contains the data directory", top.display())]
    DataDirectory {
        /// The work tree.
        top: PathBuf,
    },
    /// git failed.
    #[error("{0}")]
    Git(#[from] GitError),
}
