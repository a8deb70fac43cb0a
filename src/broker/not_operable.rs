//! The reasons why a task's changes cannot be shown, undone, redone or applied.

use std::path::PathBuf;

use crate::{
    present::{
        Refused, repository_refusals,
        workspace_refusals::{self as texts, Audience},
    },
    task::{FileConflict, GitPath, OperationKind, TaskId},
};

/// Why a `diff`, an `undo`, a `redo` or an `apply` is refused. No file was changed, except for
/// [`NotRestored`](Self::NotRestored).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotOperable {
    /// No snapshots of the task's files were taken.
    NoSnapshots {
        /// The task.
        id: TaskId,
        /// The reason in the task's record, in one sentence of our own, if it is known.
        reason: Option<String>,
    },
    /// Its snapshots were removed.
    Expired(TaskId),
    /// It is still running.
    Running(TaskId, OperationKind),
    /// There is no snapshot after it.
    NoEnd(TaskId, OperationKind),
    /// It changed nothing.
    Unchanged(TaskId),
    /// Its changes are already undone.
    AlreadyUndone(TaskId),
    /// Its changes were not undone, so they cannot be redone.
    NotUndone(TaskId),
    /// It worked in the user's files, so nothing can be applied.
    InPlace(TaskId),
    /// It worked in its own worktree, and its changes were not applied, so nothing can be undone.
    NotApplied(TaskId),
    /// Its worktree already had the changes of another task, which were not applied.
    BasedOn {
        /// The task.
        id: TaskId,
        /// The first such task.
        earlier: TaskId,
    },
    /// No step of the agent names one of the changed files.
    OnlyUnnamed {
        /// The task.
        id: TaskId,
        /// The changed files.
        files: Vec<GitPath>,
    },
    /// Files were changed in another way.
    Conflicts {
        /// The task.
        id: TaskId,
        /// The requested operation.
        kind: OperationKind,
        /// The files.
        files: Vec<FileConflict>,
    },
    /// The commit that is checked out conflicts with an apply that creates a branch from it.
    CommitConflicts {
        /// The task.
        id: TaskId,
        /// The files.
        files: Vec<FileConflict>,
    },
    /// The task changed no file at a selected path.
    UnchangedPath {
        /// The task.
        id: TaskId,
        /// The path as given.
        path: PathBuf,
    },
    /// A selected path is outside the repository.
    OutsideRepository {
        /// The task.
        id: TaskId,
        /// The path as given.
        path: PathBuf,
        /// The top of the work tree.
        top: PathBuf,
    },
    /// The branch to create exists.
    BranchExists(GitPath),
    /// The branch to create has an invalid name.
    InvalidBranch(GitPath),
    /// `git` is not installed.
    NoGit,
    /// The installed git is too old.
    GitTooOld {
        /// The task.
        id: TaskId,
        /// The requested operation; `None` for a diff.
        kind: Option<OperationKind>,
        /// Its version.
        found: String,
        /// The oldest version that works.
        needed: String,
    },
    /// The repository is not where it was.
    RepositoryGone {
        /// The task.
        id: TaskId,
        /// Where it was.
        place: PathBuf,
    },
    /// Another process is working on the same repository.
    Busy {
        /// The top of its work tree.
        place: PathBuf,
        /// That process and the task for which it works, if they are known.
        holder: Option<(u32, TaskId)>,
    },
    /// Git did not finish in time.
    TimedOut {
        /// The top of the work tree.
        place: PathBuf,
    },
    /// Writing failed in the middle, and some files could not be restored.
    NotRestored {
        /// The task of the operation, which may be an earlier one.
        id: TaskId,
        /// The operation.
        kind: OperationKind,
        /// The files that may be incomplete.
        files: Vec<GitPath>,
        /// The problem.
        problem: String,
        /// Whether the next operation completes it. Otherwise, it was reverted as far as possible.
        is_pending: bool,
    },
    /// Git failed, or a file could not be read or written.
    Failed {
        /// The task.
        id: TaskId,
        /// The problem.
        problem: String,
    },
}

impl NotOperable {
    /// The files that conflict with the operation, if this is the reason.
    pub(super) fn conflicts(&self) -> &[FileConflict] {
        if let Self::Conflicts { files, .. } | Self::CommitConflicts { files, .. } = self { files } else { &[] }
    }

    /// The problem and the next step for this reader.
    pub(crate) fn explain(&self, to: Audience) -> Refused {
        match self {
            Self::NoSnapshots { id, reason } => texts::no_snapshots(id, reason.as_deref()),
            Self::Expired(id) => texts::expired(id),
            Self::Running(id, kind) => texts::still_changing(id, *kind, to),
            Self::NoEnd(id, kind) => texts::no_end_snapshot(id, *kind, to),
            Self::Unchanged(id) => texts::changed_nothing(id),
            Self::AlreadyUndone(id) => texts::already_undone(id, to),
            Self::NotUndone(id) => texts::nothing_to_redo(id, to),
            Self::InPlace(id) => texts::worked_in_place(id, to),
            Self::NotApplied(id) => texts::not_applied(id, to),
            Self::BasedOn { id, earlier } => texts::based_on(id, earlier, to),
            Self::OnlyUnnamed { id, files } => texts::only_unnamed(id, files, to),
            Self::Conflicts { id, kind, files } => texts::conflicts(id, *kind, files, to),
            Self::CommitConflicts { id, files } => texts::commit_conflicts(id, files, to),
            Self::UnchangedPath { id, path } => texts::unchanged_path(id, path, to),
            Self::OutsideRepository { id, path, top } => repository_refusals::outside_repository(id, path, top),
            Self::BranchExists(name) => repository_refusals::branch_exists(name),
            Self::InvalidBranch(name) => repository_refusals::invalid_branch(name),
            Self::NoGit => repository_refusals::git_not_installed(),
            Self::GitTooOld { id, kind, found, needed } => repository_refusals::git_too_old(id, *kind, found, needed),
            Self::RepositoryGone { id, place } => repository_refusals::repository_gone(id, place),
            Self::Busy { place, holder } => repository_refusals::repository_busy(place, holder.as_ref()),
            Self::TimedOut { place } => repository_refusals::git_timed_out(place),
            Self::NotRestored { id, kind, files, problem, is_pending } => {
                texts::not_restored(id, *kind, files, problem, *is_pending)
            }
            Self::Failed { id, problem } => repository_refusals::workspace_failed(id, problem),
        }
    }
}
