//! A task's workspace from its beginning to its end: the snapshot before the agent starts, and the one after it.
//!
//! Nothing here prevents a task from running: without a snapshot, only its changes are unknown.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use super::{
    changes::{changed_paths, summarize},
    git::Git,
    git_error::GitError,
    git_version::GIT_FOR_SNAPSHOTS,
    guards::check_place,
    named::named_paths,
    place::{NotCovered, find_place},
    refs::{delete_ref, ref_name, update_ref},
    settings::read_settings,
    shadow::{Shadow, ShadowError},
    snapshot::{Snapshot, SnapshotError},
};
use crate::{
    process::Deadline,
    store::{StoreError, WorkspaceTemp, Workspaces},
    task::{
        Changes, GitPath, Omission, TaskId, TaskWorkspace, Untrusted, WORKSPACE_FORMAT, WorkspaceSpec, WorkspaceState,
    },
};

/// Name of the ref for the snapshot before a task.
const BEFORE: &str = "before";

/// Name of the ref for the snapshot after a task.
const AFTER: &str = "after";

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
}

/// The workspace of a running task, with its first snapshot.
#[derive(Debug)]
pub struct Workspace {
    file: TaskWorkspace,
    files: Workspaces,
    state: WorkspaceState,
    shadow: Shadow,
    /// The directory of the shadow repository.
    _temp: WorkspaceTemp,
}

impl Workspace {
    /// Finds the task's place in git and takes the snapshot before the task. Must be called before the agent starts.
    ///
    /// Blocks, at most until the deadline. Fails with [`WorkspaceProblem`] if the task gets no snapshots.
    pub fn begin(beginning: &Beginning, deadline: Deadline) -> Result<Self, WorkspaceProblem> {
        let Beginning { task, spec, directory, home, data_dir, files } = beginning;
        let git = Git::find(directory, deadline)?.for_task(task);
        git.require(GIT_FOR_SNAPSHOTS)?;
        let place = find_place(&git, directory)?;
        check_place(&git, &place, home.as_deref(), data_dir)?;
        let settings = read_settings(&git, &place)?;
        let temp = files.temp_dir()?;
        let dir = temp.path().join("git");
        fs::create_dir(&dir)?;
        let mut shadow = Shadow::create(&git, &place, &settings, None, spec.max_file, &dir)?;
        let Snapshot { commit, tree: _, head, branch, uncommitted, omitted } =
            shadow.snapshot(&message(task, BEFORE), None)?;
        shadow.publish()?;
        let file = TaskWorkspace {
            format: WORKSPACE_FORMAT,
            task: task.clone(),
            place,
            worktree: None,
            settings,
            before: commit.clone(),
            omitted,
            after: None,
            named: vec![],
            operations: vec![],
        };
        // Before the ref, so that there is no ref that nothing removes.
        files.write(&file)?;
        update_ref(&git, &file.place, &ref_name(task, BEFORE), &commit)?;
        let state =
            WorkspaceState { before: Some(commit), head, branch, uncommitted, worktree: None, not_covered: None };
        Ok(Self { file, files: files.clone(), state, shadow, _temp: temp })
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
    pub fn finish(mut self, named: &BTreeSet<PathBuf>, deadline: Deadline) -> Result<Changes, WorkspaceProblem> {
        self.shadow.set_deadline(deadline);
        self.file.named = named_paths(&self.file.place, named);
        let before = self.file.before.clone();
        let taken = self.snapshot_after();
        if taken.is_err() {
            // An undo still needs the names.
            self.files.write(&self.file)?;
        }
        let Snapshot { commit: after, omitted, .. } = taken?;
        let is_own = self.file.worktree.is_some();
        let named = (!is_own).then_some(&self.file.named[..]);
        let changed = changed_paths(&self.shadow, &before, &after, named)?;
        Ok(summarize(before, after, &changed, &all_omitted(&self.file.omitted, omitted)))
    }

    fn snapshot_after(&mut self) -> Result<Snapshot, WorkspaceProblem> {
        let task = self.file.task.clone();
        let snapshot = self.shadow.snapshot(&message(&task, AFTER), Some(std::slice::from_ref(&self.file.before)))?;
        self.shadow.publish()?;
        update_ref(self.shadow.git(), &self.file.place, &ref_name(&task, AFTER), &snapshot.commit)?;
        self.file.after = Some(snapshot.commit.clone());
        self.files.write(&self.file)?;
        Ok(snapshot)
    }

    /// Removes the snapshot of a task whose agent never started, so that there is nothing to look at or to undo.
    pub fn discard(mut self, deadline: Deadline) -> Result<(), WorkspaceProblem> {
        self.shadow.set_deadline(deadline);
        delete_ref(self.shadow.git(), &self.file.place, &ref_name(&self.file.task, BEFORE))?;
        Ok(self.files.remove(&self.file.task)?)
    }
}

/// The message of a snapshot's commit.
fn message(task: &TaskId, name: &str) -> String {
    format!("codex-connector: task {task}, {name}")
}

/// The files that one of two snapshots does not contain, each once.
fn all_omitted(before: &[Omission], after: Vec<Omission>) -> Vec<Omission> {
    let known: BTreeSet<&GitPath> = before.iter().map(|omission| &omission.path).collect();
    let new: Vec<Omission> = after.into_iter().filter(|omission| !known.contains(&omission.path)).collect();
    before.iter().cloned().chain(new).collect()
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
            Self::NotCovered(_) | Self::Shadow(_) | Self::Snapshot(_) | Self::Store(_) | Self::Directory(_) => None,
        }
    }
}
