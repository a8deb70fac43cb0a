//! Why an undo, a redo or an apply was not possible.

use std::path::PathBuf;

use super::{
    checkout::CheckoutError, git_error::GitError, selection::NothingSelected, shadow::ShadowError,
    snapshot::SnapshotError,
};
use crate::{
    store::{LockHolder, StoreError},
    task::{FileConflict, GitPath, Operation, OperationKind, RecoveredOperation, TaskId, TaskWorkspace},
};

/// An undo, a redo or an apply was not possible. Unless it says otherwise, no file was changed.
#[derive(Debug, thiserror::Error)]
pub enum OperationError {
    /// The task has no snapshots: they are turned off, or its directory is not covered.
    #[error("the task has no snapshots")]
    NoSnapshots,
    /// The task has no snapshot of its end: it is running, it was killed, or the snapshot failed.
    #[error("the task has no snapshot of its end")]
    NoAfter,
    /// The task did not work in a worktree, so its changes are in the user's work tree already.
    #[error("the task did not work in a worktree")]
    NoWorktree,
    /// The work tree or the repository is no longer there.
    #[error("{} is no longer there", path.display())]
    PlaceGone {
        /// The missing directory.
        path: PathBuf,
    },
    /// The repository no longer contains the snapshots.
    #[error("the repository no longer contains the task's snapshots")]
    SnapshotsGone,
    /// The task changed none of the requested files, or no file at all.
    #[error("the task did not change these files")]
    Unchanged,
    /// The changes were undone before.
    #[error("the task's changes are already undone")]
    AlreadyUndone,
    /// There is nothing to redo, because nothing was undone.
    #[error("none of the task's changes was undone")]
    NotUndone,
    /// There is nothing to undo, because the changes in the worktree were not applied.
    #[error("the task's changes were not applied")]
    NotApplied,
    /// These files cannot be changed.
    #[error("{} files are in conflict", .0.len())]
    Conflicts(Vec<FileConflict>),
    /// The name is not valid for a branch.
    #[error("the name of the branch is not valid")]
    InvalidBranch(GitPath),
    /// The branch exists.
    #[error("the branch exists")]
    BranchExists(GitPath),
    /// Another process works on the repository.
    #[error("another process works on the repository")]
    Busy(Option<LockHolder>),
    /// Writing failed, and the files were restored, except for `left`.
    #[error("the files could not be written: {source}")]
    Failed {
        /// The reason.
        source: Box<OperationError>,
        /// Files that could not be restored, because somebody changed them meanwhile.
        left: Vec<GitPath>,
    },
    /// An operation is unfinished: writing its files failed, and they could not be restored either, or that could not be
    /// recorded. The next operation in this work tree finishes it.
    #[error("the files could not be written completely: {source}")]
    Unfinished {
        /// The task that the operation belongs to.
        task: TaskId,
        /// The kind of the operation.
        kind: OperationKind,
        /// The files that may be incomplete.
        files: Vec<GitPath>,
        /// The reason.
        source: Box<OperationError>,
    },
    /// Interrupted operations were finished, which changed files, or given up. The operation itself was not possible.
    #[error("{source}")]
    AfterRecovery {
        /// The finished operations.
        recovered: Vec<RecoveredOperation>,
        /// Why this one was not possible.
        source: Box<OperationError>,
    },
    /// A file could not be inspected.
    #[error("a file could not be inspected: {0}")]
    Inspect(#[source] std::io::Error),
    /// No snapshot of the present files could be taken.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The shadow repository could not be made or published.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The data directory could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl OperationError {
    /// This error, which says that these interrupted operations were finished or given up first.
    pub(super) fn after(self, recovered: Vec<RecoveredOperation>) -> Self {
        match recovered.is_empty() {
            true => self,
            false => Self::AfterRecovery { recovered, source: Box::new(self) },
        }
    }

    /// The error of git that caused this one, if there is one.
    pub fn git_error(&self) -> Option<&GitError> {
        match self {
            Self::Git(error)
            | Self::Shadow(ShadowError::Git(error))
            | Self::Snapshot(SnapshotError::Git(error) | SnapshotError::Shadow(ShadowError::Git(error))) => Some(error),
            Self::Failed { source, .. } | Self::Unfinished { source, .. } | Self::AfterRecovery { source, .. } => {
                source.git_error()
            }
            Self::NoSnapshots
            | Self::NoAfter
            | Self::NoWorktree
            | Self::PlaceGone { .. }
            | Self::SnapshotsGone
            | Self::Unchanged
            | Self::AlreadyUndone
            | Self::NotUndone
            | Self::NotApplied
            | Self::Conflicts(_)
            | Self::InvalidBranch(_)
            | Self::BranchExists(_)
            | Self::Busy(_)
            | Self::Inspect(_)
            | Self::Snapshot(SnapshotError::Moved | SnapshotError::Shadow(ShadowError::File { .. }))
            | Self::Shadow(ShadowError::File { .. })
            | Self::Store(_) => None,
        }
    }

    /// The error if the last operation of a task is recorded as begun, so that the next one in the work tree finishes it.
    pub(super) fn unfinished(workspace: &TaskWorkspace, source: Self) -> Self {
        let Some(Operation { kind, paths, .. }) = workspace.operations.last() else { return source };
        let (task, kind, files) = (workspace.task.clone(), *kind, paths.clone());
        Self::Unfinished { task, kind, files, source: Box::new(source) }
    }
}

impl From<CheckoutError> for OperationError {
    fn from(error: CheckoutError) -> Self {
        match error {
            CheckoutError::Conflicts(conflicts) => Self::Conflicts(conflicts),
            CheckoutError::Inspect(source) => Self::Inspect(source),
            CheckoutError::Git(source) | CheckoutError::Interrupted(source) => Self::Git(source),
        }
    }
}

impl From<NothingSelected> for OperationError {
    fn from(nothing: NothingSelected) -> Self {
        match nothing {
            NothingSelected::Unchanged => Self::Unchanged,
            NothingSelected::AlreadyUndone => Self::AlreadyUndone,
            NothingSelected::NotUndone => Self::NotUndone,
            NothingSelected::NotApplied => Self::NotApplied,
        }
    }
}
