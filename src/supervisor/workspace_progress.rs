//! How far a task's workspace has come.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::timeout};

use super::no_worktree::NoWorktree;
use crate::{
    task::first_line,
    workspace::{NotCovered, Workspace, WorkspaceProblem},
};

/// How long a snapshot may take.
pub(super) const SNAPSHOT_TIMEOUT: Duration = Duration::from_secs(60);

/// How much longer than its deadline git may take to be killed.
pub(super) const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// How far a task's workspace has come.
#[derive(Debug, Default)]
pub(super) enum WorkspaceProgress {
    /// There are no snapshots.
    #[default]
    Without,
    /// The first snapshot is being taken.
    Beginning {
        taken: JoinHandle<Result<Workspace, WorkspaceProblem>>,
        is_cancelled: Arc<AtomicBool>,
        needs_tree: bool,
    },
    /// There is none, for this reason.
    NotCovered(String, Option<String>),
    /// The task must work in its own worktree, which does not exist.
    NoWorktree(NoWorktree),
    /// It was taken.
    Begun(Box<Workspace>),
}

impl WorkspaceProgress {
    /// Waits until the first snapshot was taken, or could not be taken. Can be dropped at any time.
    pub(super) async fn begun(&mut self) {
        let Self::Beginning { taken, is_cancelled, needs_tree } = self else { return };
        *self = match timeout(SNAPSHOT_TIMEOUT + KILL_TIMEOUT, taken).await {
            Ok(Ok(Ok(workspace))) => Self::Begun(Box::new(workspace)),
            Ok(Ok(Err(problem))) => Self::failed(&problem, *needs_tree),
            Ok(Err(panicked)) => Self::without(panicked.to_string(), None, *needs_tree),
            Err(_) => {
                // It must not take a snapshot or make a worktree after the agent has started.
                is_cancelled.store(true, Ordering::Relaxed);
                Self::without("git did not react in time".to_owned(), None, *needs_tree)
            }
        };
    }

    fn failed(problem: &WorkspaceProblem, needs_tree: bool) -> Self {
        let said = problem.stderr().map(|said| first_line(said.raw()));
        match problem {
            WorkspaceProblem::Tree(error) => Self::NoWorktree(NoWorktree::of(error, said)),
            // Outside git, there is nothing to make a worktree of.
            WorkspaceProblem::NotCovered(NotCovered::NoRepository) => Self::without(problem.to_string(), said, false),
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
