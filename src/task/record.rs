//! The record of a task: everything that is known about it.
//!
//! A record has three parts: the start, which never changes; the progress, which changes while the task runs; and the
//! end. A task has ended if and only if its record has an end, so a record cannot contradict itself.
//!
//! The file is a flat JSON object; see `record_file`.

use std::{collections::BTreeMap, iter, path::PathBuf, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use connector_api::{BackendName, Sandbox, Usage, Warning};
use serde::{Deserialize, Serialize};

use super::{
    ActivityKind, Changes, EndStatus, FailureReason, Resumption, Standing, Submitter, TaskId, TaskSpec, TaskStatus,
    Untrusted, WorkspaceState, millis_of, span,
};

/// The record format that this version writes. A record without a format number was written by the original program.
pub const RECORD_FORMAT: u32 = 1;

/// The record of one task: `logs/<id>.debug.json`, and, with shortened texts, an entry of `tasks.json`.
///
/// Times are UTC; durations and `timeout_ms` are milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskRecord {
    /// [`RECORD_FORMAT`]; 0 if the original program wrote the record.
    pub format: u32,
    /// The task's ID.
    pub id: TaskId,
    /// Whether the original program ran the task. If so, its files are never changed.
    pub from_original: bool,
    /// The part that never changes.
    pub start: TaskStart,
    /// The part that changes while the task runs.
    pub progress: TaskProgress,
    /// How the task ended; `None` while it runs.
    pub end: Option<TaskEnd>,
    /// How its session can be continued. Not in the file; the broker adds it to records that are shown.
    pub resumption: Resumption,
    /// Where its changes are now; `None` if it changed nothing, or if that is unknown. Not in the file either.
    pub standing: Option<Standing>,
}

/// The part that is fixed when a task begins.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskStart {
    /// The prompt.
    pub task: Untrusted,
    /// The agent's sandbox.
    pub sandbox: Option<Sandbox>,
    /// When the task began.
    pub started_at: DateTime<Utc>,
    /// The task's time limit; `None` or 0 means no limit.
    pub timeout_ms: Option<u64>,
    /// The task whose session this one resumes.
    pub resumed_from: Option<TaskId>,
    /// The repository in which the task was submitted, as `directory::repository_of` names it.
    /// `None` if an older version ran the task.
    pub repository: Option<PathBuf>,
    /// The task's submitter.
    pub submitter: Submitter,
    /// Its supervisor.
    pub supervisor: Option<ProcessIdentity>,
    /// The path of the log.
    pub log_file: Option<PathBuf>,
    /// The path of the result file.
    pub result_file: Option<PathBuf>,
    /// The path of this record.
    pub debug_file: Option<PathBuf>,
}

/// The part that changes while a task runs: which agent works on it, and what that agent has done.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskProgress {
    /// The backend that runs the task.
    pub backend: Option<BackendName>,
    /// Where the agent works.
    pub working_directory: PathBuf,
    /// The requested model.
    pub model: Option<Untrusted>,
    /// The agent's process ID.
    pub pid: Option<u32>,
    /// The agent's command line, quoted for a shell.
    pub command: Option<Untrusted>,
    /// The agent's version, as reported by its program.
    pub agent_version: Option<Untrusted>,
    /// Names of environment variables, each with `set`, `not set` or `removed`. Never contains a value.
    pub environment: BTreeMap<String, String>,
    /// Bytes that the agent wrote to stdout.
    pub stdout_bytes: u64,
    /// Bytes that the agent wrote to stderr.
    pub stderr_bytes: u64,
    /// When the agent last wrote anything, or started.
    pub last_activity_at: Option<DateTime<Utc>>,
    /// The kind of that activity.
    pub last_activity_type: Option<ActivityKind>,
    /// Number of heartbeats so far.
    pub heartbeat_count: u64,
    /// The agent's own ID for its session.
    pub session_id: Option<Untrusted>,
    /// The backends that did not do the task, each with the reason, as text for people.
    pub fell_back: Vec<Untrusted>,
    /// The number of this attempt, starting at 1.
    pub attempt: u32,
    /// The agent's process, identified beyond its PID.
    pub agent: Option<ProcessIdentity>,
    /// The state of the repository in which the task began; `None` if nothing was determined, for example because
    /// snapshots are off.
    pub workspace: Option<WorkspaceState>,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEnd {
    /// The final status.
    pub status: EndStatus,
    /// When the task ended; `None` in some records of the original program.
    pub completed_at: Option<DateTime<Utc>>,
    /// The agent's exit code.
    pub exit_code: Option<i32>,
    /// The name of the signal that ended the agent.
    pub exit_signal: Option<String>,
    /// One of the documented failure reasons.
    pub failure_reason: Option<Untrusted>,
    /// The agent's own words about its failure.
    pub agent_said: Option<Untrusted>,
    /// Advice on how to fix the failure.
    pub advice: Option<Untrusted>,
    /// Whether the agent completed its turn, but then exited with a non-zero code or was killed by a signal.
    pub turn_completed: bool,
    /// Caveats about the run that its status does not show.
    pub warnings: Vec<Warning>,
    /// How long the task ran, in milliseconds.
    pub duration: Option<u64>,
    /// The same duration, formatted for people.
    pub duration_formatted: Option<String>,
    /// The agent's final message, shortened in the middle if it is long. The result file has the full text.
    pub result: Option<Untrusted>,
    /// Tokens that this run used.
    pub usage: Option<Usage>,
    /// Tokens that the whole session has used so far, if the agent reports that total.
    pub session_usage: Option<Usage>,
    /// The changes that the task made to its repository; `None` if there are no snapshots.
    pub changes: Option<Changes>,
}

impl TaskRecord {
    /// The first record of a task that begins at `now`.
    pub fn new(spec: &TaskSpec, now: DateTime<Utc>) -> Self {
        let now = now.trunc_subsecs(3);
        Self {
            format: RECORD_FORMAT,
            id: spec.id.clone(),
            from_original: false,
            start: TaskStart {
                task: spec.request.prompt.as_str().into(),
                sandbox: Some(spec.request.sandbox),
                started_at: now,
                timeout_ms: spec.policy.timeout.map(millis_of),
                resumed_from: spec.resumed_from.clone(),
                repository: spec.repository.clone(),
                submitter: spec.submitter.clone(),
                supervisor: None,
                log_file: None,
                result_file: None,
                debug_file: None,
            },
            progress: TaskProgress {
                backend: Some(spec.backend.name.clone()),
                working_directory: spec.request.working_directory.clone(),
                model: spec.request.model.clone().map(Untrusted::from),
                pid: None,
                command: None,
                agent_version: None,
                environment: BTreeMap::new(),
                stdout_bytes: 0,
                stderr_bytes: 0,
                last_activity_at: Some(now),
                last_activity_type: Some(ActivityKind::Started),
                heartbeat_count: 0,
                session_id: spec.request.resume.clone().map(Untrusted::from),
                fell_back: vec![],
                attempt: spec.attempt,
                agent: None,
                workspace: None,
            },
            end: None,
            resumption: Resumption::default(),
            standing: None,
        }
    }

    /// The task's status.
    pub fn status(&self) -> TaskStatus {
        self.end.as_ref().map_or(TaskStatus::Running, |end| end.status.into())
    }

    /// Whether the task has ended.
    pub fn is_final(&self) -> bool {
        self.end.is_some()
    }

    /// Whether the original program ran the task. Its files are never changed.
    pub fn is_original(&self) -> bool {
        self.format == 0 || self.from_original
    }

    /// One of the documented failure reasons; `None` if the task is running or has completed.
    pub fn failure_reason(&self) -> Option<&Untrusted> {
        self.end.as_ref()?.failure_reason.as_ref()
    }

    /// Whether the task was cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.failure_reason().is_some_and(|reason| *reason == *FailureReason::Cancelled.to_string())
    }

    /// Whether the agent was never started. The explanation in the record is then our own.
    pub fn did_not_start(&self) -> bool {
        self.failure_reason().is_some_and(|reason| reason.raw().ends_with("(spawn failed)"))
    }

    /// When the task ended; `None` while it runs, and in some records of the original program.
    pub fn completed_at(&self) -> Option<DateTime<Utc>> {
        self.end.as_ref()?.completed_at
    }

    /// The task's changes, if it is known to have changed a file.
    pub fn file_changes(&self) -> Option<&Changes> {
        self.end.as_ref()?.changes.as_ref().filter(|changes| changes.files > 0)
    }

    /// The agent's own words about its failure.
    pub fn agent_said(&self) -> Option<&Untrusted> {
        self.end.as_ref()?.agent_said.as_ref()
    }

    /// Tokens that the task's session had used when the task ended, if the agent reports a total.
    ///
    /// Up to version 2.0.0, `usage` held that total.
    pub fn session_total(&self) -> Option<Usage> {
        let end = self.end.as_ref()?;
        end.session_usage.or(end.usage)
    }

    /// The texts that may contain words of a caller or an agent, so that secrets can be redacted in them. The working
    /// directory is not among them, because a redacted path would be useless.
    ///
    /// This function and those for the three parts name every field, so that a new field cannot be forgotten.
    pub fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self { format: _, id: _, from_original: _, start, progress, end, resumption: _, standing: _ } = self;
        start
            .untrusted_texts()
            .chain(progress.untrusted_texts())
            .chain(end.iter_mut().flat_map(TaskEnd::untrusted_texts))
    }
}

impl TaskStart {
    fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            task,
            // Our own texts, paths, numbers, times, and names.
            sandbox: _,
            started_at: _,
            timeout_ms: _,
            resumed_from: _,
            repository: _,
            submitter: _,
            supervisor: _,
            log_file: _,
            result_file: _,
            debug_file: _,
        } = self;
        iter::once(task.raw_mut())
    }
}

impl TaskProgress {
    fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            model,
            command,
            agent_version,
            session_id,
            fell_back,
            // Our own texts, paths, numbers, times, and names.
            backend: _,
            working_directory: _,
            pid: _,
            environment: _,
            stdout_bytes: _,
            stderr_bytes: _,
            last_activity_at: _,
            last_activity_type: _,
            heartbeat_count: _,
            attempt: _,
            agent: _,
            // Names in a repository: redacted ones would be useless.
            workspace: _,
        } = self;
        [model, command, agent_version, session_id].into_iter().flatten().chain(fell_back).map(Untrusted::raw_mut)
    }
}

impl TaskEnd {
    /// The end of a task that ended at `now`, after it had run for `elapsed`.
    pub fn new(status: EndStatus, reason: Option<FailureReason>, now: DateTime<Utc>, elapsed: Duration) -> Self {
        Self {
            completed_at: Some(now.trunc_subsecs(3)),
            failure_reason: reason.map(|reason| reason.to_string().into()),
            duration: Some(millis_of(elapsed)),
            duration_formatted: Some(span(elapsed)),
            ..Self::bare(status)
        }
    }

    /// An end about which only the status is known.
    pub fn bare(status: EndStatus) -> Self {
        Self {
            status,
            completed_at: None,
            exit_code: None,
            exit_signal: None,
            failure_reason: None,
            agent_said: None,
            advice: None,
            turn_completed: false,
            warnings: vec![],
            duration: None,
            duration_formatted: None,
            result: None,
            usage: None,
            session_usage: None,
            changes: None,
        }
    }

    /// For an agent that reports the total of its session: moves that total from `usage` to `session_usage`, and sets
    /// `usage` to the tokens of this run. `before` is the total at the start of the run; if it is unknown, so is the
    /// run's share.
    pub fn count_since(&mut self, before: Option<Usage>) {
        self.session_usage = self.usage;
        self.usage = self.usage.zip(before).and_then(|(total, before)| total.since(before));
    }

    fn untrusted_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            failure_reason,
            agent_said,
            advice,
            result,
            warnings,
            // Our own texts, paths, numbers, times, and names.
            status: _,
            completed_at: _,
            exit_code: _,
            exit_signal: _,
            turn_completed: _,
            duration: _,
            duration_formatted: _,
            usage: _,
            session_usage: _,
            // Paths: redacted ones would be useless.
            changes: _,
        } = self;
        let warnings =
            warnings.iter_mut().flat_map(|warning| iter::once(&mut warning.message).chain(&mut warning.advice));
        [failure_reason, agent_said, advice, result].into_iter().flatten().map(Untrusted::raw_mut).chain(warnings)
    }
}

/// Identifies a process, even if its PID is reused later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessIdentity {
    /// The PID.
    pub pid: u32,
    /// When it started, in the operating system's unit (Linux: clock ticks since boot).
    pub start_time: u64,
    /// The ID of the boot during which it started.
    pub boot_id: String,
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
