//! A task that works in its own worktree.
//!
//! Its request names a directory in the user's work tree, for which the ceiling is checked. Once the worktree exists, the
//! task's directory is the same one there, and for the rest of the task, the worktree is the only root.

use std::{path::Path, time::Instant};

use chrono::Utc;
use connector_api::{Outcome, Warning};
use tokio::task::spawn_blocking;

use super::{
    Task,
    data_directory::DataDirectory,
    ending::{NotStarted, RunEnd},
    external::ExternalEvents,
    journal::Journal,
    prepare::directory_unavailable,
    time_out,
    workspace_progress::WorkspaceProgress,
};
use crate::{
    blocking::{CALLER_PATHS, PATH_DEADLINE},
    directory::{Directory, DirectoryProblem},
    task::{ChosenBy, SandboxChoice, TaskRecord, TaskRequest, TaskSpec, TreeUse},
    workspace::CleanUp,
};

impl Task {
    /// If the task gets a worktree, waits for it and makes its directory the task's. Fails with the task's end if the
    /// worktree could not be made, if the ceiling does not admit the original directory, or if the task is stopped.
    pub(super) async fn enter_worktree(
        &mut self,
        begun: Instant,
        external: &mut ExternalEvents,
        journal: &mut Journal,
    ) -> Result<(), Box<RunEnd>> {
        if self.spec.workspace.tree == TreeUse::Never {
            return Ok(());
        }
        journal.phase("making a worktree");
        let mut workspace = std::mem::take(&mut self.workspace);
        let stopped = tokio::select! {
            () = workspace.begun() => None,
            cause = self.stop_requested(external) => Some((cause, self.started.elapsed())),
            cause = time_out(self.spec.policy.timeout) => Some((cause, begun.elapsed())),
        };
        self.workspace = workspace;
        journal.phase("starting");
        if let Some((cause, elapsed)) = stopped {
            return Err(Box::new(RunEnd::stop_requested(cause, elapsed)));
        }
        let (directory, top) = match &self.workspace {
            WorkspaceProgress::NoWorktree(problem) => return Err(Box::new(problem.end())),
            WorkspaceProgress::Begun(workspace) => match workspace.worktree() {
                Some((directory, top)) => (directory, top.to_owned()),
                None => return Ok(()),
            },
            WorkspaceProgress::Without
            | WorkspaceProgress::Beginning { .. }
            | WorkspaceProgress::Captured(_)
            | WorkspaceProgress::NotCovered(..) => return Ok(()),
        };
        let source = self.source.get_or_insert_with(|| self.spec.request.working_directory.clone()).clone();
        self.admit_source(&source).await?;
        if !self.spec.ceiling.roots.is_empty() {
            self.spec.ceiling.roots = vec![top];
        }
        self.spec.request.working_directory = directory;
        Ok(())
    }

    /// Checks that the ceiling admits the original directory. Each fallback has its own ceiling.
    async fn admit_source(&self, source: &Path) -> Result<(), Box<RunEnd>> {
        let (ceiling, request, timeout) =
            (self.spec.ceiling.clone(), self.spec.request.clone(), self.spec.policy.timeout);
        let path = source.to_owned();
        let admitted = CALLER_PATHS.run(PATH_DEADLINE, move || {
            let directory = Directory::open(&path)?;
            let by = ChosenBy::Call;
            let asked = TaskRequest { request: &request, sandbox_by: SandboxChoice::Call, timeout, timeout_by: by };
            Ok(ceiling.admit(asked, directory.real_path(), Path::canonicalize))
        });
        let admitted = admitted.await.unwrap_or(Err(DirectoryProblem::TimedOut));
        admitted.map_err(|problem| Box::new(directory_unavailable(source, &problem)))?.map_err(|above| {
            Box::new(RunEnd::not_started(NotStarted::Forbidden, above.to_string(), Some(above.next())))
        })
    }

    /// Warnings about the task's work tree, for its end.
    pub(super) fn work_tree_warnings(&self, end: &RunEnd) -> Vec<Warning> {
        let has_worked = end.not_started.is_none() && !matches!(end.verdict.outcome, Outcome::CommandLineRefused(_));
        let lacking: Vec<String> = match &self.workspace {
            WorkspaceProgress::Begun(workspace) => workspace.warnings().to_vec(),
            WorkspaceProgress::Without
            | WorkspaceProgress::Beginning { .. }
            | WorkspaceProgress::Captured(_)
            | WorkspaceProgress::NotCovered(..)
            | WorkspaceProgress::NoWorktree(_) => vec![],
        };
        let lacking = lacking.into_iter().map(|message| Warning { message, advice: None });
        lacking.chain(self.shared_work_tree()).filter(|_| has_worked).collect()
    }
}

/// Removes the worktree of an ended task if nothing in it is newer than the snapshot after the task. Otherwise it is
/// kept.
pub(super) async fn clean_up(record: &TaskRecord, spec: &TaskSpec, data: &DataDirectory) {
    let has_worktree = record.progress.workspace.as_ref().is_some_and(|state| state.worktree.is_some());
    if !has_worktree {
        return;
    }
    let clean_up = CleanUp {
        files: data.workspaces.clone(),
        reader: data.reader.clone(),
        max_file: spec.workspace.max_file,
        now: Utc::now(),
    };
    let id = record.id.clone();
    if let Ok(done) = spawn_blocking(move || clean_up.run(Some(&[id]))).await {
        for kept in done.kept {
            tracing::info!(path = %kept.path.display(), why = ?kept.why, "the worktree is kept");
        }
    }
}
