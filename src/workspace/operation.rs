//! Undo, redo and apply.
//!
//! Each is a three-way merge into the files as they are now, so what somebody else changed since is kept, or is a conflict:
//!
//! | operation | base | theirs |
//! |---|---|---|
//! | apply | `before` | `after` |
//! | undo of the task itself | `after` | `before` |
//! | undo of an apply or redo, redo of an undo | that operation's target | the snapshot before it |
//!
//! So an undo right after an apply restores the files exactly, even if somebody had made some of the same changes before.
//! Of the changes, only the selected ones are in `theirs`. If they come from several operations, they are merged one after
//! another, the latest first. Conflicts are found before anything is written.
//!
//! ```text
//! lock ─▶ recover ─▶ snapshot of now ─▶ merge ─▶ check each file ─▶ state: begun ─▶ write ─▶ state: done
//!                                                     │                               │ failed
//!                                                     └▶ conflicts, nothing written   └▶ restore ─▶ state: reverted
//! ```
//!
//! The state is in the task's workspace file. It names both the snapshot before the operation and its target, which
//! `refs/codex-connector/<id>/op-<n>` keeps, before the first file is written. If the process is killed meanwhile, the
//! next operation in the work tree [recovers](super::recovery) from that.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, Utc};

use super::{
    branch::{NewCommit, check_branch, create_branch},
    change::Change,
    changes::changed_paths,
    checkout::{Checkout, CheckoutError},
    git::Git,
    git_version::GIT_FOR_MERGES,
    merge::commit,
    operation_error::OperationError,
    patch::hide_paths,
    permissions::recorded,
    place::head,
    presence::{check_commits_exist, check_place_exists},
    raw_diff::differences,
    refs::{ref_name, update_ref},
    restrict::empty_tree,
    selection::{History, Wanted, select},
    shadow::{Base, Shadow},
};
use crate::{
    process::Deadline,
    store::{RepositoryLock, RepositoryLocking, WorkspaceTemp, Workspaces},
    task::{
        GitPath, NewBranch, ObjectId, Operation, OperationKind, OperationResult, OperationState, Place,
        RecoveredOperation, RecoveryState, TaskId, TaskWorkspace,
    },
};

/// How long to wait for another process that works on the repository.
const LOCK_TIMEOUT: Duration = Duration::from_secs(10);

/// How long writing or restoring files may take. It cannot be cancelled, because that would leave some of them written.
pub(super) const WRITE_TIMEOUT: Duration = Duration::from_secs(600);

/// Carries out operations.
#[derive(Debug, Clone, Copy)]
pub struct Operator<'a> {
    /// The installed git. Its deadline applies until the first file is written.
    pub git: &'a Git,
    /// The workspace files.
    pub files: &'a Workspaces,
    /// The size limit of an untracked file in a snapshot, in bytes.
    pub max_file: u64,
}

/// An undo, a redo or an apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRequest {
    /// The task.
    pub task: TaskId,
    /// The kind.
    pub kind: OperationKind,
    /// Files or directories, relative to the top of the work tree; everything if empty.
    pub paths: Vec<GitPath>,
    /// Undo also changes that may not be the task's own: files that no event of the agent names.
    pub all: bool,
    /// Only find out what would be done.
    pub is_check: bool,
    /// For an apply: create this branch with one new commit on HEAD, and write no files.
    pub branch: Option<GitPath>,
    /// The current time.
    pub now: DateTime<Utc>,
}

/// A shadow repository in its temporary directory.
pub(super) struct TemporaryShadow {
    pub(super) shadow: Shadow,
    _dir: WorkspaceTemp,
}

impl Operator<'_> {
    /// Carries out an operation on an ended task. Blocks.
    ///
    /// Finishes interrupted operations in the same work tree first. A check writes nothing, so it returns only the files
    /// of these operations if there are any.
    pub fn operate(&self, request: &OperationRequest) -> Result<OperationResult, OperationError> {
        self.git.require(GIT_FOR_MERGES)?;
        let place = self.workspace(&request.task)?.place;
        check_place_exists(&place)?;
        let _lock = self.lock_within(&place, &request.task, LOCK_TIMEOUT)?;
        let recovered = self.recover(&place, request.is_check)?;
        let is_pending = |recovered: &&RecoveredOperation| recovered.state == RecoveryState::Pending;
        let pending: BTreeSet<_> =
            recovered.iter().filter(is_pending).flat_map(|pending| pending.files.clone()).collect();
        if !pending.is_empty() {
            let (kind, is_check, files) = (request.kind, true, pending.into_iter().collect());
            let top = place.top.clone();
            let (unnamed, running) = (vec![], vec![]);
            return Ok(OperationResult { kind, is_check, top, files, unnamed, branch: None, running, recovered });
        }
        // Read again: another process may have changed it before this one had the lock.
        let done = self.workspace(&request.task).and_then(|mut workspace| self.operate_on(&mut workspace, request));
        match done {
            Ok(result) => Ok(OperationResult { recovered, ..result }),
            Err(error) => Err(error.after(recovered)),
        }
    }

    fn operate_on(
        &self,
        workspace: &mut TaskWorkspace,
        request: &OperationRequest,
    ) -> Result<OperationResult, OperationError> {
        if request.kind == OperationKind::Apply && workspace.worktree.is_none() {
            return Err(OperationError::NoWorktree);
        }
        let before = workspace.before.clone();
        let after = workspace.after.clone().ok_or(OperationError::NoAfter)?;
        check_commits_exist(self.git, &workspace.place, [&before, &after])?;
        let mut temporary = self.shadow(self.git, workspace, &covered_commit(workspace, request.kind, &after))?;
        let shadow = &mut temporary.shadow;

        let named = workspace.worktree.is_none().then_some(workspace.named.as_slice());
        let copied = workspace.worktree.as_ref().map_or(&[][..], |tree| &tree.copied);
        let after = hide_paths(shadow, &before, &after, copied)?;
        let changed = changed_paths(shadow, &before, &after, named)?;
        let wanted = Wanted {
            kind: request.kind,
            paths: &request.paths,
            all: request.all,
            is_worktree: workspace.worktree.is_some(),
        };
        let selection = select(&changed, &History::of(workspace), wanted)?;
        let sides = match request.kind {
            OperationKind::Undo => (&after, &before),
            OperationKind::Redo | OperationKind::Apply => (&before, &after),
        };
        let change = Change::new(shadow, workspace, sides, &selection, wanted)?;
        let (files, branch) = match request.branch.as_ref().filter(|_| request.kind == OperationKind::Apply) {
            Some(branch) => self.commit(workspace, request, shadow, change, branch)?,
            None => (self.write(workspace, request, shadow, change)?, None),
        };
        Ok(OperationResult {
            kind: request.kind,
            top: workspace.place.top.clone(),
            is_check: request.is_check,
            files,
            unnamed: selection.unnamed,
            branch,
            running: Vec::new(),
            recovered: Vec::new(),
        })
    }

    /// Merges a change into the files of the work tree.
    fn write(
        &self,
        workspace: &mut TaskWorkspace,
        request: &OperationRequest,
        shadow: &mut Shadow,
        change: Change,
    ) -> Result<Vec<GitPath>, OperationError> {
        let what = format!("{} of task {}", verb(request.kind), request.task);
        let now = shadow.snapshot(&format!("codex-connector: before {what}"), None)?;
        let target = change.merge_into(shadow, &now.tree)?;
        let checkout = Checkout::prepare(shadow, &now.tree, &target)?;
        let (files, modes) = (checkout.paths(), checkout.narrow_modes(&change.limits));
        if request.is_check || files.is_empty() {
            return Ok(files);
        }
        let commit = commit(shadow, &target, &[&now.commit], &format!("codex-connector: {what}"))?;
        let marker = TaskId::random();
        shadow.set_marker(&marker);
        let operation = Operation {
            kind: request.kind,
            at: request.now,
            ours: now.commit,
            target: commit,
            paths: files.clone(),
            covers: change.covers,
            modes: recorded(&modes),
            branch: None,
            marker: Some(marker),
            has_failed: false,
            state: OperationState::Begun,
        };
        self.begin(workspace, shadow, operation)?;
        // From here on, nothing may be left half done.
        shadow.set_deadline(Deadline::after(WRITE_TIMEOUT));
        match Checkout::prepare(shadow, &now.tree, &target).and_then(|checkout| checkout.write(&modes)) {
            Ok(()) => {
                // If this fails, the next operation finds that all files are written.
                if let Err(error) = self.finish(workspace, OperationState::Done) {
                    tracing::warn!(%error, "a finished operation is recorded as unfinished");
                }
                Ok(files)
            }
            Err(error @ CheckoutError::Interrupted(_)) => Err(self.restore(workspace, error.into())),
            Err(error) => Err(match self.finish(workspace, OperationState::Reverted) {
                Ok(()) => error.into(),
                Err(unrecorded) => OperationError::unfinished(workspace, unrecorded),
            }),
        }
    }

    /// Creates a branch with a change on top of the commit that is checked out.
    fn commit(
        &self,
        workspace: &mut TaskWorkspace,
        request: &OperationRequest,
        shadow: &Shadow,
        change: Change,
        name: &GitPath,
    ) -> Result<(Vec<GitPath>, Option<NewBranch>), OperationError> {
        let place = workspace.place.clone();
        check_branch(self.git, &place, name)?;
        let head = head(self.git, &place)?;
        let ours = head.tree.map_or_else(|| empty_tree(shadow), Ok)?;
        let target = change.merge_into(shadow, &ours)?;
        let files: Vec<_> = differences(shadow, &ours, &target)?.into_keys().collect();
        if request.is_check || files.is_empty() {
            return Ok((files, None));
        }
        let branch = NewCommit { tree: &target, parent: head.commit.as_ref(), task: &request.task };
        let commit = create_branch(shadow, name, branch)?;
        workspace.operations.push(Operation {
            kind: request.kind,
            at: request.now,
            ours: head.commit.unwrap_or_else(|| commit.clone()),
            target: commit.clone(),
            paths: files.clone(),
            covers: change.covers,
            modes: vec![],
            branch: Some(name.clone()),
            marker: None,
            has_failed: false,
            state: OperationState::Done,
        });
        self.files.write(workspace)?;
        Ok((files, Some(NewBranch { name: name.clone(), commit })))
    }

    /// Publishes the snapshot and the target of an operation, and records it before its first file is written.
    fn begin(
        &self,
        workspace: &mut TaskWorkspace,
        shadow: &Shadow,
        operation: Operation,
    ) -> Result<(), OperationError> {
        shadow.publish()?;
        let name = ref_name(&workspace.task, &format!("op-{}", workspace.operations.len() + 1));
        update_ref(self.git, &workspace.place, &name, &operation.target)?;
        workspace.operations.push(operation);
        Ok(self.files.write(workspace)?)
    }

    /// Records the state of the last operation.
    pub(super) fn finish(&self, workspace: &mut TaskWorkspace, state: OperationState) -> Result<(), OperationError> {
        if let Some(last) = workspace.operations.last_mut() {
            last.state = state;
        }
        Ok(self.files.write(workspace)?)
    }

    /// A shadow repository for the place of a task, with all files of `base` in its next snapshot.
    pub(super) fn shadow(
        &self,
        git: &Git,
        workspace: &TaskWorkspace,
        base: &ObjectId,
    ) -> Result<TemporaryShadow, OperationError> {
        let dir = self.files.temp_dir()?;
        let base = Base { commit: base.clone(), omitted: workspace.omitted.clone() };
        let TaskWorkspace { place, settings, .. } = workspace;
        let shadow = Shadow::create(git, place, settings, Some(base), self.max_file, dir.path())?;
        Ok(TemporaryShadow { shadow, _dir: dir })
    }

    fn workspace(&self, task: &TaskId) -> Result<TaskWorkspace, OperationError> {
        self.files.read(task)?.ok_or(OperationError::NoSnapshots)
    }

    fn lock_within(&self, place: &Place, task: &TaskId, max_wait: Duration) -> Result<RepositoryLock, OperationError> {
        match self.files.lock(&place.common_dir, task, max_wait)? {
            RepositoryLocking::Locked(lock) => Ok(lock),
            RepositoryLocking::Busy(holder) => Err(OperationError::Busy(holder)),
        }
    }
}

/// The commit whose files the snapshot of now must cover, even if they are ignored now.
fn covered_commit(workspace: &TaskWorkspace, kind: OperationKind, after: &ObjectId) -> ObjectId {
    let last = workspace.operations.iter().rfind(|operation| operation.branch.is_none());
    match (last, kind) {
        (Some(last), _) if last.state == OperationState::Done => last.target.clone(),
        (_, OperationKind::Undo) => after.clone(),
        (_, OperationKind::Redo | OperationKind::Apply) => workspace.before.clone(),
    }
}

fn verb(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Undo => "undo",
        OperationKind::Redo => "redo",
        OperationKind::Apply => "apply",
    }
}

#[cfg(test)]
#[path = "operation_tests.rs"]
mod tests;
