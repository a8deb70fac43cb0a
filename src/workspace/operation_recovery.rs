//! Restores the files of an operation that failed, and finishes those that were interrupted.

use super::{
    interrupted::Toward,
    operation::{Operator, WRITE_TIMEOUT},
    operation_error::OperationError,
    presence::{check_commits_exist, check_place_exists},
    recovery::{SideWritten, write_side},
};
use crate::{
    process::{Deadline, kill_abandoned_tools},
    task::{Operation, OperationState, Place, RecoveredOperation, RecoveryState, TaskId, TaskWorkspace},
};

impl Operator<'_> {
    /// Records that git failed while it wrote the files of the last operation.
    fn note_failure(&self, workspace: &mut TaskWorkspace) {
        let Some(last) = workspace.operations.last_mut() else { return };
        last.has_failed = true;
        // If this fails, too, incomplete files are reported instead of completed.
        if let Err(error) = self.files.write(workspace) {
            tracing::warn!(%error, "a failed operation is not recorded as such");
        }
    }

    /// Restores the files after writing them failed, and returns the error for the caller.
    pub(super) fn restore(&self, workspace: &mut TaskWorkspace, source: OperationError) -> OperationError {
        self.note_failure(workspace);
        let Some(operation) = workspace.operations.last().cloned() else { return source };
        match self.write_side_of(workspace, &operation, Toward::Ours) {
            Ok(written) => match self.finish(workspace, OperationState::Reverted) {
                Ok(()) => OperationError::Failed { source: Box::new(source), left: written.left },
                Err(unrecorded) => OperationError::unfinished(workspace, unrecorded),
            },
            Err(error) => {
                tracing::warn!(%error, "the files of an operation cannot be restored");
                OperationError::unfinished(workspace, source)
            }
        }
    }

    /// Finishes interrupted operations in a work tree; with a check, only finds them. The caller has the lock of the
    /// repository. If it fails, the error says which ones it finished before.
    pub(super) fn recover(&self, place: &Place, is_check: bool) -> Result<Vec<RecoveredOperation>, OperationError> {
        let mut recovered = Vec::new();
        for id in self.files.ids()? {
            match self.recover_in(place, &id, is_check) {
                Ok(found) => recovered.extend(found),
                Err(error) => return Err(error.after(recovered)),
            }
        }
        Ok(recovered)
    }

    /// Finishes the last operation of this task if it was interrupted in this work tree.
    fn recover_in(
        &self,
        place: &Place,
        id: &TaskId,
        is_check: bool,
    ) -> Result<Option<RecoveredOperation>, OperationError> {
        match self.files.read(id)?.filter(|found| found.place.top == place.top) {
            Some(mut workspace) => self.recover_task(&mut workspace, is_check),
            None => Ok(None),
        }
    }

    /// Finishes the last operation of a task if it was interrupted. The caller has the lock of the repository, and the
    /// work tree exists.
    pub(super) fn finish_interrupted(
        &self,
        workspace: &mut TaskWorkspace,
    ) -> Result<Option<RecoveredOperation>, OperationError> {
        if !workspace.operations.last().is_some_and(|last| last.state == OperationState::Begun) {
            return Ok(None);
        }
        check_place_exists(&workspace.place)?;
        self.recover_task(workspace, false)
    }

    fn recover_task(
        &self,
        workspace: &mut TaskWorkspace,
        is_check: bool,
    ) -> Result<Option<RecoveredOperation>, OperationError> {
        let last = workspace.operations.last().filter(|last| last.state == OperationState::Begun).cloned();
        let Some(operation) = last else { return Ok(None) };
        let Operation { kind, ours, target, paths, .. } = &operation;
        let (state, recorded, SideWritten { written: files, left }) =
            match check_commits_exist(self.git, &workspace.place, [ours, target]) {
                // Otherwise it would prevent all operations in the work tree, forever.
                Err(OperationError::SnapshotsGone) => (
                    RecoveryState::Abandoned,
                    Some(OperationState::Abandoned),
                    SideWritten { written: vec![], left: paths.clone() },
                ),
                Err(error) => return Err(error),
                Ok(()) if is_check => {
                    (RecoveryState::Pending, None, SideWritten { written: paths.clone(), left: vec![] })
                }
                Ok(()) => {
                    let written = self.write_side_of(workspace, &operation, Toward::Target).map_err(|source| {
                        self.note_failure(workspace);
                        OperationError::unfinished(workspace, source)
                    })?;
                    (RecoveryState::Finished, Some(OperationState::Done), written)
                }
            };
        let recovered = RecoveredOperation { task: workspace.task.clone(), kind: *kind, state, files, left };
        if let Some(state) = recorded.filter(|_| !is_check)
            && let Err(error) = self.finish(workspace, state)
        {
            // Its files are written, even if the next operation has to find that out again.
            return Err(error.after(vec![recovered]));
        }
        Ok(Some(recovered))
    }

    fn write_side_of(
        &self,
        workspace: &TaskWorkspace,
        operation: &Operation,
        toward: Toward,
    ) -> Result<SideWritten, OperationError> {
        let git = self.git.with_deadline(Deadline::after(WRITE_TIMEOUT));
        let git = match &operation.marker {
            Some(marker) => {
                // After a kill, git may still be writing files.
                kill_abandoned_tools(marker);
                git.for_task(marker)
            }
            None => git,
        };
        check_commits_exist(&git, &workspace.place, [&operation.ours, &operation.target])?;
        let mut temporary = self.shadow(&git, workspace, &operation.target)?;
        write_side(&mut temporary.shadow, operation, toward)
    }
}
