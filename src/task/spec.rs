//! Everything a supervisor is told about its task.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use connector_api::{AgentRequest, BackendName, Usage};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Ceiling, Policy, TaskId};

/// The format of a spec that this version writes.
pub const SPEC_FORMAT: u32 = 1;

/// One task as it was submitted: the first line of its supervisor's stdin.
///
/// Holds no pid, no handle, and no path but the working directory, so that it could be carried out on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TaskSpec {
    /// [`SPEC_FORMAT`].
    pub format: u32,
    /// The task's id.
    pub id: TaskId,
    /// When it was submitted.
    pub submitted_at: DateTime<Utc>,
    /// Which try at this task this is, from 1.
    pub attempt: u32,
    /// What the agent is asked.
    pub request: AgentRequest,
    /// Which agent is asked.
    pub backend: FrozenBackend,
    /// Deadlines and rules.
    pub policy: Policy,
    /// How much of the task goes into the index.
    pub index: IndexLimits,
    /// The most tasks that run at once on this data directory; 0 is no limit.
    #[serde(default)]
    pub max_running: usize,
    /// What the request must stay below.
    #[serde(default)]
    pub ceiling: Ceiling,
    /// Files outside of the data directory that later servers and tasks trust: the configuration file, and the programs of
    /// the agents and of this server. An agent in a sandbox must not be able to change them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_files: Vec<TrustedFile>,
    /// The task whose session this one goes on with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed_from: Option<TaskId>,
    /// Tokens that the resumed session had used before this task, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_usage: Option<Usage>,
    /// Who gets the task, in this order, when the backend cannot work at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fallbacks: Vec<Fallback>,
}

/// A file that is trusted by the next server or task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrustedFile {
    /// Its kind.
    pub kind: TrustedKind,
    /// Its absolute path. There need not be a file.
    pub path: PathBuf,
}

/// The kind of a trusted file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TrustedKind {
    /// The configuration file.
    Config,
    /// The program of an agent, or this one.
    Program,
}

/// A backend that stands in for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fallback {
    /// The backend.
    pub backend: FrozenBackend,
    /// What the request must stay below there.
    pub ceiling: Ceiling,
}

/// A backend as configured at submit: enough to build it again in another process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FrozenBackend {
    /// The name it is configured under.
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
    /// The newest tasks that it lists; running ones are listed beyond this number.
    pub entries: usize,
    /// The most characters of `task` and of `result` in one entry.
    pub text: usize,
}
