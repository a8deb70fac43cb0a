//! Why a worktree could not be made or removed.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{git_error::GitError, shadow::ShadowError, snapshot::SnapshotError};
use crate::store::StoreError;

/// A worktree could not be made or removed.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// `workspace.trees_dir` is inside the repository.
    #[error("`workspace.trees_dir` ({}) is inside the repository {}", trees_dir.display(), top.display())]
    InsideRepository {
        /// The configured directory.
        trees_dir: PathBuf,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// The worktrees need more space than `workspace.trees_max_bytes`.
    #[error("the worktrees in {} take up {used} bytes, and `workspace.trees_max_bytes` is {limit}", trees_dir.display())]
    Full {
        /// Where they are.
        trees_dir: PathBuf,
        /// Their size in bytes.
        used: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// The action.
        action: &'static str,
        /// With which file or directory.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// The worktree or its git directory is no longer where it was.
    #[error("the worktree or its git directory was moved, or replaced by a symbolic link")]
    Moved,
    /// The shadow repository failed.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}

impl TreeError {
    /// Makes the error of a file operation.
    pub(super) fn file(action: &'static str, path: impl AsRef<Path>) -> impl FnOnce(io::Error) -> Self {
        let path = path.as_ref().to_owned();
        move |source| Self::File { action, path, source }
    }

    /// The error of git, if git failed.
    pub fn git_error(&self) -> Option<&GitError> {
        match self {
            Self::Git(error) | Self::Shadow(ShadowError::Git(error)) => Some(error),
            Self::InsideRepository { .. } | Self::Full { .. } | Self::File { .. } | Self::Moved | Self::Shadow(_) => {
                None
            }
        }
    }

    /// Advice, in one sentence.
    pub fn next(&self) -> &'static str {
        match self {
            Self::InsideRepository { .. } => "set `workspace.trees_dir` to a directory outside the repository",
            Self::Full { .. } => {
                "apply or remove tasks with worktrees (`codex-connector check` lists them), or raise \
                 `workspace.trees_max_bytes`"
            }
            Self::File { .. } | Self::Moved | Self::Shadow(_) | Self::Git(_) => {
                "correct this, or let the task work in the directory itself (`workspace.tree = \"never\"`)"
            }
        }
    }
}

impl From<StoreError> for TreeError {
    fn from(error: StoreError) -> Self {
        Self::File { action: error.doing, path: error.path, source: error.source }
    }
}

impl From<SnapshotError> for TreeError {
    fn from(error: SnapshotError) -> Self {
        match error {
            SnapshotError::Moved => Self::Moved,
            SnapshotError::Shadow(error) => error.into(),
            SnapshotError::Git(error) => error.into(),
        }
    }
}
