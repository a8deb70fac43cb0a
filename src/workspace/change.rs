//! The changes that an undo, a redo or an apply merges.

use std::{cmp::Reverse, collections::BTreeSet};

use super::{
    merge::merge,
    operation_error::OperationError,
    restrict::{blocked_paths, restrict},
    selection::{Selection, Source, Wanted},
    shadow::Shadow,
};
use crate::task::{ConflictReason, FileConflict, GitPath, ObjectId, TaskWorkspace};

/// The selected changes of a task.
#[derive(Debug)]
pub(super) struct Change {
    steps: Vec<Step>,
    /// The paths of the selected files.
    pub(super) covers: Vec<GitPath>,
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
        let mut steps = Vec::new();
        for (source, paths) in &selection.groups {
            let is_selected = |path: &GitPath| paths.contains(path);
            steps.push(match source {
                Source::Task => step(shadow, sides.0, sides.1, is_selected)?,
                Source::Operation(Reverse(at)) => {
                    let done = &workspace.operations[*at];
                    let (written, covered): (BTreeSet<_>, BTreeSet<_>) =
                        (done.paths.iter().collect(), done.covers.iter().collect());
                    // Somebody had renamed a file before that operation.
                    let follows =
                        |path: &GitPath| written.contains(path) && !covered.contains(path) && wanted.contains(path);
                    step(shadow, &done.target, &done.ours, |path| is_selected(path) || follows(path))?
                }
            });
        }
        Ok(Self { steps, covers: selection.groups.values().flatten().cloned().collect() })
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
