//! `init`: sets up Claude Code and the configuration, and undoes it.
//!
//! ```text
//! look around ──▶ Found ── plan (pure) ──▶ Plan ── shown, confirmed ──▶ apply ──▶ SetupRecord ──▶ undo
//! ```
//!
//! [`Plan::make`] is pure: it decides on the basis of [`Found`] and [`SetupChoices`], and can be tested without files. Only
//! `apply` and `undo` change anything. They change `settings.json` and `config.toml` themselves; everything else that
//! belongs to Claude Code is changed by its own commands. Each step is recorded before it is carried out, so that `undo`
//! also works after a step has failed or `init` was killed. A lock lets only one process at a time do either.

mod apply;
mod claude;
mod config_toml;
mod found;
mod lock;
mod look;
mod plan;
mod record;
mod rules;
mod settings_json;
mod undo;
mod unique_keys;
mod user_file;

pub use self::{
    apply::{SetupProblem, apply},
    claude::ClaudeProblem,
    config_toml::{ConfigChange, ConfigValue},
    found::{Found, FoundAgent, FoundClaude, FoundConfig, InstalledPlugin, KnownMarketplace, RegisteredServer},
    lock::SetupLock,
    look::look_around,
    plan::{MarketplaceAction, Plan, PlanNote, PluginAction, PluginStep, SetupChoices, Step},
    record::SetupRecord,
    settings_json::InvalidSettings,
    undo::{Remaining, Undone, undo},
    user_file::{UserFile, UserFileProblem},
};
