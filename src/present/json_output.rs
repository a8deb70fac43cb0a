//! The output of `--json`: one object per command, or, for streams, one object per line.
//!
//! Every object has the fields `schema`, which names this format, and `type`, which names the kind of object. The
//! format is stable: later versions of it may add fields and types, but rename and remove none. `codex-connector schema
//! --output` prints its JSON Schema.
//!
//! Text from outside is exact, because programs need exact values; only secrets are redacted. Control characters and
//! invisible characters are written as JSON escapes, so that the output is safe on a terminal too.

use std::path::{Path, PathBuf};

use chrono::{DateTime, SecondsFormat, Utc};
use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{
    command_line::escaped_json,
    json_changes::{DiffObject, OperationObject},
    json_parts::{CheckObject, DeepCheckObject, ProblemObject, SettingObject, Tokens, TotalObject},
    json_workspace::{ChangesObject, WorkspaceObject},
};
use crate::task::{Outcome, SubmittedBy, Summaries, TaskRecord, TaskState, TaskSummary, Untrusted};

/// The name of the format.
const SCHEMA: &str = "codex-connector/1";

/// One object of output.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub(crate) enum Output {
    /// Whether tasks can run (`check`).
    Check(CheckObject),
    /// The capabilities of an agent (`check --deep`).
    DeepCheck(DeepCheckObject),
    /// The end of a task (`run`, `resume`, `watch` and `wait`).
    Ended {
        /// The task.
        task: Box<Task>,
        /// The agent's final message; null if there is none. The middle of a long one is left out.
        result: Option<String>,
    },
    /// The settings in force (`config show`).
    Config {
        /// The path of the configuration file; null if it is unknown.
        file: Option<String>,
        /// Whether that file exists.
        exists: bool,
        /// The valid settings, ordered by key.
        settings: Vec<SettingObject>,
        /// The problems of an invalid configuration. The settings that cause them are left out.
        problems: Vec<ProblemObject>,
    },
    /// The changes of a task (`diff`).
    Diff(Box<DiffObject>),
    /// One entry of a task's timeline (`run`, `resume`, `watch` and `logs --events`; a stream).
    Event {
        /// The task's ID.
        id: String,
        /// The entry's number, which increases from entry to entry.
        seq: u64,
        /// When it was written.
        at: String,
        /// The kind of the event, e.g. `command_started`. Later versions may add kinds.
        kind: String,
        /// The fields of this kind of event, as in the timeline.
        event: Map<String, Value>,
    },
    /// A task was started (`run` and `resume`).
    Started {
        /// The task.
        task: Box<Task>,
    },
    /// One line of a task's log (`logs`; a stream).
    LogLine {
        /// The task's ID.
        id: String,
        /// When the entry was written that begins with this line; null if the line continues an entry.
        at: Option<String>,
        /// The line, without the time.
        text: String,
    },
    /// The result of an undo, a redo or an apply, or of its check (`undo`, `redo` and `apply`).
    Operation(Box<OperationObject>),
    /// The tasks that were removed, or would be (`rm` and `prune`).
    Removed {
        /// Their IDs.
        ids: Vec<String>,
        /// Whether nothing was removed, because of `--dry-run`.
        dry_run: bool,
    },
    /// A list of tasks (`ls`, and `wait` on timeout: the tasks that have not ended).
    Tasks {
        /// The tasks, newest first.
        tasks: Vec<Task>,
        /// The number of all tasks that the filters select; the list may be shorter.
        total: usize,
        /// Whether older tasks may be missing, because the index of a long history is being built.
        partial: bool,
        /// The repository to which the list is limited; null if it is not.
        repository: Option<String>,
    },
    /// One task (`show`, and `cancel`, which prints one line per task).
    Task {
        /// The task.
        task: Box<Task>,
    },
    /// The tokens that tasks used (`usage`).
    Usage {
        /// How the tasks are grouped: `day`, `backend`, `model` or `repo`.
        by: String,
        /// Each group; days from the oldest to the newest, other groups from the most tokens to the fewest.
        groups: Vec<TotalObject>,
        /// The total of all groups.
        total: TotalObject,
        /// The repository to which the totals are limited; null if they are not.
        repository: Option<String>,
    },
}

/// A task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Task {
    /// Its ID: eight hex digits.
    id: String,
    /// Whether it has ended.
    state: State,
    /// How it ended; null until then.
    outcome: Option<End>,
    /// The prompt. In lists, the middle of a long one is left out.
    task: String,
    /// The documented failure reason; null if the task has not failed.
    reason: Option<String>,
    /// The agent's own words about a failure.
    explanation: Option<String>,
    /// Advice on how to fix a failure.
    advice: Option<String>,
    /// Caveats about the run that its outcome does not show.
    warnings: Vec<String>,
    /// The name of the backend.
    backend: Option<String>,
    /// The requested model.
    model: Option<String>,
    /// The version of the agent's program.
    agent_version: Option<String>,
    /// The sandbox.
    sandbox: Option<String>,
    /// The working directory.
    directory: String,
    /// The repository: git's common directory, or, outside git, the working directory. Null for tasks of old versions.
    repository: Option<String>,
    /// The agent's own ID for its session.
    session: Option<String>,
    /// The task whose session this one resumes.
    resumed_from: Option<String>,
    /// How the task was submitted; null for tasks of old versions.
    submitted_by: Option<String>,
    /// When it began (RFC 3339, UTC).
    started_at: String,
    /// When it ended.
    ended_at: Option<String>,
    /// How long it ran, or has been running, in milliseconds.
    duration_ms: u64,
    /// Its time limit in milliseconds; null for none.
    time_limit_ms: Option<u64>,
    /// The agent's exit code.
    exit_code: Option<i32>,
    /// The name of the signal that ended the agent.
    exit_signal: Option<String>,
    /// The current activity of a running task.
    activity: Option<Activity>,
    /// Tokens that this run used.
    usage: Option<Tokens>,
    /// The changes in its repository; null until it ends, and if that is unknown.
    changes: Option<ChangesObject>,
    /// The repository when the task began; null if nothing is known about it, as for tasks that cannot change files.
    workspace: Option<WorkspaceObject>,
    /// The paths of the task's files.
    links: Links,
}

/// Whether a task has ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum State {
    /// It waits for other tasks.
    Queued,
    /// Its agent is working.
    Running,
    /// It has ended.
    Ended,
}

/// How a task ended.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum End {
    /// The agent did the work.
    Completed,
    /// The agent failed.
    Failed,
    /// It was cancelled.
    Cancelled,
    /// It reached its time limit, or the limit on silence.
    TimedOut,
    /// It lost its server, its supervisor or its machine.
    Interrupted,
}

/// The current activity of a running task.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Activity {
    /// The kind of the agent's newest step, as in the timeline, e.g. `command_started`; `network` while the agent only
    /// waits for the network; null before the first step.
    kind: Option<String>,
    /// That step in one line, or the agent's words about the network.
    detail: Option<String>,
    /// When it happened, or when the wait for the network began.
    at: Option<String>,
    /// The problem that the agent is trying to recover from, such as a lost connection.
    trouble: Option<String>,
    /// When the agent last wrote anything.
    last_output_at: Option<String>,
}

/// The paths of a task's files. A file may not exist.
#[derive(Debug, Serialize, JsonSchema)]
struct Links {
    /// The log.
    log: Option<String>,
    /// The final message.
    result: Option<String>,
    /// The record.
    record: Option<String>,
}

impl Output {
    /// A list of tasks at `now`.
    pub(crate) fn tasks(found: &Summaries, repository: Option<&Path>, now: DateTime<Utc>) -> Self {
        Self::Tasks {
            tasks: found.tasks.iter().map(|task| Task::of(task, now)).collect(),
            total: found.total,
            partial: found.is_partial,
            repository: repository.map(text_of),
        }
    }

    /// One task at `now`.
    pub(crate) fn task(task: &TaskSummary, now: DateTime<Utc>) -> Self {
        Self::Task { task: Box::new(Task::of(task, now)) }
    }

    /// The object as several lines, for a command that prints only this.
    pub(crate) fn pretty(&self) -> String {
        escaped_json(&serde_json::to_string_pretty(&self.object()).unwrap_or_default())
    }

    /// The object as one line, for a stream.
    pub(crate) fn line(&self) -> String {
        escaped_json(&self.object().to_string())
    }

    fn object(&self) -> Value {
        let mut object = Map::from_iter([("schema".to_owned(), SCHEMA.into())]);
        if let Ok(Value::Object(fields)) = serde_json::to_value(self) {
            object.extend(fields);
        }
        Value::Object(object)
    }
}

/// The JSON Schema of the output.
pub(crate) fn schema() -> Value {
    let mut schema = Schema::to_value(schema_for!(Output));
    for kind in schema["oneOf"].as_array_mut().into_iter().flatten() {
        kind["properties"]["schema"] = json!({"const": SCHEMA, "description": "The name of this format."});
        if let Some(required) = kind["required"].as_array_mut() {
            required.push("schema".into());
        }
    }
    schema["title"] = "The output of codex-connector with --json".into();
    schema["description"] = "One object per command, or one per line of a stream.".into();
    schema
}

impl Task {
    pub(super) fn of(task: &TaskSummary, now: DateTime<Utc>) -> Self {
        let TaskRecord { start, progress, end, id, .. } = &task.record;
        let end = end.as_ref();
        let elapsed = super::terminal::elapsed(task, now);
        let path = |path: &Option<PathBuf>| path.as_deref().map(text_of);
        Self {
            id: id.to_string(),
            state: task.state.into(),
            outcome: Outcome::of(&task.record).map(End::from),
            task: start.task.raw().to_owned(),
            reason: text(task.record.failure_reason()),
            explanation: text(end.and_then(|end| end.agent_said.as_ref())),
            advice: text(end.and_then(|end| end.advice.as_ref())),
            warnings: end.into_iter().flat_map(|end| &end.warnings).map(|warning| warning.message.clone()).collect(),
            backend: progress.backend.as_ref().map(ToString::to_string),
            model: text(progress.model.as_ref()),
            agent_version: text(progress.agent_version.as_ref()),
            sandbox: start.sandbox.map(|sandbox| sandbox.as_str().to_owned()),
            directory: text_of(&progress.working_directory),
            repository: path(&start.repository),
            session: text(progress.session_id.as_ref()),
            resumed_from: start.resumed_from.as_ref().map(ToString::to_string),
            submitted_by: start.submitter.by.map(|by| submitted_by(by).to_owned()),
            started_at: time(start.started_at),
            ended_at: task.record.completed_at().map(time),
            duration_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
            time_limit_ms: start.timeout_ms.filter(|millis| *millis > 0),
            exit_code: end.and_then(|end| end.exit_code),
            exit_signal: end.and_then(|end| end.exit_signal.clone()),
            activity: (task.state != TaskState::Ended).then(|| Activity::of(task)),
            usage: end.and_then(|end| end.usage).map(Tokens::from),
            changes: end
                .and_then(|end| end.changes.as_ref())
                .map(|changes| ChangesObject::of(changes, task.record.standing.as_ref())),
            workspace: progress.workspace.as_ref().map(WorkspaceObject::of),
            links: Links {
                log: path(&start.log_file),
                result: path(&start.result_file),
                record: path(&start.debug_file),
            },
        }
    }
}

impl Activity {
    fn of(task: &TaskSummary) -> Self {
        let kind = |entry: &crate::task::TimelineEntry| {
            Some(serde_json::to_value(&entry.event).ok()?["kind"].as_str()?.to_owned())
        };
        let trouble = text(task.trouble.as_ref().map(|trouble| &trouble.text));
        let offline_since = task.trouble.as_ref().and_then(|trouble| trouble.offline_since);
        let (kind, detail, at) = match (offline_since, &task.step) {
            (Some(since), _) => (Some("network".to_owned()), trouble.clone(), Some(since)),
            (None, Some(step)) => (kind(step), step.event.headline(), Some(step.at)),
            (None, None) => (None, None, None),
        };
        Self {
            kind,
            detail,
            at: at.map(time),
            trouble,
            last_output_at: task.record.progress.last_activity_at.map(time),
        }
    }
}

impl From<TaskState> for State {
    fn from(state: TaskState) -> Self {
        match state {
            TaskState::Queued => Self::Queued,
            TaskState::Running => Self::Running,
            TaskState::Ended => Self::Ended,
        }
    }
}

impl From<Outcome> for End {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Completed => Self::Completed,
            Outcome::Failed => Self::Failed,
            Outcome::Cancelled => Self::Cancelled,
            Outcome::TimedOut => Self::TimedOut,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

fn submitted_by(by: SubmittedBy) -> &'static str {
    match by {
        SubmittedBy::Call => "call",
        SubmittedBy::Async => "async",
        SubmittedBy::Handle => "handle",
        SubmittedBy::Terminal => "terminal",
        SubmittedBy::Detached => "detached",
    }
}

fn text(text: Option<&Untrusted>) -> Option<String> {
    text.map(|text| text.raw().to_owned())
}

fn text_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

pub(super) fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
