//! The contract between codex-connector and the coding agents it drives.
//!
//! A backend is a translator, not a runner. It knows how to ask an installed agent what it can do ([`ProbeCommand`]),
//! turns an [`AgentRequest`] into a command line ([`Launch`]), and turns the agent's output into [`AgentEvent`]s and a
//! [`Verdict`]. It never spawns, waits, signals, sleeps, or touches files: the supervisor of codex-connector does that,
//! in the same way for every agent.
//!
//! To add an agent, implement [`AgentBackend`], [`AgentSession`] and [`BackendKind`], describe its settings with
//! [`ProgramRules`], and run the contract tests on it with [`contract_tests!`].
//!
//! With the feature `schemars1`, [`EnvRules`] can be a field of settings that derive their schema with schemars 1.

mod backend;
mod cause;
mod chunks;
pub mod contract;
mod environment;
mod event;
mod exit_deadline;
mod failure;
mod final_message;
mod json_fields;
mod json_line;
pub mod json_rpc;
mod launch;
mod name;
mod name_pattern;
mod nearest;
mod probe;
mod program_settings;
mod request;
mod reserved_options;
mod sandbox;
mod sandbox_failure;
mod session;
mod settings;
mod tail;
mod terminal;
mod unfinished_items;
mod warning;

pub use backend::{AgentBackend, BackendKind, Capabilities, OpenArea};
pub use cause::Cause;
pub use chunks::Chunks;
pub use environment::EnvRules;
pub use event::{AgentEvent, CommandStatus, FileChange, FileChangeKind, TodoItem, Usage, UsageScope};
pub use exit_deadline::ExitDeadline;
pub use failure::{FailureRow, FailureTable, Pattern, advice};
pub use final_message::FinalMessage;
pub use json_fields::{JsonFields, JsonFieldsOf, JsonText, read_fields};
pub use json_line::{JsonLine, JsonObject, JsonReader, SplitSurrogates};
pub use json_rpc::{JsonRpc, RpcError, RpcMessage};
pub use launch::{Launch, PromptDelivery, StopSignal, Unsupported};
pub use name::{BackendName, BadName};
pub use name_pattern::NamePattern;
pub use nearest::nearest;
pub use probe::{Exit, Installed, Login, ProbeAnswer, ProbeCommand, ProbeProblem, options_in_help};
pub use program_settings::{ProgramRules, ProgramSettings};
pub use request::{AgentRequest, is_uuid, slash_command};
pub use reserved_options::ReservedOptions;
pub use sandbox::{Sandbox, UnknownSandbox};
pub use sandbox_failure::sandbox_failure;
pub use session::{AgentFailure, AgentSession, Interrupt, Line, Outcome, Step, Verdict};
pub use settings::{SettingsProblem, check_model, read_settings};
pub use tail::Tail;
pub use terminal::without_colours;
pub use unfinished_items::UnfinishedItems;
pub use warning::Warning;
