//! The worktrees that exist, the space that they take up, and its limit.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{
    cleanup::{CleanUp, TaskPhase},
    examined::disk_usage,
    git_error::GitError,
    tree_error::TreeError,
    tree_files::is_directory,
};
use crate::{
    process::Deadline,
    store::{Reader, StoreError, Workspaces},
    task::{OperationKind, OperationState, TaskId, TaskWorkspace},
};

/// A worktree that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExistingTree {
    /// Its task.
    pub task: TaskId,
    /// Its path.
    pub path: PathBuf,
    /// The state of the task.
    pub phase: TaskPhase,
    /// Whether the task's changes were applied to the user's work tree, and not undone since.
    pub is_applied: bool,
    /// The space that it takes up, in bytes.
    pub bytes: u64,
}

impl ExistingTree {
    /// The state of its task, in a few words.
    pub fn state(&self) -> &'static str {
        match (self.phase, self.is_applied) {
            (TaskPhase::Running, _) => "which is running",
            (TaskPhase::Ended, true) => "which has ended and was applied",
            (TaskPhase::Ended, false) => "which has ended",
            (TaskPhase::Removed, _) => "which was removed",
        }
    }
}

/// How to find out the size of worktrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TreeSizes {
    /// Read all their directories.
    Measured,
    /// The same, but use the size that the last cleanup found, if there is one.
    Remembered,
}

/// The worktrees of all tasks in a data directory, in the order of their paths. Files that are shared with other
/// directories count fully.
pub fn existing_trees(files: &Workspaces, reader: &Reader, sizes: TreeSizes) -> Result<Vec<ExistingTree>, StoreError> {
    let mut trees = Vec::new();
    for id in files.ids()? {
        let Some(workspace) = files.read(&id)? else { continue };
        let is_applied = is_applied(&workspace);
        let Some(tree) = workspace.worktree.filter(|tree| !tree.is_removed && is_directory(&tree.path)) else {
            continue;
        };
        let remembered = tree.examined.as_ref().filter(|_| sizes == TreeSizes::Remembered);
        let bytes = remembered.map_or_else(|| disk_usage(&tree.path), |examined| examined.bytes);
        let phase = TaskPhase::of(&id, reader)?;
        trees.push(ExistingTree { task: id, path: tree.path, phase, is_applied, bytes });
    }
    trees.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(trees)
}

/// Makes room for another worktree in `trees_dir`: if all of them take up `limit` bytes or more, removes some of ended
/// tasks, applied ones first, and older ones before newer ones. A worktree with work that no snapshot contains is never
/// removed.
///
/// Must not be called with the lock of a repository, because each removal takes one. Blocks, at most until the deadline
/// and the end of the file operation that runs then. Fails with [`TreeError::Full`] if the rest still takes up too much.
pub fn make_room(clean_up: &CleanUp, trees_dir: &Path, limit: u64, deadline: &Deadline) -> Result<(), TreeError> {
    let mut trees = existing_trees(&clean_up.files, &clean_up.reader, TreeSizes::Measured)?;
    let mut used: u64 = trees.iter().map(|tree| tree.bytes).sum();
    trees.retain(|tree| tree.phase != TaskPhase::Running);
    trees.sort_by_key(|tree| (!tree.is_applied, fs::metadata(&tree.path).and_then(|found| found.created()).ok()));
    for tree in trees {
        if used < limit {
            return Ok(());
        }
        if deadline.remaining().is_zero() {
            return Err(GitError::TimedOut { command: "worktree".to_owned() }.into());
        }
        clean_up.run_until(&[tree.task], deadline);
        if !tree.path.exists() {
            used -= tree.bytes;
        }
    }
    if used < limit { Ok(()) } else { Err(TreeError::Full { trees_dir: trees_dir.to_owned(), used, limit }) }
}

/// Whether the last operation that changed something was an apply.
fn is_applied(workspace: &TaskWorkspace) -> bool {
    let last = workspace.operations.iter().rev().find(|operation| operation.state == OperationState::Done);
    last.is_some_and(|operation| operation.kind == OperationKind::Apply)
}
