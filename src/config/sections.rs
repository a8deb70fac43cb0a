//! The settings as serde reads them. Only `config/default.toml` describes the keys and contains their defaults.

use std::{collections::BTreeMap, num::NonZeroUsize};

use connector_api::Sandbox;
use figment::error::Kind;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer,
    de::{Error, IntoDeserializer},
};
use serde_json::{Map, Value};

use super::{
    duration::{DurationLimit, DurationOrZero, PositiveDuration},
    server_exit::ServerExitRule,
    serving::{ExtraTool, OnCallEnd, TaskHandles},
    size::{LogSizeLimit, SizeLimit},
};
use crate::task::{CgroupUse, OnAgentExit, Parallel, Snapshots, TreeUse};

/// The whole configuration, with all layers merged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sections {
    pub(super) data_dir: String,
    #[schemars(with = "String")]
    pub(super) log_dir: Option<String>,
    #[serde(deserialize_with = "log_level")]
    #[schemars(schema_with = "log_levels")]
    pub(super) log_level: String,
    pub(super) tasks: TasksSection,
    pub(super) stopping: StoppingSection,
    pub(super) server: ServerSection,
    pub(super) tools: ToolsSection,
    pub(super) limits: LimitsSection,
    pub(super) logs: LogsSection,
    pub(super) retention: RetentionSection,
    pub(super) index: IndexSection,
    #[expect(dead_code, reason = "merged for each backend, in `ceilings`")]
    pub(super) ceiling: CeilingSection,
    pub(super) workspace: WorkspaceSection,
    pub(super) agent_env: AgentEnvSection,
    #[serde(default)]
    pub(super) backends: BTreeMap<String, Map<String, Value>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TasksSection {
    pub(super) default_backend: String,
    #[schemars(schema_with = "words_of::<Sandbox>")]
    pub(super) default_sandbox: Sandbox,
    pub(super) default_timeout: DurationLimit,
    pub(super) heartbeat_interval: PositiveDuration,
    pub(super) stall_warning_after: PositiveDuration,
    pub(super) stop_after_silence: DurationLimit,
    pub(super) give_up_offline: DurationLimit,
    pub(super) keep_events: bool,
    #[schemars(schema_with = "words_of::<ServerExitRule>")]
    pub(super) on_server_exit: ServerExitRule,
    #[schemars(schema_with = "words_of::<OnAgentExit>")]
    pub(super) on_agent_exit: OnAgentExit,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct StoppingSection {
    pub(super) interrupt_grace: DurationOrZero,
    pub(super) terminate_grace: DurationOrZero,
    #[schemars(schema_with = "words_of::<CgroupUse>")]
    pub(super) cgroup: CgroupUse,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ServerSection {
    #[schemars(schema_with = "words_of::<OnCallEnd>")]
    pub(super) on_call_cancelled: OnCallEnd,
    #[schemars(schema_with = "words_of::<OnCallEnd>")]
    pub(super) on_call_timed_out: OnCallEnd,
    #[schemars(schema_with = "words_of::<TaskHandles>")]
    pub(super) task_handles: TaskHandles,
    pub(super) channel: bool,
    pub(super) http: HttpSection,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct HttpSection {
    pub(super) allowed_hosts: Vec<String>,
    pub(super) allowed_origins: Vec<String>,
    pub(super) web: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolsSection {
    #[schemars(schema_with = "list_of::<ExtraTool>")]
    pub(super) extra: Vec<ExtraTool>,
    pub(super) per_backend: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexSection {
    pub(super) entries: NonZeroUsize,
    pub(super) text: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LimitsSection {
    pub(super) max_running: usize,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsSection {
    pub(super) max_bytes: LogSizeLimit,
    pub(super) redact: bool,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionSection {
    pub(super) max_age: DurationLimit,
    pub(super) max_tasks: usize,
    pub(super) max_bytes: SizeLimit,
}

/// The keys of `[ceiling]` and of `[backends.NAME.ceiling]`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CeilingSection {
    #[schemars(schema_with = "words_of::<Sandbox>")]
    pub(super) sandbox: Sandbox,
    pub(super) roots: Vec<String>,
    pub(super) timeout: DurationLimit,
    pub(super) models: Vec<String>,
}

/// The keys of `[workspace]`. `[backends.NAME.workspace]` has only the first two.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct WorkspaceSection {
    #[schemars(schema_with = "words_of::<Snapshots>")]
    pub(super) snapshots: Snapshots,
    #[schemars(schema_with = "words_of::<TreeUse>")]
    pub(super) tree: TreeUse,
    #[schemars(schema_with = "words_of::<Parallel>")]
    pub(super) parallel: Parallel,
    #[schemars(with = "String")]
    pub(super) trees_dir: Option<String>,
    pub(super) trees_max_bytes: SizeLimit,
    pub(super) max_file: SizeLimit,
    pub(super) symlink: Vec<String>,
}

/// The keys of [`EnvRules`](connector_api::EnvRules). They are copied into the settings of each backend.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AgentEnvSection {
    pub(super) pass: Vec<String>,
    pub(super) remove: Vec<String>,
    pub(super) set: BTreeMap<String, String>,
}

const LOG_LEVELS: &[&str] = &["off", "error", "warn", "info", "debug", "trace"];

fn log_level<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let level = String::deserialize(from)?;
    if LOG_LEVELS.contains(&level.as_str()) { Ok(level) } else { Err(D::Error::unknown_variant(&level, LOG_LEVELS)) }
}

fn log_levels(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "enum": LOG_LEVELS})
}

/// The schema of a list of words.
fn list_of<T: for<'de> Deserialize<'de>>(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "array", "items": words_of::<T>(generator)})
}

/// The schema of an enum of words. Serde lists the words in the error for an unknown one, which is provoked here.
fn words_of<T: for<'de> Deserialize<'de>>(_: &mut SchemaGenerator) -> Schema {
    let unknown: Result<T, figment::Error> = T::deserialize("?".into_deserializer());
    let words = match unknown.map_err(|error| error.kind) {
        Err(Kind::UnknownVariant(_, words)) => words,
        _ => &[],
    };
    json_schema!({"type": "string", "enum": words})
}
