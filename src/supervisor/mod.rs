//! Runs one task from its spec to its end, in a separate process.
//!
//! The supervisor owns everything about its agent: the pipes, the log, the heartbeat, the deadline, and the end. It
//! reads no configuration, because the spec on its stdin contains everything. Its parts:
//!
//! - `machine` decides what to do when, without I/O, according to [`crate::task::Policy`]; `limits` are its deadlines, and
//!   `network` reports when the agent only waits for the network;
//! - `drive` is the loop that connects the agent, the machine and the journal;
//! - `clock` measures the time in which the agent could work, and `failures` keeps the supervisor's own log short;
//! - `journal` writes everything that people and other processes see: log, timeline, live view, hints;
//! - `entries` converts events to timeline entries, `rate` limits their number, and `timeline` writes them;
//! - `queue` waits for a slot if the number of running tasks is limited, and `parallel` handles other tasks in the
//!   same work tree;
//! - `sandbox` detects that nothing could run in the agent's sandbox;
//! - `redaction` removes secrets from the output of all of these;
//! - `directory_watch` guards the working directory if `ceiling.roots` limits it;
//! - `prepare` builds the command line from the spec, and `ending` determines the task's status;
//! - `workspace` takes the snapshots before and after the agent, and `named_files` collects the files that it names;
//! - `worktree` lets the task work in its own worktree;
//! - `indexing` adds the running task to the lists of tasks, and `close` writes the end;
//! - `fallback` chooses the next backend.

mod assignment;
mod clock;
mod close;
mod data_directory;
mod directory_watch;
mod drive;
mod ending;
mod entries;
mod external;
mod failures;
mod fallback;
mod hints;
mod indexing;
mod journal;
mod lifeline;
mod limits;
mod lines;
mod live;
mod machine;
mod named_files;
mod network;
mod no_worktree;
mod parallel;
mod prepare;
mod queue;
mod rate;
mod redaction;
mod render;
mod sandbox;
mod stdin;
mod stream;
mod threads;
mod timeline;
mod tree_guard;
mod unterminated;
mod workspace;
mod workspace_progress;
mod worktree;

use std::{
    mem,
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use chrono::Utc;
use connector_api::{AgentBackend, Outcome, UsageScope};
use tokio::{
    task::{JoinHandle, spawn_blocking},
    time::sleep,
};

pub use assignment::Assignment;
pub use hints::{Hint, Readiness};

use data_directory::DataDirectory;
use directory_watch::DirectoryWatch;
use drive::{AgentRun, CANCEL_POLL};
use ending::RunEnd;
use external::ExternalEvents;
use hints::HintWriter;
use indexing::Indexing;
use journal::Journal;
use machine::{MachineInput, stop_requested};
use prepare::Prepared;
use workspace_progress::WorkspaceProgress;

use crate::{
    probing::Freshness,
    process::{Cgroup, ProcessTree, RunningAgent, heed_file_limit, identity_of},
    redact::Redactor,
    registry::Registry,
    store::{Claim, OpenTask, ProbeCache, RunSlot, Upkeep, WorkTreeWriter, Workspaces},
    task::{CgroupUse, SPEC_FORMAT, StopCause, TaskId, TaskRecord, TaskSpec, TaskStart},
};

/// Runs one task until it ends. The spec is the first line of stdin; the end of stdin means that the server is gone.
///
/// Reports on stdout whether the task exists ([`Readiness`]), and then writes hints ([`Hint`]). Fails with a message
/// for people if the task could not begin. After that, every failure is an end of the task.
pub async fn supervise(assignment: Assignment, registry: &Registry) -> Result<(), String> {
    heed_file_limit();
    std::panic::set_hook(Box::new(|fault| tracing::error!(%fault, "the supervisor panicked")));
    let hints = HintWriter::open();
    threads::begin_blocking().inspect_err(|problem| hints.refuse(problem))?;
    let (spec, lifeline) = lifeline::take(&assignment.id).inspect_err(|problem| hints.refuse(problem))?;
    let redactor = redaction::redactor(&spec, &assignment, registry);
    let begun = Task::begin(assignment, spec, redactor).inspect_err(|problem| hints.refuse(problem))?;
    let Some(mut task) = begun else {
        hints.readiness(&Readiness::InUse);
        return Ok(());
    };
    hints.readiness(&Readiness::Ready);
    let mut journal = Journal::open(&task.files, &task.spec, hints, task.redactor.clone());
    let mut external = ExternalEvents::watch(lifeline);
    let mut end = task.run(registry, &mut journal, &mut external).await;
    task.end_workspace(&mut end, &mut journal, &mut external).await;
    task.close(end, journal).await;
    Ok(())
}

/// Waits for background work, if there is any. If it panicked, that was already logged.
async fn join(work: Option<JoinHandle<()>>) {
    if let Some(work) = work {
        let _ = work.await;
    }
}

/// Waits until the time limit; forever if there is none.
async fn time_out(limit: Option<Duration>) -> StopCause {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            StopCause::TimedOut { limit }
        }
        None => std::future::pending().await,
    }
}

/// A task that exists: its record says `running`, and we hold its lease.
struct Task {
    spec: TaskSpec,
    /// The task's files. Holds the lease.
    files: OpenTask,
    data: DataDirectory,
    record: TaskRecord,
    redactor: Redactor,
    started: Instant,
    /// The update of the lists of tasks for the running task.
    indexing: Option<Indexing>,
    /// The cgroup for the agent's processes, if one could be created.
    group: Option<Cgroup>,
    /// The move of the agent into its cgroup.
    gathering: Option<JoinHandle<()>>,
    /// The scope of the agent's token counts.
    usage_scope: UsageScope,
    /// The right to run, if the number of running tasks is limited.
    slot: Option<RunSlot>,
    /// The task's snapshots.
    workspace: WorkspaceProgress,
    /// The task's presence in the user's work tree, if it may change files there.
    writer: Option<Arc<WorkTreeWriter>>,
    /// The tasks that were already working in the same work tree when this one began.
    beside: Vec<TaskId>,
    /// The directory of the request, if the task works in its own worktree instead.
    source: Option<PathBuf>,
}

impl Task {
    /// Claims the ID and writes the first record. Returns `None` if the ID is in use.
    fn begin(assignment: Assignment, spec: TaskSpec, redactor: Redactor) -> Result<Option<Self>, String> {
        if spec.format != SPEC_FORMAT || spec.id != assignment.id {
            return Err(format!(
                "the spec is for task {} in format {}, but this supervisor is for task {} in format {SPEC_FORMAT}",
                spec.id, spec.format, assignment.id
            ));
        }
        let upkeep = Upkeep::open(&assignment.data_dir, &assignment.log_dir).map_err(|error| error.to_string())?;
        let files = match upkeep.claim(&spec.id).map_err(|error| error.to_string())? {
            Claim::Claimed(files) => files,
            Claim::InUse => return Ok(None),
        };
        let data = DataDirectory {
            path: assignment.data_dir,
            reader: upkeep.reader().clone(),
            probes: ProbeCache::of(&upkeep),
            workspaces: Workspaces::of(&upkeep),
        };
        if let Ok(log) = files.open_supervisor_log() {
            crate::logging::to_file(log);
        }
        let mut record = TaskRecord::new(&spec, Utc::now());
        record.start = TaskStart {
            supervisor: identity_of(std::process::id()),
            log_file: Some(data.reader.log_path(&spec.id)),
            result_file: Some(data.reader.result_path(&spec.id)),
            debug_file: Some(data.reader.record_path(&spec.id)),
            ..record.start
        };
        redaction::record(&redactor, &mut record);
        let noted = files.write_log_dir().and_then(|()| files.write_policy(&spec.policy.for_others()));
        if let Err(error) = noted.and_then(|()| files.write_record(&record)) {
            let _ = files.abandon();
            return Err(error.to_string());
        }
        Ok(Some(Self {
            spec,
            files,
            data,
            record,
            redactor,
            started: Instant::now(),
            indexing: None,
            group: None,
            gathering: None,
            usage_scope: UsageScope::Run,
            slot: None,
            workspace: WorkspaceProgress::default(),
            writer: None,
            beside: vec![],
            source: None,
        }))
    }

    /// Runs the agent until it ends. Runs it again if it rejected the command line that its cached probe answers
    /// promised.
    async fn run_backend(
        &mut self,
        registry: &Registry,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) -> RunEnd {
        let backend = match registry.build(&self.spec.backend) {
            Ok(backend) => backend,
            Err(problem) => return RunEnd::unusable("EINVAL", problem.to_string(), None),
        };
        let first = self.attempt(&*backend, Freshness::Kept, journal, external).await;
        let Outcome::CommandLineRefused(failure) = &first.verdict.outcome else { return first };
        if first.stopped.is_some() || self.is_stop_requested(external) {
            return first;
        }
        let said = format!("{}; asking the program again what it supports", failure.message);
        journal.warning("COMMAND LINE REFUSED", &said);
        self.attempt(&*backend, Freshness::Fresh, journal, external).await
    }

    async fn attempt(
        &mut self,
        backend: &dyn AgentBackend,
        freshness: Freshness,
        journal: &mut Journal,
        external: &mut ExternalEvents,
    ) -> RunEnd {
        // This work reaps all orphans except its own agent, so it could take the next agent's exit status.
        join(self.gathering.take()).await;
        let begun = Instant::now();
        if let Err(end) = self.enter_worktree(begun, external, journal).await {
            journal.header(&self.spec, None);
            return *end;
        }
        let mut workspace = mem::take(&mut self.workspace);
        // Asking the agent what it can do and taking a snapshot do not depend on each other.
        let ready = async {
            let prepared = prepare::prepare(backend, &self.spec, &self.data, freshness, journal).await?;
            workspace.begun().await;
            Ok(prepared)
        };
        let prepared = tokio::select! {
            prepared = ready => prepared,
            cause = self.stop_requested(external) => Err(Box::new(RunEnd::stop_requested(cause, self.started.elapsed()))),
            cause = time_out(self.spec.policy.timeout) => Err(Box::new(RunEnd::stop_requested(cause, begun.elapsed()))),
        };
        self.workspace = workspace;
        let Prepared { request, mut command, launch, version, usage_scope, environment } = match prepared {
            Ok(prepared) => prepared,
            Err(end) => {
                journal.header(&self.spec, None);
                return *end;
            }
        };
        self.usage_scope = usage_scope;
        self.spec.request.working_directory.clone_from(&request.working_directory);
        self.record.progress.working_directory.clone_from(&request.working_directory);
        self.record.progress.command = Some(prepare::quoted(&command).into());
        self.record.progress.agent_version = Some(version.into());
        self.record.progress.environment = environment;
        redaction::record(&self.redactor, &mut self.record);
        journal.header(&self.spec, Some(&self.record));
        self.record_workspace(journal);
        ProcessTree::adopt_orphans();
        self.make_cgroup();
        command.group.clone_from(&self.group);
        // Starts before the agent: from now on, its directory must not lead out of the roots.
        let roots = &self.spec.ceiling.roots;
        let watch = (!roots.is_empty()).then(|| DirectoryWatch::watch(Arc::clone(&command.directory), roots));
        let watch = match watch.transpose() {
            Ok(watch) => watch,
            Err(error) => return prepare::not_watched(&error),
        };
        let agent = match RunningAgent::spawn(&command) {
            Ok(agent) => agent,
            Err(error) => return prepare::not_spawned(&error, backend),
        };
        self.record.progress.pid = Some(agent.pid);
        self.record.progress.agent.clone_from(&agent.identity);
        let tree = agent.tree.clone();
        let mut run = AgentRun::new(agent, backend.session(&request), &launch, &self.spec);
        if let Some(watch) = watch {
            run = run.with_directory_watch(watch);
        }
        // The agent already has its prompt and is working. Its output waits in the pipes.
        self.record_start(journal, external).await;
        self.gathering = self.group.is_some().then(|| spawn_blocking(move || tree.move_into_cgroup()));
        self.schedule_indexing().await;
        run.drive(journal, external, &self.files, &mut self.record).await
    }

    /// Whether an event that already happened ends the task.
    fn is_stop_requested(&self, external: &ExternalEvents) -> bool {
        external.received().iter().any(|input| stop_requested(&self.spec.policy, *input).is_some())
    }

    /// Waits until the task is stopped, while it has no agent yet.
    async fn stop_requested(&self, external: &mut ExternalEvents) -> StopCause {
        loop {
            let input = tokio::select! {
                input = external.next() => input,
                () = sleep(CANCEL_POLL) => None,
            };
            if let Some(cause) = self.asked_to_stop(input) {
                return cause;
            }
        }
    }

    /// Why the task must stop, because of a cancel request or this event. The request counts more, because a program that
    /// requests it may exit at once.
    fn asked_to_stop(&self, received: Option<MachineInput>) -> Option<StopCause> {
        let cancel = self.files.is_cancel_requested().then_some(MachineInput::Cancel);
        cancel.into_iter().chain(received).find_map(|input| stop_requested(&self.spec.policy, input))
    }

    /// Creates the agent's cgroup. Stores its path before any process can be in it.
    fn make_cgroup(&mut self) {
        if self.group.is_some() || self.spec.policy.cgroup == CgroupUse::Off {
            return;
        }
        let Some(group) = Cgroup::make(&self.spec.id) else { return };
        match self.files.write_cgroup(group.dir()) {
            Ok(()) => self.group = Some(group),
            Err(error) => {
                tracing::warn!(%error, "the agent is not in a cgroup");
                group.remove();
            }
        }
    }

    /// Schedules an update of the lists of tasks for the running task.
    async fn schedule_indexing(&mut self) {
        // One update after the other: an older record must not overwrite a newer one.
        self.end_indexing().await;
        self.indexing = Some(Indexing::schedule(self.files.indexing(self.record.clone(), self.spec.index)));
    }

    async fn end_indexing(&mut self) {
        if let Some(indexing) = self.indexing.take() {
            indexing.end().await;
        }
    }
}
