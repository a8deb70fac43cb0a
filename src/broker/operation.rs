//! Undoes, redoes and applies what a task changed.

use chrono::Utc;

use super::{
    Broker, NotOperable, PathSelection, Refusal,
    changes::{DiffContent, tops},
    workspace_problem::{TriedOperation, operation_problem},
};
use crate::{
    task::{GitPath, OperationKind, OperationResult, TaskId},
    workspace::{OperationRequest, Operator},
};

/// A request to revert what a task changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UndoRequest {
    /// The files to revert.
    pub paths: PathSelection,
    /// Whether to revert files that the agent did not report changing, too.
    pub all: bool,
    /// Whether to write nothing, and only say what would be done.
    pub check: bool,
}

/// A request to write what a task changed in its worktree to the user's files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ApplyRequest {
    /// The files to write.
    pub paths: PathSelection,
    /// Whether to write nothing, and only say what would be done.
    pub check: bool,
    /// The branch to create with one commit, instead of writing files.
    pub branch: Option<String>,
}

/// An operation, before its paths are resolved.
struct RequestedOperation {
    kind: OperationKind,
    paths: PathSelection,
    all: bool,
    is_check: bool,
    branch: Option<GitPath>,
}

impl Broker {
    /// Reverts what an ended task changed in the user's files, and keeps what was changed since.
    ///
    /// Fails with [`Refusal::NotOperable`] if that is not possible, for example because of conflicts. Then no file was
    /// changed, unless the refusal says so.
    pub async fn undo(&self, id: &TaskId, request: UndoRequest) -> Result<OperationResult, Refusal> {
        let UndoRequest { paths, all, check } = request;
        let wanted = RequestedOperation { kind: OperationKind::Undo, paths, all, is_check: check, branch: None };
        let result = self.operate(id, wanted).await?;
        if result.files.is_empty() && !result.unnamed.is_empty() {
            let refusal = NotOperable::OnlyUnnamed { id: id.clone(), files: result.unnamed };
            return Err(Refusal::from(refusal).after(result.recovered));
        }
        Ok(result)
    }

    /// Makes the changes again that an undo reverted. Fails like [`undo`](Self::undo).
    pub async fn redo(&self, id: &TaskId, is_check: bool) -> Result<OperationResult, Refusal> {
        let paths = PathSelection::default();
        self.operate(id, RequestedOperation { kind: OperationKind::Redo, paths, all: true, is_check, branch: None })
            .await
    }

    /// Writes what an ended task changed in its own worktree to the user's files, or commits it to a new branch. Fails
    /// like [`undo`](Self::undo).
    pub async fn apply(&self, id: &TaskId, request: ApplyRequest) -> Result<OperationResult, Refusal> {
        let ApplyRequest { paths, check, branch } = request;
        let branch = branch.map(|name| GitPath::from_bytes(name.into_bytes()));
        self.operate(id, RequestedOperation { kind: OperationKind::Apply, paths, all: true, is_check: check, branch })
            .await
    }

    async fn operate(&self, id: &TaskId, wanted: RequestedOperation) -> Result<OperationResult, Refusal> {
        let (record, is_running) = self.record_and_state(id).await?;
        if is_running {
            return Err(NotOperable::Running(id.clone(), wanted.kind).into());
        }
        self.with_git(id, move |broker| {
            let opened = broker.open_workspace(&record, Some(wanted.kind))?;
            if wanted.kind == OperationKind::Apply {
                broker.check_base_applied(&opened.workspace)?;
            }
            let selectors = wanted.paths.selectors(&record.id, &tops(&opened.workspace))?;
            let (git, files) = (opened.git.clone(), opened.files.clone());
            let top = opened.workspace.place.top.clone();
            if !selectors.is_empty() && opened.workspace.after.is_some() {
                // A misspelled path must not be ignored because another one is right.
                let (diff, _) = opened.diff(broker, &record, false, &PathSelection::default(), DiffContent::Files)?;
                selectors.check_all_changed(&record.id, &diff.files)?;
            }
            let tried =
                TriedOperation { id: &record.id, kind: wanted.kind, is_commit: wanted.branch.is_some(), top: &top };
            let request = OperationRequest {
                task: record.id.clone(),
                kind: wanted.kind,
                paths: selectors.paths(),
                all: wanted.all,
                is_check: wanted.is_check,
                branch: wanted.branch,
                now: Utc::now(),
            };
            let operator = Operator { git: &git, files: &files, max_file: broker.config.workspace.max_file };
            let done = operator.operate(&request);
            let done = done.map_err(|error| operation_problem(tried, error))?;
            // Files are written already, so a problem with this must not look like a failure.
            let running = match &done.branch {
                None => broker.running_in(&top, &record.id).unwrap_or_default(),
                Some(_) => Vec::new(),
            };
            Ok(OperationResult { running, ..done })
        })
        .await
    }
}
