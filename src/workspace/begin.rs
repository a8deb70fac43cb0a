//! The beginning of a task's workspace.
//!
//! ```text
//! version of git   ┐                     changed files   ┐
//! place and HEAD   ├▶ shadow repository ─▶ untracked files ┴▶ update of the index │▶ tree ─▶ commit ─▶ publish ─▶ ref
//! settings         ┘                                                  captured ─┘
//! ```
//!
//! An agent that works in the user's work tree starts as soon as the snapshot is captured.

use std::{fs, thread};

use super::{
    filters::FilterJudge,
    git::Git,
    git_error::GitError,
    git_version::GIT_FOR_SNAPSHOTS,
    guards::check_place,
    place::find_place_and_head,
    run::{BEFORE, Beginning, Workspace, WorkspaceProblem, message, state_of},
    run_tree::{DISCARD_TIMEOUT, continue_worktree, make_worktree},
    settings::{list_in, parse},
    shadow::Shadow,
    snapshot::{Captured, Snapshot, UserHead},
};
use crate::{
    process::{Deadline, ToolError},
    store::{WorkspaceTemp, Workspaces},
    task::{Place, TaskId, TaskWorkspace, TreeUse, WORKSPACE_FORMAT},
};

/// The result of [`Workspace::begin`].
#[derive(Debug)]
pub enum Begun {
    /// The task works in a worktree that was made for it.
    Tree(Box<Workspace>),
    /// The agent may start in the user's work tree. The snapshot before it still has to be kept.
    Captured(Box<CapturedWorkspace>),
}

/// The workspace of a task whose first snapshot is captured, but not kept in the repository yet. If it is dropped,
/// nothing of it remains.
#[derive(Debug)]
pub struct CapturedWorkspace {
    task: TaskId,
    place: Place,
    files: Workspaces,
    captured: Captured,
    shadow: Shadow,
    temp: WorkspaceTemp,
}

impl Workspace {
    /// Finds the task's place in git, captures the snapshot before the task, and makes its worktree if it gets one. Must
    /// be called before the agent starts.
    ///
    /// Blocks, at most until the deadline and the end of the file operation that runs then. Fails with
    /// [`WorkspaceProblem`] if the task gets no snapshots, and with [`WorkspaceProblem::Tree`] if it has no worktree
    /// although it must have one.
    pub fn begin(beginning: &Beginning, deadline: Deadline) -> Result<Begun, WorkspaceProblem> {
        let begun = Self::make(beginning, deadline.clone())?;
        let problem = match deadline.check() {
            Ok(()) => return Ok(begun),
            Err(ToolError::Cancelled) => GitError::Cancelled,
            Err(_) => GitError::TimedOut { command: "worktree".to_owned() },
        };
        // The task may have started without it. Nothing remains of a snapshot that was only captured.
        if let Begun::Tree(workspace) = begun {
            workspace.discard(Deadline::after(DISCARD_TIMEOUT))?;
        }
        Err(problem.into())
    }

    fn make(beginning: &Beginning, deadline: Deadline) -> Result<Begun, WorkspaceProblem> {
        if let Some(earlier) = &beginning.spec.continues {
            let git = Git::find(&beginning.directory, deadline.clone())?.for_task(&beginning.task);
            if let Some(continued) = continue_worktree(beginning, &git, earlier)? {
                return Ok(Begun::Tree(Box::new(continued)));
            }
        }
        let captured = CapturedWorkspace::capture(beginning, deadline)?;
        match beginning.spec.tree {
            TreeUse::Never => Ok(Begun::Captured(Box::new(captured))),
            TreeUse::Always => {
                let (workspace, snapshot) = captured.complete()?;
                Ok(Begun::Tree(Box::new(make_worktree(workspace, beginning, &snapshot)?)))
            }
        }
    }
}

impl CapturedWorkspace {
    fn capture(beginning: &Beginning, deadline: Deadline) -> Result<Self, WorkspaceProblem> {
        let Beginning { task, spec, directory, home, data_dir, files, .. } = beginning;
        let git = Git::locate(directory, deadline)?.for_task(task);
        // At the same time, because the agent waits for them.
        let (version, found, settings) = thread::scope(|scope| {
            let version = scope.spawn(|| git.with_version());
            let settings = scope.spawn(|| list_in(&git, directory));
            let version_known = || version.join().unwrap_or_else(|_| Err(unexpected("version")));
            let found = find_place_and_head(&git, directory);
            (version_known(), found, settings.join().unwrap_or_else(|_| Err(unexpected("config"))))
        });
        let git = version?;
        git.require(GIT_FOR_SNAPSHOTS)?;
        let (place, head) = found?;
        check_place(&git, &place, home.as_deref(), data_dir)?;
        let settings = parse(&settings?, &FilterJudge::of(&git, &place));
        let temp = files.temp_dir()?;
        let dir = temp.path().join("git");
        fs::create_dir(&dir)?;
        let shadow = Shadow::create(&git, &place, &settings, None, spec.max_file, &dir)?;
        let captured = shadow.capture(head.map_or(UserHead::Unknown, UserHead::Known), None)?;
        Ok(Self { task: task.clone(), place, files: files.clone(), captured, shadow, temp })
    }

    /// Keeps the snapshot in the user's repository: its objects, then the workspace file, then the ref. The agent may run
    /// meanwhile.
    ///
    /// Blocks, at most until the deadline. Fails with [`WorkspaceProblem`] if the task has no snapshot.
    pub fn keep(mut self, deadline: Deadline) -> Result<Workspace, WorkspaceProblem> {
        self.shadow.set_deadline(deadline);
        Ok(self.complete()?.0)
    }

    fn complete(self) -> Result<(Workspace, Snapshot), WorkspaceProblem> {
        let Self { task, place, files, captured, mut shadow, temp } = self;
        let snapshot = shadow.complete(captured, &message(&task, BEFORE), None)?;
        shadow.publish()?;
        let workspace = Workspace {
            file: new_file(&task, place, &shadow, &snapshot),
            files,
            state: state_of(&snapshot),
            shadow,
            worktree: None,
            warnings: vec![],
            temp,
        };
        workspace.keep_before()?;
        Ok((workspace, snapshot))
    }
}

fn unexpected(command: &str) -> GitError {
    GitError::Unexpected { command: command.into() }
}

/// The workspace file of a task that begins with this snapshot.
fn new_file(task: &TaskId, place: Place, shadow: &Shadow, snapshot: &Snapshot) -> TaskWorkspace {
    TaskWorkspace {
        format: WORKSPACE_FORMAT,
        task: task.clone(),
        place,
        worktree: None,
        continues: None,
        settings: shadow.settings().clone(),
        before: snapshot.commit.clone(),
        omitted: snapshot.omitted.clone(),
        after: None,
        named: vec![],
        modes: vec![],
        operations: vec![],
    }
}
