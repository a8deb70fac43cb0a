//! The changes of a task, computed on request.

use std::path::PathBuf;

use super::{ChangedPath, ObjectId, RecoveredOperation, TaskId};

/// The difference that a task made, in all files or in selected ones. The patch is not part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskDiff {
    /// The task.
    pub id: TaskId,
    /// The snapshot before the task.
    pub base: ObjectId,
    /// The snapshot after it; if there is none, a temporary one of the current files.
    pub head: ObjectId,
    /// Which state of the files is compared with the one before the task.
    pub compared: Compared,
    /// The changed files, in the order of their paths.
    pub files: Vec<ChangedPath>,
    /// The task's own worktree, if it has one that was not removed.
    pub worktree: Option<PathBuf>,
    /// The number of these files whose changes are undone.
    pub undone: usize,
    /// An operation on the task's changes that was interrupted, and is still to be finished.
    pub interrupted: Option<RecoveredOperation>,
}

/// The state of the files that a task's diff compares with the state before the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compared {
    /// The snapshot at the end of the task.
    End,
    /// The current files, because the task has not ended.
    Running,
    /// The current files, because the task has ended but no snapshot could be taken at its end.
    NoSnapshot,
}

impl TaskDiff {
    /// The number of lines added in text files.
    pub fn added(&self) -> u64 {
        self.files.iter().filter_map(|file| file.added).sum()
    }

    /// The number of lines removed in text files.
    pub fn removed(&self) -> u64 {
        self.files.iter().filter_map(|file| file.removed).sum()
    }
}
