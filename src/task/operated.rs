//! The results of undo, redo and apply.

use std::path::PathBuf;

use super::{GitPath, ObjectId, OperationKind, TaskId};

/// The result of an undo, a redo or an apply. With a check, nothing was written, and it says what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationResult {
    /// The kind.
    pub kind: OperationKind,
    /// The top of the user's work tree that it concerns.
    pub top: PathBuf,
    /// Whether nothing was written, because only a check was requested.
    pub is_check: bool,
    /// The files that were written or removed, in the order of their paths. Empty if they already had this content. If a
    /// check found an interrupted operation, only the files of that one, because the others depend on its result.
    pub files: Vec<GitPath>,
    /// Files that changed while the task ran and that no event of the agent names. They were left as they are, because
    /// somebody else may have changed them.
    pub unnamed: Vec<GitPath>,
    /// The branch that was created instead of writing files.
    pub branch: Option<NewBranch>,
    /// The tasks that were running in the work tree and may change its files again.
    pub running: Vec<TaskId>,
    /// Operations that a killed process had not finished, and that were finished first, or given up.
    pub recovered: Vec<RecoveredOperation>,
}

/// An operation that was interrupted, and that a later one found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecoveredOperation {
    /// The task.
    pub task: TaskId,
    /// The kind.
    pub kind: OperationKind,
    /// How it was treated.
    pub state: RecoveryState,
    /// The files that still had to be written; if it is pending, all its files.
    pub files: Vec<GitPath>,
    /// Files that it should have written. They were left as they are, because somebody changed them meanwhile. If it was
    /// abandoned, all its files.
    pub left: Vec<GitPath>,
}

/// How an interrupted operation was treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryState {
    /// It was finished.
    Finished,
    /// Nothing: a check found it. It will be finished before the next operation in the work tree.
    Pending,
    /// It was given up, because the repository no longer contains its snapshots. Some of its files may be written, and
    /// others not.
    Abandoned,
}

/// A branch that `apply` created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBranch {
    /// Its name, without `refs/heads/`.
    pub name: GitPath,
    /// Its only new commit.
    pub commit: ObjectId,
}

/// A file that an operation cannot change, so that the whole operation was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileConflict {
    /// Its path.
    pub path: GitPath,
    /// Why.
    pub reason: ConflictReason,
}

/// Why an operation cannot change a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConflictReason {
    /// The user and the task changed the same lines.
    Content,
    /// One side changed the file, and the other removed or renamed it.
    Removed,
    /// A file or directory that the snapshots do not contain has this path.
    InTheWay,
    /// A directory of its path is a symbolic link.
    BehindLink,
    /// The file changed while the operation was being prepared.
    ChangedMeanwhile,
    /// Its directory does not permit changes.
    NotWritable,
}
