//! Which of a task's changes an operation covers, and what brought them into the work tree.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::task::{ChangedPath, GitPath, Operation, OperationKind, OperationState, TaskWorkspace};

/// The last operation that covered each path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct History(BTreeMap<GitPath, (usize, OperationKind)>);

impl History {
    /// Follows the operations that were completed in the work tree.
    pub(super) fn of(workspace: &TaskWorkspace) -> Self {
        let is_done = |operation: &Operation| match operation.state {
            OperationState::Done => operation.branch.is_none(),
            OperationState::Begun | OperationState::Reverted | OperationState::Abandoned => false,
        };
        let done = workspace.operations.iter().enumerate().filter(|(_, operation)| is_done(operation));
        let covered = done.flat_map(|(at, done)| done.covers.iter().map(move |path| (path.clone(), (at, done.kind))));
        Self(covered.collect())
    }

    fn last(&self, file: &ChangedPath) -> Option<(usize, OperationKind)> {
        self.0.get(&file.path).copied()
    }
}

/// The changes that the caller wants.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) kind: OperationKind,
    /// Files or directories; everything if empty.
    pub(super) paths: &'a [GitPath],
    /// Also files that no event of the agent names.
    pub(super) all: bool,
    /// Whether the task works in its own worktree.
    pub(super) is_worktree: bool,
}

impl Wanted<'_> {
    /// Whether a path is one of the wanted files, or in one of the wanted directories. The empty path is the top.
    pub(super) fn contains(&self, path: &GitPath) -> bool {
        let is_in = |wanted: &GitPath| path.as_path().starts_with(wanted.as_path());
        self.paths.is_empty() || self.paths.iter().any(is_in)
    }

    /// The origin of the change that would be taken back or repeated for a file. `None` if there is nothing to do for it.
    fn source(&self, last: Option<(usize, OperationKind)>) -> Option<Source> {
        use OperationKind::{Apply, Redo, Undo};
        match (self.kind, last) {
            (Apply, _) => Some(Source::Task),
            (Undo, Some((at, Apply | Redo))) | (Redo, Some((at, Undo))) => Some(Source::Operation(Reverse(at))),
            (Undo, None) if !self.is_worktree => Some(Source::Task),
            (Undo, None | Some((_, Undo))) | (Redo, None | Some((_, Apply | Redo))) => None,
        }
    }
}

/// The origin of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    /// An earlier operation, by its index. Later ones come first.
    Operation(Reverse<usize>),
    /// The task itself.
    Task,
}

/// The changes that an operation covers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Selection {
    /// The paths of the selected files by the origin of their change, including both paths of renamed files.
    pub(super) groups: BTreeMap<Source, BTreeSet<GitPath>>,
    /// Files that are left out because no event of the agent names them.
    pub(super) unnamed: Vec<GitPath>,
}

/// Why there is nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
    let candidates: Vec<_> = changed.iter().filter(|file| paths_of(file).any(|path| wanted.contains(path))).collect();
    if candidates.is_empty() {
        return Err(NothingSelected::Unchanged);
    }
    // A redo brings back what was undone, whoever had changed it.
    let takes_unnamed = wanted.all || wanted.is_worktree || wanted.kind == OperationKind::Redo;
    let mut selection = Selection { groups: BTreeMap::new(), unnamed: Vec::new() };
    for file in &candidates {
        let Some(source) = wanted.source(history.last(file)) else { continue };
        if takes_unnamed || file.is_named {
            selection.groups.entry(source).or_default().extend(paths_of(file).cloned());
        } else {
            selection.unnamed.push(file.path.clone());
        }
    }
    if !selection.groups.is_empty() || !selection.unnamed.is_empty() {
        return Ok(selection);
    }
    let was_undone = |file: &ChangedPath| matches!(history.last(file), Some((_, OperationKind::Undo)));
    Err(match wanted.kind {
        OperationKind::Redo => NothingSelected::NotUndone,
        OperationKind::Undo | OperationKind::Apply if candidates.iter().copied().any(was_undone) => {
            NothingSelected::AlreadyUndone
        }
        OperationKind::Undo | OperationKind::Apply => NothingSelected::NotApplied,
    })
}

/// The paths of a changed file: both of a renamed one.
fn paths_of(file: &ChangedPath) -> impl Iterator<Item = &GitPath> {
    std::iter::once(&file.path).chain(&file.old_path)
}

#[cfg(test)]
#[path = "selection_tests.rs"]
mod tests;
