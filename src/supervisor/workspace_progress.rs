//! The progress of a task's workspace.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    task::{JoinError, JoinHandle},
    time::timeout,
};

use super::no_worktree::NoWorktree;
use crate::{
    task::first_line,
    workspace::{Begun, CapturedWorkspace, Workspace, WorkspaceProblem},
};

/// How long a snapshot may take.
pub(super) const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer than its deadline git may take to be killed.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// The progress of a task's workspace.
#[derive(Debug, Default)]
pub(super) enum WorkspaceProgress {
    /// There are no snapshots.
    #[default]
    Without,
    /// The first snapshot is being captured, or the task's worktree is being made.
    Beginning { taken: JoinHandle<Result<Begun, WorkspaceProblem>>, is_cancelled: Arc<AtomicBool>, needs_tree: bool },
    /// There is none, for this reason.
    NotCovered(String, Option<String>),
    /// The task must work in its own worktree, which does not exist.
    NoWorktree(NoWorktree),
    /// The first snapshot is captured: the agent may start, and then the snapshot is to be kept.
    Captured(Box<CapturedWorkspace>),
    /// It was taken.
    Begun(Box<Workspace>),
}

impl WorkspaceProgress {
    /// Waits until the agent may start: the first snapshot was captured or taken, or that failed. Can be dropped at any
    /// time.
    pub(super) async fn begun(&mut self) {
        let Self::Beginning { taken, is_cancelled, needs_tree } = self else { return };
        *self = match timeout(SNAPSHOT_TIMEOUT + KILL_TIMEOUT, taken).await {
            Ok(Ok(Ok(Begun::Tree(workspace)))) => Self::Begun(workspace),
            Ok(Ok(Ok(Begun::Captured(captured)))) => Self::Captured(captured),
            Ok(Ok(Err(problem))) => Self::failed(&problem, *needs_tree),
            Ok(Err(panicked)) => Self::without(panicked.to_string(), None, *needs_tree),
            Err(_) => {
                // It must not take a snapshot or make a worktree after the agent has started.
                is_cancelled.store(true, Ordering::Relaxed);
                Self::without("git did not react in time".to_owned(), None, *needs_tree)
            }
        };
    }

    /// Takes the captured snapshot, if there is one.
    pub(super) fn take_captured(&mut self) -> Option<Box<CapturedWorkspace>> {
        match mem::take(self) {
            Self::Captured(captured) => Some(captured),
            progress => {
                *self = progress;
                None
            }
        }
    }

    /// The progress after an attempt to keep a captured snapshot.
    pub(super) fn kept(kept: Result<Result<Workspace, WorkspaceProblem>, JoinError>) -> Self {
        match kept {
            Ok(Ok(workspace)) => Self::Begun(Box::new(workspace)),
            Ok(Err(problem)) => Self::failed(&problem, false),
            Err(panicked) => Self::without(panicked.to_string(), None, false),
        }
    }

    fn failed(problem: &WorkspaceProblem, needs_tree: bool) -> Self {
        let said = problem.stderr().map(|said| first_line(said.raw()));
        match problem {
            WorkspaceProblem::Tree(error) => Self::NoWorktree(NoWorktree::of(error, said)),
            WorkspaceProblem::NotCovered(_)
            | WorkspaceProblem::Snapshot(_)
            | WorkspaceProblem::Shadow(_)
            | WorkspaceProblem::Git(_)
            | WorkspaceProblem::Store(_)
            | WorkspaceProblem::Directory(_) => Self::without(problem.to_string(), said, needs_tree),
        }
    }

    fn without(why: String, said: Option<String>, needs_tree: bool) -> Self {
        if needs_tree { Self::NoWorktree(NoWorktree::because(&why, said)) } else { Self::NotCovered(why, said) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_snapshot_that_takes_too_long_is_cancelled() {
        let taken = tokio::spawn(std::future::pending());
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&is_cancelled);
        let mut progress = WorkspaceProgress::Beginning { taken, is_cancelled: flag, needs_tree: false };
        progress.begun().await;
        assert!(matches!(progress, WorkspaceProgress::NotCovered(..)), "{progress:?}");
        assert!(is_cancelled.load(Ordering::Relaxed));
    }
}
