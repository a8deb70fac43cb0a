//! The beginning of a task's workspace.

use std::fs;

use super::{
    git::Git,
    git_error::GitError,
    git_version::GIT_FOR_SNAPSHOTS,
    guards::check_place,
    place::find_place,
    run::{BEFORE, Beginning, Workspace, WorkspaceProblem, message, state_of},
    run_tree::{DISCARD_TIMEOUT, continue_worktree, make_worktree},
    settings::read_settings,
    shadow::Shadow,
    snapshot::Snapshot,
};
use crate::{
    process::{Deadline, ToolError},
    task::{Place, TaskId, TaskWorkspace, TreeUse, WORKSPACE_FORMAT},
};

impl Workspace {
    /// Finds the task's place in git, takes the snapshot before the task, and makes its worktree if it gets one. Must be
    /// called before the agent starts.
    ///
    /// Blocks, at most until the deadline and the end of the file operation that runs then. Fails with [`WorkspaceProblem`] if the task gets no snapshots, and with
    /// [`WorkspaceProblem::Tree`] if it has no worktree although it must have one.
    pub fn begin(beginning: &Beginning, deadline: Deadline) -> Result<Self, WorkspaceProblem> {
        let workspace = Self::make(beginning, deadline.clone())?;
        let problem = match deadline.check() {
            Ok(()) => return Ok(workspace),
            Err(ToolError::Cancelled) => GitError::Cancelled,
            Err(_) => GitError::TimedOut { command: "worktree".to_owned() },
        };
        // The task may have gone on without it.
        workspace.discard(Deadline::after(DISCARD_TIMEOUT))?;
        Err(problem.into())
    }

    fn make(beginning: &Beginning, deadline: Deadline) -> Result<Self, WorkspaceProblem> {
        let Beginning { task, spec, directory, home, data_dir, files, .. } = beginning;
        let git = Git::find(directory, deadline)?.for_task(task);
        if let Some(earlier) = &spec.continues
            && let Some(continued) = continue_worktree(beginning, &git, earlier)?
        {
            return Ok(continued);
        }
        git.require(GIT_FOR_SNAPSHOTS)?;
        let place = find_place(&git, directory)?;
        check_place(&git, &place, home.as_deref(), data_dir)?;
        let settings = read_settings(&git, &place)?;
        let temp = files.temp_dir()?;
        let dir = temp.path().join("git");
        fs::create_dir(&dir)?;
        let mut shadow = Shadow::create(&git, &place, &settings, None, spec.max_file, &dir)?;
        let snapshot = shadow.snapshot(&message(task, BEFORE), None)?;
        shadow.publish()?;
        let workspace = Self {
            file: new_file(task, place, &shadow, &snapshot),
            files: files.clone(),
            state: state_of(&snapshot),
            shadow,
            worktree: None,
            warnings: vec![],
            temp,
        };
        workspace.keep_before()?;
        match spec.tree {
            TreeUse::Never => Ok(workspace),
            TreeUse::Always => make_worktree(workspace, beginning, &snapshot),
        }
    }
}

/// The workspace file of a task that begins with this snapshot.
fn new_file(task: &TaskId, place: Place, shadow: &Shadow, snapshot: &Snapshot) -> TaskWorkspace {
    TaskWorkspace {
        format: WORKSPACE_FORMAT,
        task: task.clone(),
        place,
        worktree: None,
        settings: shadow.settings().clone(),
        before: snapshot.commit.clone(),
        omitted: snapshot.omitted.clone(),
        after: None,
        named: vec![],
        operations: vec![],
    }
}
