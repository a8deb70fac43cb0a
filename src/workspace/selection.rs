//! Which of a task's changes an operation covers.

use std::collections::BTreeSet;

use crate::task::{ChangedPath, GitPath, Operation, OperationKind, OperationState, TaskWorkspace};

/// The changes of a task that are in the user's work tree, and those that were undone, as far as our operations know.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    /// Paths that were undone and not brought back since.
    pub(super) undone: BTreeSet<GitPath>,
    /// Paths that were applied from a worktree and not undone since.
    pub(super) applied: BTreeSet<GitPath>,
}

impl History {
    /// Follows the operations that were completed.
    pub(super) fn of(workspace: &TaskWorkspace) -> Self {
        let mut history = Self::default();
        let is_done = |operation: &&Operation| match operation.state {
            OperationState::Done => operation.branch.is_none(),
            OperationState::Begun | OperationState::Reverted => false,
        };
        for Operation { kind, covers, .. } in workspace.operations.iter().filter(is_done) {
            let (gains, loses) = match kind {
                OperationKind::Undo => (&mut history.undone, &mut history.applied),
                OperationKind::Redo | OperationKind::Apply => (&mut history.applied, &mut history.undone),
            };
            gains.extend(covers.iter().cloned());
            let covered: BTreeSet<_> = covers.iter().collect();
            loses.retain(|path| !covered.contains(path));
        }
        history
    }
}

/// What the caller wants to change.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: OperationKind,
    /// Files or directories; everything if empty.
    pub(super) paths: &'a [GitPath],
    /// Also files that no event of the agent names.
    pub(super) all: bool,
    /// Whether the task works in a worktree of its own.
    pub(super) is_worktree: bool,
}

/// The changes that an operation covers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// All paths of the selected files, including the former ones of renamed files.
    pub(super) paths: BTreeSet<GitPath>,
    /// Files that are left out because no event of the agent names them.
    pub(super) unnamed: Vec<GitPath>,
}

/// Why there is nothing to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NothingSelected {
    /// The task changed none of the wanted files.
    Unchanged,
    /// All of the wanted changes were undone before.
    AlreadyUndone,
    /// None of the wanted changes was undone.
    NotUndone,
    /// None of the wanted changes was applied.
    NotApplied,
}

/// Selects from `changed`, the task's changes.
pub(super) fn select(
    changed: &[ChangedPath],
    history: &History,
    wanted: Wanted<'_>,
) -> Result<Selection, NothingSelected> {
    let is_wanted = |file: &&ChangedPath| {
        wanted.paths.is_empty() || paths_of(file).any(|path| wanted.paths.iter().any(|wanted| contains(wanted, path)))
    };
    let candidates: Vec<_> = changed.iter().filter(is_wanted).collect();
    if candidates.is_empty() {
        return Err(NothingSelected::Unchanged);
    }
    let is_eligible = |file: &&ChangedPath| match wanted.kind {
        OperationKind::Undo if wanted.is_worktree => paths_of(file).any(|path| history.applied.contains(path)),
        OperationKind::Undo => !paths_of(file).all(|path| history.undone.contains(path)),
        OperationKind::Redo => paths_of(file).any(|path| history.undone.contains(path)),
        OperationKind::Apply => true,
    };
    let eligible: Vec<_> = candidates.iter().copied().filter(is_eligible).collect();
    if eligible.is_empty() {
        let was_undone = |file: &&ChangedPath| paths_of(file).any(|path| history.undone.contains(path));
        return Err(match wanted.kind {
            OperationKind::Redo => NothingSelected::NotUndone,
            OperationKind::Undo | OperationKind::Apply if candidates.iter().any(was_undone) => {
                NothingSelected::AlreadyUndone
            }
            OperationKind::Undo | OperationKind::Apply => NothingSelected::NotApplied,
        });
    }
    // A redo brings back what was undone, whoever had changed it.
    let takes_unnamed = wanted.all || wanted.is_worktree || wanted.kind == OperationKind::Redo;
    let (selected, unnamed): (Vec<_>, Vec<_>) = eligible.into_iter().partition(|file| takes_unnamed || file.is_named);
    Ok(Selection {
        paths: selected.into_iter().flat_map(paths_of).cloned().collect(),
        unnamed: unnamed.into_iter().map(|file| file.path.clone()).collect(),
    })
}

/// The paths of a changed file: both of a renamed one.
fn paths_of(file: &ChangedPath) -> impl Iterator<Item = &GitPath> {
    std::iter::once(&file.path).chain(&file.old_path)
}

/// Whether `wanted` is this path, or a directory above it. The empty path is the top.
pub(super) fn contains(wanted: &GitPath, path: &GitPath) -> bool {
    path.as_path().starts_with(wanted.as_path())
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
