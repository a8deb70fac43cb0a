//! Takes the snapshots of a task's repository: one before the agent starts, and one after its last process has ended.
//!
//! The first one is taken once, when it is the task's turn, and not again for a fallback. The agent starts as soon as all
//! files were read for it; the rest happens at the beginning of the agent's run. Git runs on a blocking thread, so
//! that the task can still be stopped. A failure here never stops the task; its changes are then unknown, and
//! its record says why.

use std::{
    mem,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use connector_api::Warning;
use tokio::{
    task::{JoinError, JoinHandle, spawn_blocking},
    time::{Instant, sleep, sleep_until, timeout},
};

use super::{
    CANCEL_POLL, Task,
    ending::RunEnd,
    external::ExternalEvents,
    join,
    journal::Journal,
    workspace_progress::{KILL_TIMEOUT, SNAPSHOT_TIMEOUT, WorkspaceProgress},
};
use crate::{
    process::Deadline,
    task::{Changes, OnAgentExit, Snapshots, StopCause, TreeUse, WorkspaceSpec, WorkspaceState, first_line},
    workspace::{Beginning, Workspace, WorkspaceProblem},
};

/// How long the snapshot after a task may take once the task is to stop. Shorter than the time after which a supervisor
/// that does not react is killed.
const STOPPING_TIMEOUT: Duration = Duration::from_secs(10);

/// The result of keeping a captured snapshot.
type Kept = Result<Workspace, WorkspaceProblem>;

impl Task {
    /// Begins to take the first snapshot. Called when it is the task's turn.
    pub(super) fn begin_workspace(&mut self) {
        let WorkspaceSpec { snapshots, tree, .. } = &self.spec.workspace;
        if *snapshots == Snapshots::Off && *tree == TreeUse::Never {
            return;
        }
        let beginning = Beginning {
            task: self.spec.id.clone(),
            spec: self.spec.workspace.clone(),
            directory: self.spec.request.working_directory.clone(),
            home: std::env::home_dir(),
            data_dir: self.data.path.clone(),
            files: self.data.workspaces.clone(),
            reader: self.data.reader.clone(),
            supervisor: self.record.start.supervisor.clone(),
        };
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let deadline = Deadline::new(SNAPSHOT_TIMEOUT, Arc::clone(&is_cancelled));
        let needs_tree = beginning.spec.tree == TreeUse::Always;
        let taken = spawn_blocking(move || Workspace::begin(&beginning, deadline));
        self.workspace = WorkspaceProgress::Beginning { taken, is_cancelled, needs_tree };
    }

    /// Writes the record of a task whose agent was just started, and keeps the captured snapshot, if there is one. The
    /// agent's output waits in its pipes until then. No orphan may be reaped earlier, because it could be git.
    pub(super) async fn record_start(&mut self, journal: &mut Journal, external: &mut ExternalEvents) {
        let keeping = self.begin_keeping();
        self.update_record();
        if let Some((kept, is_cancelled)) = keeping {
            self.workspace = WorkspaceProgress::kept(self.kept(kept, &is_cancelled, external).await);
            self.record_workspace(journal);
            self.update_record();
        }
    }

    fn update_record(&self) {
        if let Err(error) = self.files.update_record(&self.record) {
            tracing::error!(%error, "the record is outdated");
        }
    }

    fn begin_keeping(&mut self) -> Option<(JoinHandle<Kept>, Arc<AtomicBool>)> {
        let captured = self.workspace.take_captured()?;
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let deadline = Deadline::new(STOPPING_TIMEOUT, Arc::clone(&is_cancelled));
        Some((spawn_blocking(move || captured.keep(deadline)), is_cancelled))
    }

    /// Waits until the snapshot is kept. Gives up if the task must end.
    async fn kept(
        &self,
        mut kept: JoinHandle<Kept>,
        is_cancelled: &AtomicBool,
        external: &mut ExternalEvents,
    ) -> Result<Kept, JoinError> {
        let first = tokio::select! {
            kept = &mut kept => Some(kept),
            // This is remembered, so it also reaches the agent.
            () = self.must_end(external) => None,
        };
        match first {
            Some(kept) => kept,
            None => {
                is_cancelled.store(true, Ordering::Relaxed);
                kept.await
            }
        }
    }

    /// Adds the state of the repository to the record and the log, once it is known.
    pub(super) fn record_workspace(&mut self, journal: &mut Journal) {
        if self.record.progress.workspace.is_some() {
            return;
        }
        self.record.progress.workspace = match &self.workspace {
            WorkspaceProgress::Without
            | WorkspaceProgress::Beginning { .. }
            | WorkspaceProgress::NoWorktree(_)
            | WorkspaceProgress::Captured(_) => None,
            WorkspaceProgress::NotCovered(why, said) => {
                let said = said.as_ref().map(|said| format!(" ({said})")).unwrap_or_default();
                journal.entry(&format!("NO SNAPSHOT: {why}{said}"));
                Some(WorkspaceState::without_snapshot(why.clone()))
            }
            WorkspaceProgress::Begun(workspace) => {
                let state = workspace.state();
                let before = state.before.as_ref().map(|before| before.short()).unwrap_or_default();
                let head =
                    state.head.as_ref().map_or("no commit yet".to_owned(), |head| format!("HEAD {}", head.short()));
                journal.entry(&format!("SNAPSHOT: {before} ({head}, {} uncommitted files)", state.uncommitted));
                if let Some(worktree) = &state.worktree {
                    journal.entry(&format!("WORKTREE: {}", worktree.display()));
                }
                for warning in workspace.warnings() {
                    journal.entry(&format!("WORKTREE: {warning}"));
                }
                Some(state.clone())
            }
        };
    }

    /// Takes the second snapshot, and adds to `end` what changed. If the agent never started, removes the first one.
    pub(super) async fn end_workspace(
        &mut self,
        end: &mut RunEnd,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) {
        // This work reaps all orphans, so it could take git's exit status.
        join(self.gathering.take()).await;
        end.warnings.extend(self.work_tree_warnings(end));
        let mut workspace = mem::take(&mut self.workspace);
        if let WorkspaceProgress::Beginning { is_cancelled, .. } = &workspace {
            is_cancelled.store(true, Ordering::Relaxed);
            // If this takes longer, the snapshot is discarded when it is taken.
            let _ = timeout(STOPPING_TIMEOUT, workspace.begun()).await;
        }
        let WorkspaceProgress::Begun(mut workspace) = workspace else { return };
        if self.record.progress.pid.is_none() {
            let discarded = spawn_blocking(move || workspace.discard(Deadline::after(STOPPING_TIMEOUT))).await;
            if let Ok(Err(problem)) = discarded {
                tracing::warn!(%problem, "the snapshot before the task remains");
            }
            return;
        }
        if self.spec.policy.on_agent_exit == OnAgentExit::Leave {
            workspace.leave_processes();
        }
        journal.phase("comparing files");
        let named = mem::take(&mut end.named_files);
        let is_stopped = end.stopped.is_some_and(|(cause, _)| cause != StopCause::Finished);
        let is_cancelled = Arc::new(AtomicBool::new(false));
        let deadline = Deadline::new(SNAPSHOT_TIMEOUT, Arc::clone(&is_cancelled));
        let taken = spawn_blocking(move || workspace.finish(&named, deadline));
        match self.wait_for_changes(taken, is_stopped, &is_cancelled, external).await {
            Ok(changes) => {
                journal.changes(&changes);
                end.changes = Some(changes);
            }
            Err(unknown) => {
                journal.entry(&format!("NO SNAPSHOT: {}", unknown.in_log));
                end.warnings.push(Warning {
                    message: format!("the task's changes are unknown: {}", unknown.why),
                    advice: None,
                });
            }
        }
    }

    /// Waits for the second snapshot. If the task is to stop, gives up earlier.
    async fn wait_for_changes(
        &self,
        mut taken: JoinHandle<Result<Changes, WorkspaceProblem>>,
        is_stopped: bool,
        is_cancelled: &AtomicBool,
        external: &mut ExternalEvents,
    ) -> Result<Changes, Unknown> {
        let begun = Instant::now();
        let mut give_up_at = begun + if is_stopped { STOPPING_TIMEOUT } else { SNAPSHOT_TIMEOUT };
        loop {
            tokio::select! {
                taken = &mut taken => return Unknown::unless_taken(taken),
                () = sleep_until(give_up_at), if !is_cancelled.load(Ordering::Relaxed) => {
                    is_cancelled.store(true, Ordering::Relaxed);
                }
                () = sleep_until(give_up_at + KILL_TIMEOUT) => {
                    return Err(Unknown::new("git did not react in time"));
                }
                () = self.must_end(external) => {
                    give_up_at = give_up_at.min(Instant::now() + STOPPING_TIMEOUT);
                }
            }
        }
    }

    /// Waits until something asks the task to end.
    async fn must_end(&self, external: &mut ExternalEvents) {
        loop {
            let received = tokio::select! {
                received = external.next() => match received {
                    Some(received) => Some(received),
                    // Only a server that wants the task to end sends a nudge.
                    None => return,
                },
                () = sleep(CANCEL_POLL) => None,
            };
            if self.asked_to_stop(received).is_some() {
                return;
            }
        }
    }
}

/// Why a task's changes are unknown.
struct Unknown {
    /// One sentence for people.
    why: String,
    /// The same with git's own message.
    in_log: String,
}

impl Unknown {
    fn new(why: impl Into<String>) -> Self {
        let why = why.into();
        Self { in_log: why.clone(), why }
    }

    fn unless_taken(taken: Result<Result<Changes, WorkspaceProblem>, tokio::task::JoinError>) -> Result<Changes, Self> {
        match taken {
            Ok(Ok(changes)) => Ok(changes),
            Ok(Err(problem)) => {
                let said = problem.stderr().map(|said| format!(" ({})", first_line(said.raw()))).unwrap_or_default();
                Err(Self { why: problem.to_string(), in_log: format!("{problem}{said}") })
            }
            Err(panicked) => Err(Self::new(panicked.to_string())),
        }
    }
}
