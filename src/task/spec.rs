//! The spec: everything that a supervisor needs to know about its task.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use connector_api::{AgentRequest, BackendName, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ceiling, Policy, Submitter, TaskId, WorkspaceSpec};

/// The spec format that this version writes.
pub const SPEC_FORMAT: u32 = 1;

/// One task as submitted. It is the first line on its supervisor's stdin.
///
/// Contains no PID and no handle, so that another machine could carry it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSpec {
    /// [`SPEC_FORMAT`].
    pub format: u32,
    /// The task's ID.
    pub id: TaskId,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// The number of this attempt, starting at 1.
    pub attempt: u32,
    /// The request to the agent.
    pub request: AgentRequest,
    /// The backend that gets the request.
    pub backend: FrozenBackend,
    /// Deadlines and rules.
    pub policy: Policy,
    /// Limits on the size of the index.
    pub index: IndexLimits,
    /// Maximum number of tasks that run at once in this data directory; 0 means no limit.
    #[serde(default)]
    pub max_running: usize,
    /// The ceiling that the request must not exceed.
    #[serde(default)]
    pub ceiling: Ceiling,
    /// How the task treats its repository.
    #[serde(default)]
    pub workspace: WorkspaceSpec,
    /// Files outside the data directory that later servers and tasks trust: the configuration file, and the programs of
    /// the agents and of this server. A sandboxed agent must not be able to change them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_files: Vec<TrustedFile>,
    /// The task whose session this one resumes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<TaskId>,
    /// Tokens that the resumed session had used before this task, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_usage: Option<Usage>,
    /// The repository of the working directory at submit, as `directory::repository_of` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<PathBuf>,
    /// The task's submitter.
    #[serde(default)]
    pub submitter: Submitter,
    /// The backends that take over, in this order, if the first one cannot work at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
}

/// A file that the next server or task trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedFile {
    /// Its kind.
    pub kind: TrustedKind,
    /// Its absolute path. The file need not exist.
    pub path: PathBuf,
}

/// The kind of a trusted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrustedKind {
    /// The configuration file.
    Config,
    /// The program of an agent or of this server.
    Program,
}

/// A backend that takes over from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// The backend.
    pub backend: FrozenBackend,
    /// The ceiling for requests to this backend.
    pub ceiling: Ceiling,
}

/// A backend as configured at submit, complete enough to build it again in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenBackend {
    /// Its name in the configuration.
    pub name: BackendName,
    /// Its kind.
    pub kind: String,
    /// Its settings: a JSON object, without the kind.
    pub settings: Value,
}

/// How large the index may grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IndexLimits {
    /// Maximum number of ended tasks that it lists. Running tasks are always listed.
    pub entries: usize,
    /// Maximum number of characters of `task` and of `result` in one entry.
    pub text: usize,
}
