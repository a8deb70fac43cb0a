//! What is known of a task: its record, and the live view of it while it runs.
//!
//! The JSON names are the documented ones; what the first version of the program did not write is optional when read.

use std::{collections::BTreeMap, fmt, iter, path::PathBuf, time::Duration};

use chrono::{DateTime, SubsecRound, Utc};
use connector_api::{BackendName, Sandbox, Usage, Warning};
use serde::{Deserialize, Serialize};

use super::{FailureReason, TaskId, TaskSpec, TaskStatus, millis_of, span};

/// The format of a record that this version writes. A record without a number was written by the original program.
pub const RECORD_FORMAT: u32 = 1;

/// The record of one task: `logs/<id>.debug.json`, and with cut texts an entry of `tasks.json`.
///
/// Times are UTC; durations and `timeoutMs` are milliseconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRecord {
    /// [`RECORD_FORMAT`]; 0 where the original program wrote the record.
    #[serde(default)]
    pub format: u32,
    /// The task's id.
    pub id: TaskId,
    /// The prompt.
    #[serde(default)]
    pub task: String,
    /// Which backend runs it.
    #[serde(default)]
    pub backend: Option<BackendName>,
    /// What the agent may touch.
    #[serde(default)]
    pub sandbox: Option<Sandbox>,
    /// Where the agent works.
    #[serde(default)]
    pub working_directory: PathBuf,
    /// The model asked for.
    #[serde(default)]
    pub model: Option<String>,
    /// Where the task stands.
    pub status: TaskStatus,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    #[serde(default)]
    pub completed_at: Option<DateTime<Utc>>,
    /// The agent's process.
    #[serde(default)]
    pub pid: Option<u32>,
    /// The agent's command line, quoted as for a shell.
    #[serde(default)]
    pub command: Option<String>,
    /// The agent's version, as probed.
    #[serde(default)]
    pub agent_version: Option<String>,
    /// Names of environment variables: `set`, `not set` or `removed`. Never a value.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Bytes that the agent wrote to stdout.
    #[serde(default)]
    pub stdout_bytes: u64,
    /// Bytes that the agent wrote to stderr.
    #[serde(default)]
    pub stderr_bytes: u64,
    /// When the agent last wrote anything, or began.
    #[serde(default)]
    pub last_activity_at: Option<DateTime<Utc>>,
    /// What that was.
    #[serde(default)]
    pub last_activity_type: Option<ActivityKind>,
    /// Heartbeats so far.
    #[serde(default)]
    pub heartbeat_count: u64,
    /// The task's time limit; null or 0 for none.
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// The agent's exit code.
    #[serde(default)]
    pub exit_code: Option<i32>,
    /// The name of the signal that ended the agent.
    #[serde(default)]
    pub exit_signal: Option<String>,
    /// One of the documented reasons.
    #[serde(default)]
    pub failure_reason: Option<String>,
    /// What the agent itself said about its failure.
    #[serde(default)]
    pub agent_said: Option<String>,
    /// What the user can do about the failure.
    #[serde(default)]
    pub advice: Option<String>,
    /// Whether the agent completed its turn before it exited with an error.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turn_completed: bool,
    /// Caveats about the run that its status does not show.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Warning>,
    /// How long the task ran, in milliseconds.
    #[serde(default)]
    pub duration: Option<u64>,
    /// The same for people.
    #[serde(default)]
    pub duration_formatted: Option<String>,
    /// The agent's final message, cut in the middle when it is long; the result file has it whole.
    #[serde(default)]
    pub result: Option<String>,
    /// The agent's own id for its session.
    #[serde(default)]
    pub session_id: Option<String>,
    /// Which backends could not work at all before this one, and why, in words for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fell_back: Vec<String>,
    /// The task whose session this one goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<TaskId>,
    /// Tokens that this run used.
    #[serde(default)]
    pub usage: Option<Usage>,
    /// Tokens that the resumed session has used so far, if the agent reports that total.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_usage: Option<Usage>,
    /// Whether the original program ran it: then its files are the original's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub from_original: bool,
    /// Which try at this task this is, from 1.
    #[serde(default)]
    pub attempt: u32,
    /// Who runs it.
    #[serde(default)]
    pub supervisor: Option<ProcessIdentity>,
    /// The agent's process, beyond its pid.
    #[serde(default)]
    pub agent: Option<ProcessIdentity>,
    /// The log.
    #[serde(default)]
    pub log_file: Option<PathBuf>,
    /// The result file.
    #[serde(default)]
    pub result_file: Option<PathBuf>,
    /// This record's own file.
    #[serde(default)]
    pub debug_file: Option<PathBuf>,
}

impl TaskRecord {
    /// The texts in it that may hold words of a caller or an agent. Not the working directory: it has to lead there.
    ///
    /// Every field is named here, so that a new one is not forgotten.
    pub fn foreign_texts(&mut self) -> impl Iterator<Item = &mut String> {
        let Self {
            task,
            model,
            command,
            agent_version,
            failure_reason,
            agent_said,
            advice,
            result,
            session_id,
            fell_back,
            warnings,
            // Ours, or numbers, times and names from a list.
            format: _,
            id: _,
            backend: _,
            sandbox: _,
            working_directory: _,
            status: _,
            started_at: _,
            completed_at: _,
            pid: _,
            environment: _,
            stdout_bytes: _,
            stderr_bytes: _,
            last_activity_at: _,
            last_activity_type: _,
            heartbeat_count: _,
            timeout_ms: _,
            exit_code: _,
            exit_signal: _,
            duration: _,
            duration_formatted: _,
            resumed_from: _,
            turn_completed: _,
            usage: _,
            session_usage: _,
            from_original: _,
            attempt: _,
            supervisor: _,
            agent: _,
            log_file: _,
            result_file: _,
            debug_file: _,
        } = self;
        let optional = [model, command, agent_version, failure_reason, agent_said, advice, result, session_id];
        let warnings =
            warnings.iter_mut().flat_map(|warning| iter::once(&mut warning.message).chain(&mut warning.advice));
        iter::once(task).chain(optional.into_iter().flatten()).chain(fell_back).chain(warnings)
    }

    /// The first record of a task that begins at `now`.
    pub fn begun(spec: &TaskSpec, now: DateTime<Utc>) -> Self {
        let now = now.trunc_subsecs(3);
        Self {
            format: RECORD_FORMAT,
            id: spec.id.clone(),
            task: spec.request.prompt.clone(),
            backend: Some(spec.backend.name.clone()),
            sandbox: Some(spec.request.sandbox),
            working_directory: spec.request.working_directory.clone(),
            model: spec.request.model.clone(),
            status: TaskStatus::Running,
            started_at: now,
            completed_at: None,
            pid: None,
            command: None,
            agent_version: None,
            environment: BTreeMap::new(),
            stdout_bytes: 0,
            stderr_bytes: 0,
            last_activity_at: Some(now),
            last_activity_type: Some(ActivityKind::Started),
            heartbeat_count: 0,
            timeout_ms: spec.policy.timeout.map(millis_of),
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
            session_id: spec.request.resume.clone(),
            resumed_from: spec.resumed_from.clone(),
            fell_back: vec![],
            usage: None,
            session_usage: None,
            from_original: false,
            attempt: spec.attempt,
            supervisor: None,
            agent: None,
            log_file: None,
            result_file: None,
            debug_file: None,
        }
    }

    /// Tokens that this task's session had used when it ended, for agents that report a total.
    ///
    /// Up to version 2.0.0, `usage` held that total.
    pub fn session_total(&self) -> Option<Usage> {
        self.session_usage.or(self.usage)
    }

    /// Splits a reported session total into the session's and this run's tokens. `before` is the total at the start of the
    /// run; if it is unknown, so is the run's share.
    pub fn count_since(&mut self, before: Option<Usage>) {
        self.session_usage = self.usage;
        self.usage = self.usage.zip(before).and_then(|(total, before)| total.since(before));
    }

    /// Ends the task at `now`, after it ran for `ran`.
    pub fn end(&mut self, status: TaskStatus, reason: Option<FailureReason>, now: DateTime<Utc>, ran: Duration) {
        self.status = status;
        self.failure_reason = reason.map(|reason| reason.to_string());
        self.completed_at = Some(now.trunc_subsecs(3));
        self.duration = Some(millis_of(ran));
        self.duration_formatted = Some(span(ran));
    }
}

/// What an agent did last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ActivityKind {
    /// It was started, and wrote nothing yet.
    Started,
    /// It wrote to stdout.
    Stdout,
    /// It wrote to stderr.
    Stderr,
}

impl fmt::Display for ActivityKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Started => "started",
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        })
    }
}

/// A process that cannot be mistaken for a later one with the same pid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessIdentity {
    /// The pid.
    pub pid: u32,
    /// When it started, in the operating system's own count (Linux: clock ticks since boot).
    pub start_time: u64,
    /// Which boot of the machine that was.
    pub boot_id: String,
}

/// What changes from moment to moment while a task runs: `run/<id>/live.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiveView {
    /// [`RECORD_FORMAT`].
    pub format: u32,
    /// What the supervisor is doing, in words for people: `working`, `stopping: cancelled`.
    pub phase: String,
    /// The last thing the agent did, in one line.
    pub last_event: Option<String>,
    /// What the agent is trying to get over, such as a lost connection; gone once it does anything else.
    pub trouble: Option<String>,
    /// Bytes that the agent wrote to stdout.
    pub stdout_bytes: u64,
    /// Bytes that the agent wrote to stderr.
    pub stderr_bytes: u64,
    /// When the agent last wrote anything, or began.
    pub last_activity_at: DateTime<Utc>,
    /// What that was.
    pub last_activity_type: ActivityKind,
    /// Heartbeats so far.
    pub heartbeat_count: u64,
}

impl LiveView {
    /// The texts in it that may hold words of an agent.
    pub fn foreign_texts(&mut self) -> impl Iterator<Item = &mut String> {
        iter::once(&mut self.phase).chain(&mut self.last_event).chain(&mut self.trouble)
    }

    /// Brings a running task's record up to this moment.
    pub fn overlay(&self, record: &mut TaskRecord) {
        record.stdout_bytes = self.stdout_bytes;
        record.stderr_bytes = self.stderr_bytes;
        record.last_activity_at = Some(self.last_activity_at.trunc_subsecs(3));
        record.last_activity_type = Some(self.last_activity_type);
        record.heartbeat_count = self.heartbeat_count;
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
