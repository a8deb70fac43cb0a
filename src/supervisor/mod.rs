//! One task from its spec to its end, in a process of its own.
//!
//! The supervisor owns everything about its agent: the pipes, the log, the heartbeat, the deadline, and the end. It
//! reads no configuration; the spec on its stdin holds all there is to know. Its parts:
//!
//! - `machine` decides, without I/O: what to do when, in [`crate::task::Policy`]'s terms;
//! - `drive` is the loop that carries messages between the agent, the machine and the journal;
//! - `clock` measures how long the agent could work, and `failures` keeps the supervisor's own log short;
//! - `journal` writes what people and other processes see: log, timeline, live view, hints;
//! - `entries` makes entries of the timeline from events, and `timeline` writes them as far as `rate` admits them;
//! - `queue` waits for the task's turn;
//! - `sandbox` notices that nothing could run in the agent's sandbox;
//! - `redaction` takes secrets out of what they write;
//! - `directory_watch` watches the working directory where `ceiling.roots` limits it;
//! - `prepare` makes a command line of a spec, `ending` a status of an end;
//! - `fallback` chooses the backend that gets the task next.

mod assignment;
mod clock;
mod data_directory;
mod directory_watch;
mod drive;
mod ending;
mod entries;
mod external;
mod failures;
mod fallback;
mod hints;
mod journal;
mod lifeline;
mod live;
mod machine;
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

use std::{
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
use journal::Journal;
use machine::{MachineInput, stop_requested};
use prepare::Prepared;

use crate::{
    probing::Freshness,
    process::{Cgroup, ProcessTree, RunningAgent, heed_file_limit, identity_of},
    redact::Redactor,
    registry::Registry,
    store::{Claim, OpenTask, ProbeCache, RunSlot, Upkeep},
    task::{CgroupUse, SPEC_FORMAT, StopCause, TaskRecord, TaskSpec, TaskStart},
};

/// How long a supervisor tries to close its books when it cannot write, and how often.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);
const CLOSE_RETRY_INTERVAL: Duration = Duration::from_secs(1);

/// Runs one task to its end. The spec is the first line of stdin; the end of stdin means that the server is gone.
///
/// Tells on stdout whether there is a task ([`Readiness`]), and gives hints afterwards ([`Hint`]). Fails with a message
/// for people when there is no task; once there is one, every end is an end of the task.
pub async fn supervise(assignment: Assignment, registry: &Registry) -> Result<(), String> {
    heed_file_limit();
    std::panic::set_hook(Box::new(|fault| tracing::error!(%fault, "a fault in the supervisor")));
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
    let external = ExternalEvents::watch(lifeline);
    let end = task.run(registry, &mut journal, external).await;
    task.close(end, journal).await;
    Ok(())
}

/// Waits for work that was begun, if there is any. That it panicked is in the log by then.
async fn join(work: Option<JoinHandle<()>>) {
    if let Some(work) = work {
        let _ = work.await;
    }
}

/// Waits until this time limit is up; for ever, if there is none.
async fn time_out(limit: Option<Duration>) -> StopCause {
    match limit {
        Some(limit) => {
            sleep(limit).await;
            StopCause::TimedOut { limit }
        }
        None => std::future::pending().await,
    }
}

/// A task that exists: its record says `running`, and its lease is ours.
struct Task {
    spec: TaskSpec,
    /// The task's own files, and with them its lease.
    files: OpenTask,
    data: DataDirectory,
    record: TaskRecord,
    redactor: Redactor,
    started: Instant,
    /// The entry of the running task on its way into the index.
    indexing: Option<JoinHandle<()>>,
    /// Where everything that the agent starts is kept together, if that is possible here.
    group: Option<Cgroup>,
    /// The agent on its way there.
    gathering: Option<JoinHandle<()>>,
    /// What the tokens are counted over that the agent reports.
    usage_scope: UsageScope,
    /// The right to run, where not all tasks may at the same time.
    slot: Option<RunSlot>,
}

impl Task {
    /// Claims the id and puts down the first record. `None`: the id is in use.
    fn begin(assignment: Assignment, spec: TaskSpec, redactor: Redactor) -> Result<Option<Self>, String> {
        if spec.format != SPEC_FORMAT || spec.id != assignment.id {
            return Err(format!(
                "the spec is of task {} in format {}, and this supervisor is for task {} in format {SPEC_FORMAT}",
                spec.id, spec.format, assignment.id
            ));
        }
        let upkeep = Upkeep::open(&assignment.data_dir, &assignment.log_dir).map_err(|error| error.to_string())?;
        let files = match upkeep.claim(&spec.id).map_err(|error| error.to_string())? {
            Claim::Claimed(files) => files,
            Claim::InUse => return Ok(None),
        };
        let data = DataDirectory { reader: upkeep.reader().clone(), probes: ProbeCache::of(&upkeep) };
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
        let noted = files.write_log_dir().and_then(|()| files.write_policy(&spec.policy));
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
        }))
    }

    /// Starts the agent and follows it to its end; twice, if it was not what its probe had said.
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
        let Outcome::CommandLineRefused(complaint) = &first.verdict.outcome else { return first };
        if first.stopped.is_some() || self.is_stop_requested(external) {
            return first;
        }
        let said = format!("{}; asking the program again what it takes", complaint.message);
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
        // It reaps every orphan but its own agent, and so it would take the exit status of the next one.
        join(self.gathering.take()).await;
        let begun = Instant::now();
        let prepared = tokio::select! {
            prepared = prepare::prepare(backend, &self.spec, &self.data, freshness, journal) => prepared,
            cause = self.stop_requested(external) => Err(Box::new(RunEnd::stop_requested(cause, self.started.elapsed()))),
            cause = time_out(self.spec.policy.timeout) => Err(Box::new(RunEnd::stop_requested(cause, begun.elapsed()))),
        };
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
        ProcessTree::adopt_orphans();
        self.make_cgroup();
        command.group.clone_from(&self.group);
        // From before the agent starts: its directory may not lead out of the roots from now on.
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
        self.gathering = self.group.is_some().then(|| spawn_blocking(move || tree.move_into_cgroup()));
        // The agent has its prompt and works meanwhile; what it writes waits in its pipes.
        if let Err(error) = self.files.update_record(&self.record) {
            tracing::error!(%error, "the record is not up to date");
        }
        self.begin_indexing().await;
        run.drive(journal, external, &self.files, &mut self.record).await
    }

    /// Whether something that already happened ends the task.
    fn is_stop_requested(&self, external: &ExternalEvents) -> bool {
        external.received().iter().any(|input| stop_requested(&self.spec.policy, *input).is_some())
    }

    /// Waits until the task is not to go on, while there is no agent yet.
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

    /// Why the task is not to go on, by what was heard just now or by a request to cancel.
    fn asked_to_stop(&self, received: Option<MachineInput>) -> Option<StopCause> {
        let cancel = self.files.is_cancel_requested().then_some(MachineInput::Cancel);
        received.into_iter().chain(cancel).find_map(|input| stop_requested(&self.spec.policy, input))
    }

    /// Makes the agent's cgroup, and puts down where it is before anything can be in it.
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

    /// Closes the books, in this order: result, log, record, timeline, lease, index, run directory.
    ///
    /// What cannot be written is tried again for a while: a full disk may be emptied. A task whose record cannot be
    /// written keeps its run directory, and with it the supervisor's own log.
    async fn close(mut self, mut end: RunEnd, mut journal: Journal) {
        redaction::verdict(&self.redactor, &mut end.verdict);
        redaction::warnings(&self.redactor, &mut end.warnings);
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        if let Some(answer) = &end.verdict.answer {
            while let Err(error) = self.files.write_result(answer) {
                journal.stuck(&error);
                if Instant::now() > deadline {
                    break;
                }
                sleep(CLOSE_RETRY_INTERVAL).await;
            }
        }
        journal.count_into(&mut self.record);
        end.write_into(&mut self.record, journal.trouble(), Utc::now(), self.started.elapsed());
        if self.usage_scope == UsageScope::Session
            && self.spec.request.resume.is_some()
            && let Some(end) = &mut self.record.end
        {
            end.count_since(self.spec.session_usage);
        }
        journal.summary(&self.record);
        while let Err(error) = self.files.write_record(&self.record) {
            tracing::error!(%error, "the record is not up to date");
            journal.stuck(&error);
            if Instant::now() > deadline {
                return;
            }
            sleep(CLOSE_RETRY_INTERVAL).await;
        }
        // After the record, so that the timeline never says more than the record does.
        journal.ended(&self.record);
        // For every reader the task has ended now. What is left can be done by anyone who finds the run directory, and is
        // not waited for: with a long history it takes longer than all the rest.
        let released = self.files.release();
        drop(self.slot);
        journal.closed();
        join(self.indexing.take()).await;
        join(self.gathering.take()).await;
        if let Some(group) = self.group.take() {
            group.remove();
        }
        if let Err(error) = released.clean_up(&self.record, self.spec.index) {
            tracing::error!(%error, "the run directory stays");
        }
    }

    /// Puts the running task into the index, beside the work: with a long history that takes its time.
    async fn begin_indexing(&mut self) {
        // One after the other: an older record must not come after a newer one.
        join(self.indexing.take()).await;
        let index = self.files.indexing(self.record.clone(), self.spec.index);
        self.indexing = Some(spawn_blocking(move || {
            if let Err(error) = index() {
                tracing::error!(%error, "the index is not up to date");
            }
        }));
    }
}
