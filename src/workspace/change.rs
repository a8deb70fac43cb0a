//! The changes that an undo, a redo or an apply merges.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    merge::merge,
    operation_error::OperationError,
    permissions::Limits,
    restrict::{blocked_paths, restrict},
    selection::{Selection, Source, Wanted},
    shadow::Shadow,
};
use crate::task::{ConflictReason, FileConflict, GitPath, NarrowMode, ObjectId, OperationKind, TaskWorkspace};

/// The selected changes of a task.
#[derive(Debug)]
pub(super) struct Change {
    steps: Vec<Step>,
    /// The paths of the selected files.
    pub(super) covers: Vec<GitPath>,
    /// The permissions narrower than git's that belong to the changes.
    pub(super) limits: Limits,
}

impl Change {
    /// The selected changes. Those that the task itself made go from the first of `sides` to the second.
    pub(super) fn new(
        shadow: &Shadow,
        workspace: &TaskWorkspace,
        sides: (&ObjectId, &ObjectId),
        selection: &Selection,
        wanted: Wanted<'_>,
    ) -> Result<Self, OperationError> {
        let (mut steps, mut limits) = (Vec::new(), Limits::default());
        for (source, paths) in &selection.groups {
            let is_selected = |path: &GitPath| paths.contains(path);
            steps.push(match source {
                Source::Task => {
                    for NarrowMode { path, before, after } in
                        workspace.modes.iter().filter(|mode| is_selected(&mode.path))
                    {
                        match wanted.kind {
                            OperationKind::Undo => limits.add(path, *after, *before),
                            OperationKind::Redo | OperationKind::Apply => limits.add(path, *before, *after),
                        }
                    }
                    step(shadow, sides.0, sides.1, is_selected)?
                }
                Source::Operation(Reverse(at)) => {
                    let done = &workspace.operations[*at];
                    let (written, covered): (BTreeSet<_>, BTreeSet<_>) =
                        (done.paths.iter().collect(), done.covers.iter().collect());
                    // Somebody had renamed a file before that operation.
                    let follows =
                        |path: &GitPath| written.contains(path) && !covered.contains(path) && wanted.contains(path);
                    let is_wanted = |path: &GitPath| is_selected(path) || follows(path);
                    for NarrowMode { path, before, after } in done.modes.iter().filter(|mode| is_wanted(&mode.path)) {
                        limits.add(path, *after, *before);
                    }
                    step(shadow, &done.target, &done.ours, is_wanted)?
                }
            });
        }
        Ok(Self { steps, limits, covers: selection.groups.values().flatten().cloned().collect() })
    }

    /// Merges the changes into `ours`, a tree. Fails with [`OperationError::Conflicts`].
    pub(super) fn merge_into(&self, shadow: &Shadow, ours: &ObjectId) -> Result<ObjectId, OperationError> {
        self.steps.iter().try_fold(ours.clone(), |ours, step| {
            let merge = merge(shadow, &step.base, &ours, &step.theirs)?;
            if merge.conflicts.is_empty() { Ok(merge.tree) } else { Err(OperationError::Conflicts(merge.conflicts)) }
        })
    }
}

/// Changes to be merged at once: those from `base` to `theirs`.
#[derive(Debug)]
struct Step {
    base: ObjectId,
    theirs: ObjectId,
}

/// A step with the selected ones of the changes from `base` to `theirs`.
fn step(
    shadow: &Shadow,
    base: &ObjectId,
    theirs: &ObjectId,
    is_selected: impl Fn(&GitPath) -> bool,
) -> Result<Step, OperationError> {
    let blocked = blocked_paths(shadow, base, theirs, &is_selected)?;
    if !blocked.is_empty() {
        let conflict = |path| FileConflict { path, reason: ConflictReason::InTheWay };
        return Err(OperationError::Conflicts(blocked.into_iter().map(conflict).collect()));
    }
    Ok(Step { base: base.clone(), theirs: restrict(shadow, base, theirs, is_selected)? })
}
