//! The record on disk: one flat JSON object with the documented names in the documented order.
//!
//! Reading is lenient, because records of the original program and of every later version must stay readable: fields
//! that some of them did not write are optional, and unknown names are ignored. If the status says that the task is
//! running, fields about its end are ignored too.

use std::{collections::BTreeMap, path::PathBuf};

use chrono::{DateTime, Utc};
use connector_api::{BackendName, Sandbox, Usage, Warning};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use super::{
    ActivityKind, Changes, Resumption, Submitter, TaskEnd, TaskId, TaskProgress, TaskRecord, TaskStart, TaskStatus,
    Untrusted, WorkspaceState, record::ProcessIdentity,
};

/// The fields of the file. Each is documented where it is used: in [`TaskRecord`] and its parts.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RecordFile {
    #[serde(default)]
    format: u32,
    id: TaskId,
    #[serde(default)]
    task: Untrusted,
    #[serde(default)]
    backend: Option<BackendName>,
    #[serde(default)]
    sandbox: Option<Sandbox>,
    #[serde(default)]
    working_directory: PathBuf,
    #[serde(default)]
    model: Option<Untrusted>,
    status: TaskStatus,
    started_at: DateTime<Utc>,
    #[serde(default)]
    completed_at: Option<DateTime<Utc>>,
    #[serde(default)]
    pid: Option<u32>,
    #[serde(default)]
    command: Option<Untrusted>,
    #[serde(default)]
    agent_version: Option<Untrusted>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    #[serde(default)]
    stdout_bytes: u64,
    #[serde(default)]
    stderr_bytes: u64,
    #[serde(default)]
    last_activity_at: Option<DateTime<Utc>>,
    #[serde(default)]
    last_activity_type: Option<ActivityKind>,
    #[serde(default)]
    heartbeat_count: u64,
    #[serde(default)]
    timeout_ms: Option<u64>,
    #[serde(default)]
    exit_code: Option<i32>,
    #[serde(default)]
    exit_signal: Option<String>,
    #[serde(default)]
    failure_reason: Option<Untrusted>,
    #[serde(default)]
    agent_said: Option<Untrusted>,
    #[serde(default)]
    advice: Option<Untrusted>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    turn_completed: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<Warning>,
    #[serde(default)]
    duration: Option<u64>,
    #[serde(default)]
    duration_formatted: Option<String>,
    #[serde(default)]
    result: Option<Untrusted>,
    #[serde(default)]
    session_id: Option<Untrusted>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fell_back: Vec<Untrusted>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    resumed_from: Option<TaskId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Submitter::is_unknown")]
    submitter: Submitter,
    #[serde(default)]
    usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    session_usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    from_original: bool,
    #[serde(default, deserialize_with = "if_valid", skip_serializing_if = "Option::is_none")]
    workspace: Option<WorkspaceState>,
    #[serde(default, deserialize_with = "if_valid", skip_serializing_if = "Option::is_none")]
    changes: Option<Changes>,
    #[serde(default)]
    attempt: u32,
    #[serde(default)]
    supervisor: Option<ProcessIdentity>,
    #[serde(default)]
    agent: Option<ProcessIdentity>,
    #[serde(default)]
    log_file: Option<PathBuf>,
    #[serde(default)]
    result_file: Option<PathBuf>,
    #[serde(default)]
    debug_file: Option<PathBuf>,
}

#[cfg(test)]
impl TaskRecord {
    /// The same record with these fields of its file replaced.
    pub(crate) fn with(self, fields: serde_json::Value) -> Self {
        let mut file = serde_json::to_value(self).expect("a record has only string keys");
        let serde_json::Value::Object(fields) = fields else { panic!("fields are an object") };
        file.as_object_mut().expect("a record is an object").extend(fields);
        serde_json::from_value(file).expect("the fields are those of a record")
    }
}

impl Serialize for TaskRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RecordFile::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TaskRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        RecordFile::deserialize(deserializer).map(Self::from)
    }
}

/// Reads a value of a later kind. If it has another form than this version knows, or was damaged, the record is read
/// without it.
fn if_valid<'de, T: DeserializeOwned, D: Deserializer<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).ok())
}

impl From<RecordFile> for TaskRecord {
    fn from(file: RecordFile) -> Self {
        let end = file.status.end().map(|status| TaskEnd {
            status,
            completed_at: file.completed_at,
            exit_code: file.exit_code,
            exit_signal: file.exit_signal,
            failure_reason: file.failure_reason,
            agent_said: file.agent_said,
            advice: file.advice,
            turn_completed: file.turn_completed,
            warnings: file.warnings,
            duration: file.duration,
            duration_formatted: file.duration_formatted,
            result: file.result,
            usage: file.usage,
            session_usage: file.session_usage,
            changes: file.changes,
        });
        let start = TaskStart {
            task: file.task,
            sandbox: file.sandbox,
            started_at: file.started_at,
            timeout_ms: file.timeout_ms,
            resumed_from: file.resumed_from,
            repository: file.repository,
            submitter: file.submitter,
            supervisor: file.supervisor,
            log_file: file.log_file,
            result_file: file.result_file,
            debug_file: file.debug_file,
        };
        let progress = TaskProgress {
            backend: file.backend,
            working_directory: file.working_directory,
            model: file.model,
            pid: file.pid,
            command: file.command,
            agent_version: file.agent_version,
            environment: file.environment,
            stdout_bytes: file.stdout_bytes,
            stderr_bytes: file.stderr_bytes,
            last_activity_at: file.last_activity_at,
            last_activity_type: file.last_activity_type,
            heartbeat_count: file.heartbeat_count,
            session_id: file.session_id,
            fell_back: file.fell_back,
            attempt: file.attempt,
            agent: file.agent,
            workspace: file.workspace,
        };
        let resumption = Resumption::default();
        let (format, id, from_original) = (file.format, file.id, file.from_original);
        Self { format, id, from_original, start, progress, end, resumption, standing: None }
    }
}

impl From<TaskRecord> for RecordFile {
    fn from(record: TaskRecord) -> Self {
        let status = record.status();
        let TaskRecord { format, id, from_original, start, progress, end, resumption: _, standing: _ } = record;
        // For a task that has not ended, the fields about its end are written without values.
        let (completed_at, exit_code, exit_signal, failure_reason, agent_said, advice) = Default::default();
        let (turn_completed, warnings, duration, duration_formatted, result) = Default::default();
        let (usage, session_usage, changes) = Default::default();
        let file = Self {
            status,
            format,
            id,
            from_original,
            task: start.task,
            sandbox: start.sandbox,
            started_at: start.started_at,
            timeout_ms: start.timeout_ms,
            resumed_from: start.resumed_from,
            repository: start.repository,
            submitter: start.submitter,
            supervisor: start.supervisor,
            log_file: start.log_file,
            result_file: start.result_file,
            debug_file: start.debug_file,
            backend: progress.backend,
            working_directory: progress.working_directory,
            model: progress.model,
            pid: progress.pid,
            command: progress.command,
            agent_version: progress.agent_version,
            environment: progress.environment,
            stdout_bytes: progress.stdout_bytes,
            stderr_bytes: progress.stderr_bytes,
            last_activity_at: progress.last_activity_at,
            last_activity_type: progress.last_activity_type,
            heartbeat_count: progress.heartbeat_count,
            session_id: progress.session_id,
            fell_back: progress.fell_back,
            attempt: progress.attempt,
            agent: progress.agent,
            workspace: progress.workspace,
            completed_at,
            exit_code,
            exit_signal,
            failure_reason,
            agent_said,
            advice,
            turn_completed,
            warnings,
            duration,
            duration_formatted,
            result,
            usage,
            session_usage,
            changes,
        };
        match end {
            None => file,
            Some(end) => Self {
                completed_at: end.completed_at,
                exit_code: end.exit_code,
                exit_signal: end.exit_signal,
                failure_reason: end.failure_reason,
                agent_said: end.agent_said,
                advice: end.advice,
                turn_completed: end.turn_completed,
                warnings: end.warnings,
                duration: end.duration,
                duration_formatted: end.duration_formatted,
                result: end.result,
                usage: end.usage,
                session_usage: end.session_usage,
                changes: end.changes,
                ..file
            },
        }
    }
}
