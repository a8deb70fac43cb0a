//! Turns errors of `workspace` into refusals.

use std::path::Path;

use super::{NotOperable, Refusal};
use crate::{
    present::repository_refusals::with_git_message,
    task::{OperationKind, TaskId},
    workspace::{GitError, OperationError, ShadowError, SnapshotError},
};

/// A command of git failed for an operation of this kind, or for a diff, in the work tree with this top.
pub(super) fn git_problem(id: &TaskId, kind: Option<OperationKind>, top: &Path, error: GitError) -> NotOperable {
    match error {
        GitError::NotInstalled => NotOperable::NoGit,
        GitError::TooOld { found, needed } => {
            NotOperable::GitTooOld { id: id.clone(), kind, found: found.to_string(), needed: needed.to_string() }
        }
        GitError::TimedOut { .. } | GitError::Cancelled => NotOperable::TimedOut { place: top.to_owned() },
        error @ (GitError::NotStarted { .. }
        | GitError::Failed { .. }
        | GitError::Output { .. }
        | GitError::Unexpected { .. }) => {
            let problem = with_git_message(error.to_string(), error.stderr());
            NotOperable::Failed { id: id.clone(), problem }
        }
    }
}

/// A shadow repository could not be made or used.
pub(super) fn shadow_problem(id: &TaskId, kind: Option<OperationKind>, top: &Path, error: ShadowError) -> NotOperable {
    match error {
        ShadowError::Git(error) => git_problem(id, kind, top, error),
        error @ ShadowError::File { .. } => NotOperable::Failed { id: id.clone(), problem: error.to_string() },
    }
}

/// A snapshot could not be taken.
pub(super) fn snapshot_problem(
    id: &TaskId,
    kind: Option<OperationKind>,
    top: &Path,
    error: SnapshotError,
) -> NotOperable {
    match error {
        SnapshotError::Shadow(error) => shadow_problem(id, kind, top, error),
        SnapshotError::Git(error) => git_problem(id, kind, top, error),
        SnapshotError::Moved => NotOperable::RepositoryGone { id: id.clone(), place: top.to_owned() },
    }
}

/// An operation that was tried.
#[derive(Debug, Clone, Copy)]
pub(super) struct TriedOperation<'a> {
    /// The task.
    pub(super) id: &'a TaskId,
    /// The kind.
    pub(super) kind: OperationKind,
    /// Whether it would create a branch instead of writing files.
    pub(super) is_commit: bool,
    /// The top of the work tree.
    pub(super) top: &'a Path,
}

/// An operation failed.
pub(super) fn operation_problem(tried: TriedOperation<'_>, error: OperationError) -> Refusal {
    let TriedOperation { id, kind, is_commit, top } = tried;
    let id = id.clone();
    Refusal::from(match error {
        OperationError::Store(error) => return Refusal::Store(error),
        OperationError::NoSnapshots => NotOperable::NoSnapshots { id, reason: None },
        OperationError::SnapshotsGone => NotOperable::Expired(id),
        OperationError::NoAfter => NotOperable::NoEnd(id, kind),
        OperationError::NoWorktree => NotOperable::InPlace(id),
        OperationError::PlaceGone { path } => NotOperable::RepositoryGone { id, place: path },
        OperationError::Unchanged => NotOperable::Unchanged(id),
        OperationError::AlreadyUndone => NotOperable::AlreadyUndone(id),
        OperationError::NotUndone => NotOperable::NotUndone(id),
        OperationError::NotApplied => NotOperable::NotApplied(id),
        OperationError::Conflicts(files) if is_commit => NotOperable::CommitConflicts { id, files },
        OperationError::Conflicts(files) => NotOperable::Conflicts { id, kind, files },
        OperationError::InvalidBranch(name) => NotOperable::InvalidBranch(name),
        OperationError::BranchExists(name) => NotOperable::BranchExists(name),
        OperationError::Busy(holder) => {
            NotOperable::Busy { place: top.to_owned(), holder: holder.map(|holder| (holder.pid, holder.task)) }
        }
        OperationError::AfterRecovery { recovered, source } => {
            return operation_problem(tried, *source).after(recovered);
        }
        OperationError::Failed { source, left } if left.is_empty() => {
            return operation_problem(tried, *source);
        }
        OperationError::Failed { source, left } => {
            NotOperable::NotRestored { id, kind, files: left, problem: problem_of(&source), is_pending: false }
        }
        OperationError::Unfinished { task, kind, files, source } => {
            NotOperable::NotRestored { id: task, kind, files, problem: problem_of(&source), is_pending: true }
        }
        error @ OperationError::Inspect(_) => NotOperable::Failed { id, problem: error.to_string() },
        OperationError::Snapshot(error) => snapshot_problem(&id, Some(kind), top, error),
        OperationError::Shadow(error) => shadow_problem(&id, Some(kind), top, error),
        OperationError::Git(error) => git_problem(&id, Some(kind), top, error),
    })
}

/// The text of an error, with git's own message if git caused it.
fn problem_of(error: &OperationError) -> String {
    with_git_message(error.to_string(), error.git_error().and_then(GitError::stderr))
}

#[cfg(test)]
#[path = "workspace_problem_tests.rs"]
mod tests;
