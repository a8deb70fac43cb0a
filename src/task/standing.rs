//! Where a task's changes are after operations on them.

use std::collections::BTreeMap;

use super::{Changes, GitPath, Operation, OperationKind, OperationState, TaskId, TaskWorkspace};

/// Where a task's changes are now, as far as operations on them say.
///
/// Not part of a record's file, because operations follow the end of the task, and because it depends on the
/// configuration of the process that shows the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Where the changes are.
    pub place: ChangesPlace,
    /// The task in whose worktree this one continued.
    pub continues: Option<TaskId>,
    /// Other tasks that may have changed files in the same work tree while this one ran. Only determined for one task
    /// that is shown by itself, and if the agent did not name all changed files.
    pub beside: Vec<TaskId>,
    /// Whether the tool `codex_diff` is on.
    pub diff_by_tool: bool,
    /// Whether the tool `codex_apply` is on.
    pub apply_by_tool: bool,
}

/// Where a task's changes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangesPlace {
    /// In the user's files, where the task made them.
    Made,
    /// Only in the snapshots of its worktree.
    Worktree,
    /// On a branch that `apply` created, and not in the user's files.
    Branch(GitPath),
    /// In the user's files, because all of them were applied.
    Applied,
    /// Some of them in the user's files, because they were applied.
    PartlyApplied {
        /// The number of files that were applied.
        files: u64,
    },
    /// In the user's files again, after an undo and a redo.
    Redone,
    /// Nowhere: all were undone.
    Undone,
    /// Some of them were undone.
    PartlyUndone {
        /// The number of files that were undone.
        files: u64,
    },
}

impl ChangesPlace {
    /// Where these changes are after the operations in the task's workspace file.
    pub fn of(workspace: &TaskWorkspace, changes: &Changes) -> Self {
        let last = last_operations(workspace);
        // Both paths of a renamed file are covered, and it counts once.
        let is_old = |path: &GitPath| changes.paths.iter().any(|file| file.old_path.as_ref() == Some(path));
        let count = |is_wanted: fn(OperationKind) -> bool| {
            let counted = last.iter().filter(|(path, kind)| is_wanted(**kind) && !is_old(path)).count();
            u64::try_from(counted).unwrap_or(u64::MAX)
        };
        let undone = count(|kind| kind == OperationKind::Undo);
        let written = count(|kind| kind != OperationKind::Undo);
        match (&workspace.worktree, undone, written) {
            (None, 0, 0) => Self::Made,
            (None, 0, _) => Self::Redone,
            (Some(_), 0, 0) => branch(workspace).map_or(Self::Worktree, Self::Branch),
            (Some(_), 0, files) if files < changes.files => Self::PartlyApplied { files },
            (Some(_), 0, _) => Self::Applied,
            (Some(_), _, 0) => Self::Undone,
            (_, files, _) if files < changes.files => Self::PartlyUndone { files },
            _ => Self::Undone,
        }
    }

    /// Whether the changes are nowhere but in the snapshots of the task's worktree.
    pub fn is_unapplied(&self) -> bool {
        *self == Self::Worktree
    }
}

/// The last completed operation on each file in the user's work tree.
pub fn last_operations(workspace: &TaskWorkspace) -> BTreeMap<&GitPath, OperationKind> {
    let is_done = |operation: &&Operation| operation.state == OperationState::Done && operation.branch.is_none();
    let done = workspace.operations.iter().filter(is_done);
    done.flat_map(|operation| operation.covers.iter().map(|path| (path, operation.kind))).collect()
}

/// The newest branch that an apply created.
fn branch(workspace: &TaskWorkspace) -> Option<GitPath> {
    let done = workspace.operations.iter().filter(|operation| operation.state == OperationState::Done);
    done.filter_map(|operation| operation.branch.clone()).next_back()
}

#[cfg(test)]
#[path = "standing_tests.rs"]
mod tests;
