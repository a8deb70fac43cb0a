//! A task's workspace from its beginning to its end: the snapshot before the agent starts, and the one after it.
//!
//! Nothing here prevents a task from running: without a snapshot, only its changes are unknown.

use std::{collections::BTreeSet, io, path::PathBuf, thread};

use super::{
    changes::{changed_paths, mark_named, summarize},
    git_error::GitError,
    named::{NamedFiles, add_implied, named_paths},
    permissions::modes_of_changes,
    place::NotCovered,
    refs::{delete_refs, ref_name, update_ref},
    shadow::{Shadow, ShadowError},
    snapshot::{Snapshot, SnapshotError, UserHead},
    tree_error::TreeError,
    tree_removal::{delete, snapshot_of_worktree},
    uncovered::uncovered,
};
use crate::{
    process::Deadline,
    store::{Reader, StoreError, WorkspaceTemp, Workspaces},
    task::{
        ChangedPath, Changes, GitPath, ObjectId, Omission, OmissionReason, Place, ProcessIdentity, TaskId,
        TaskWorkspace, Untrusted, WorkspaceSpec, WorkspaceState,
    },
};

/// Name of the ref for the snapshot before a task.
pub(super) const BEFORE: &str = "before";

/// Name of the ref for the snapshot after a task.
pub(super) const AFTER: &str = "after";

/// Inputs to [`Workspace::begin`].
#[derive(Debug, Clone)]
pub struct Beginning {
    /// The task.
    pub task: TaskId,
    /// How it treats its repository.
    pub spec: WorkspaceSpec,
    /// Its working directory: an absolute, real path.
    pub directory: PathBuf,
    /// The user's home directory, if it is known.
    pub home: Option<PathBuf>,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The workspace files in it.
    pub files: Workspaces,
    /// The records in it.
    pub reader: Reader,
    /// The task's supervisor.
    pub supervisor: Option<ProcessIdentity>,
}

/// The workspace of a running task, with its first snapshot.
#[derive(Debug)]
pub struct Workspace {
    pub(super) file: TaskWorkspace,
    pub(super) files: Workspaces,
    pub(super) state: WorkspaceState,
    /// The shadow repository of the work tree in which the task works.
    pub(super) shadow: Shadow,
    /// The place of the task's own worktree, if it has one.
    pub(super) worktree: Option<Place>,
    /// Things that the worktree lacks, one sentence each.
    pub(super) warnings: Vec<String>,
    /// The directory of the shadow repository.
    pub(super) temp: WorkspaceTemp,
}

impl Workspace {
    /// Writes the workspace file and the ref of the first snapshot.
    pub(super) fn keep_before(&self) -> Result<(), WorkspaceProblem> {
        let file = &self.file;
        // Before the ref, so that there is no ref that nothing removes.
        self.files.write(file)?;
        Ok(update_ref(self.shadow.git(), &file.place, &ref_name(&file.task, BEFORE), &file.before)?)
    }

    /// The directory of the worktree in which the task works, and the top of the worktree; `None` if it works in the
    /// user's work tree.
    pub fn worktree(&self) -> Option<(PathBuf, &std::path::Path)> {
        self.worktree.as_ref().map(|place| (place.top.join(&place.prefix), place.top.as_path()))
    }

    /// Things that the worktree lacks, one sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The state of the repository in which the task begins, for its record.
    pub fn state(&self) -> &WorkspaceState {
        &self.state
    }

    /// Takes the snapshot after the task, and returns what changed since the first one. `named` are the files that the
    /// agent's events name, as the agent writes them. Must be called when nothing of the agent runs any more.
    ///
    /// Blocks, at most until the deadline. Fails with [`WorkspaceProblem`] if the changes are unknown. There is no
    /// snapshot after the task then.
    pub fn finish(mut self, named: &NamedFiles, deadline: Deadline) -> Result<Changes, WorkspaceProblem> {
        self.shadow.set_deadline(deadline);
        let is_own = self.worktree.is_some();
        if !is_own {
            self.file.named = named_paths(&self.file.place, named);
        }
        let before = self.file.before.clone();
        let taken = self.take_after().and_then(|snapshot| {
            let after = &snapshot.commit;
            // The answer waits for both.
            let (kept, changed) = thread::scope(|scope| {
                let kept = scope.spawn(|| self.keep_after(after));
                let changed = match *after == before {
                    true => Ok(vec![]),
                    false => changed_paths(&self.shadow, &before, after, None),
                };
                (kept.join().unwrap_or_else(|_| Err(unexpected("update-ref").into())), changed)
            });
            kept?;
            Ok((snapshot, changed))
        });
        if taken.is_err() {
            // An undo still needs the names.
            self.file.after = None;
            self.files.write(&self.file)?;
        }
        let (Snapshot { commit: after, omitted, .. }, changed) = taken?;
        let mut changed = changed?;
        let top = &self.shadow.place().top;
        self.file.modes =
            modes_of_changes(top, &self.shadow.earlier.modes, changed.iter().flat_map(ChangedPath::both_paths));
        let mut is_outdated = !self.file.modes.is_empty();
        if !is_own {
            let reported = self.file.named.clone();
            add_implied(&self.file.place, named, &changed, &mut self.file.named);
            mark_named(&mut changed, Some(&self.file.named));
            is_outdated |= self.file.named != reported;
        }
        if is_outdated {
            self.files.write(&self.file)?;
        }
        // In a worktree, the first files are those that were copied into it.
        let omitted = match is_own {
            true => new_omitted(&self.file.omitted, omitted),
            false => all_omitted(&self.file.omitted, omitted),
        };
        let uncovered = uncovered(&self.shadow, named, &changed).unwrap_or_else(|error| {
            tracing::warn!(%error, "files that the agent changed and no snapshot contains are unknown");
            vec![]
        });
        let omitted_named = u64::try_from(uncovered.len()).unwrap_or(u64::MAX);
        let omitted = all_omitted(&uncovered, omitted);
        Ok(Changes { omitted_named, ..summarize(before, after, &changed, &omitted) })
    }

    fn take_after(&mut self) -> Result<Snapshot, WorkspaceProblem> {
        let task = self.file.task.clone();
        let (message, before) = (message(&task, AFTER), std::slice::from_ref(&self.file.before));
        let snapshot = match &self.worktree {
            Some(_) => snapshot_of_worktree(&mut self.shadow, &message, &self.file.before)?,
            None => {
                let captured = self.shadow.capture(UserHead::Unneeded, Some(before))?;
                self.shadow.complete(captured, &message, Some(before))?
            }
        };
        self.file.after = Some(snapshot.commit.clone());
        if self.worktree.is_none() {
            // An undo must not store them either.
            let was_ignored = snapshot.omitted.iter().filter(|omission| omission.reason == OmissionReason::WasIgnored);
            let was_ignored: Vec<_> = was_ignored.cloned().collect();
            self.file.omitted = all_omitted(&self.file.omitted, was_ignored);
        }
        Ok(snapshot)
    }

    /// Publishes the second snapshot and sets its ref.
    fn keep_after(&self, after: &ObjectId) -> Result<(), WorkspaceProblem> {
        self.shadow.publish()?;
        update_ref(self.shadow.git(), &self.file.place, &ref_name(&self.file.task, AFTER), after)?;
        Ok(self.files.write(&self.file)?)
    }

    /// Removes the snapshot of a task whose agent never started, so that there is nothing to look at or to undo, and its
    /// worktree. If the worktree was taken over from an earlier task, both are kept.
    pub fn discard(mut self, deadline: Deadline) -> Result<(), WorkspaceProblem> {
        self.shadow.set_deadline(deadline);
        if let Some(tree) = &self.file.worktree {
            if tree.is_continued {
                return Ok(());
            }
            delete(&tree.path, &self.file.place.common_dir)?;
        }
        self.forget()
    }

    /// Removes the first snapshot and the workspace file.
    pub(super) fn forget(&self) -> Result<(), WorkspaceProblem> {
        delete_refs(self.shadow.git(), &self.file.place, &[ref_name(&self.file.task, BEFORE)])?;
        Ok(self.files.remove(&self.file.task)?)
    }

    /// Records that processes of the agent may run after the task. Its worktree is kept as long as they do.
    pub fn leave_processes(&mut self) {
        if let Some(tree) = &mut self.file.worktree {
            tree.may_be_in_use = true;
        }
    }
}

fn unexpected(command: &str) -> GitError {
    GitError::Unexpected { command: command.into() }
}

/// The state of the repository in a snapshot.
pub(super) fn state_of(snapshot: &Snapshot) -> WorkspaceState {
    let Snapshot { commit, tree: _, head, branch, uncommitted, omitted: _ } = snapshot.clone();
    WorkspaceState { before: Some(commit), head, branch, uncommitted, worktree: None, not_covered: None }
}

/// The message of a snapshot's commit.
pub(super) fn message(task: &TaskId, name: &str) -> String {
    format!("codex-connector: task {task}, {name}")
}

/// The files that one of two lists has, each once, the first list first.
fn all_omitted(before: &[Omission], after: Vec<Omission>) -> Vec<Omission> {
    before.iter().cloned().chain(new_omitted(before, after)).collect()
}

/// The files that only the later of two snapshots does not contain.
fn new_omitted(before: &[Omission], after: Vec<Omission>) -> Vec<Omission> {
    let known: BTreeSet<&GitPath> = before.iter().map(|omission| &omission.path).collect();
    after.into_iter().filter(|omission| !known.contains(&omission.path)).collect()
}

/// A task has no snapshot. Each message is one sentence for people, without a full stop.
#[derive(Debug, thiserror::Error)]
pub enum WorkspaceProblem {
    /// The working directory cannot have one.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// The snapshot could not be taken.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The shadow repository could not be made or published.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The workspace file could not be written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The task must work in its own worktree, which could not be made.
    #[error("cannot make a worktree for the task: {0}")]
    Tree(#[from] TreeError),
    /// The directory of the shadow repository could not be created.
    #[error("cannot create a directory for the snapshot: {0}")]
    Directory(#[from] io::Error),
}

impl WorkspaceProblem {
    /// git's own message, if git failed and reported one.
    pub fn stderr(&self) -> Option<&Untrusted> {
        self.git_error()?.stderr()
    }

    fn git_error(&self) -> Option<&GitError> {
        match self {
            Self::NotCovered(NotCovered::Git(error))
            | Self::Git(error)
            | Self::Shadow(ShadowError::Git(error))
            | Self::Snapshot(SnapshotError::Git(error) | SnapshotError::Shadow(ShadowError::Git(error))) => Some(error),
            Self::Tree(error) => error.git_error(),
            Self::NotCovered(_) | Self::Shadow(_) | Self::Snapshot(_) | Self::Store(_) | Self::Directory(_) => None,
        }
    }
}
