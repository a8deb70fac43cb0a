//! The situation on which a plan is based. Plain data.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use connector_api::{Login, Sandbox};
use serde_json::{Map, Value};

use super::{config_toml::ConfigChange, user_file::UserFile};
use crate::plugin::PluginProgram;

/// Everything that a plan depends on.
#[derive(Debug, Clone)]
pub struct Found {
    /// This program, as Claude Code will start it.
    pub program: PluginProgram,
    /// Whether `codex-connector` on `PATH` is this program.
    pub is_on_path: bool,
    /// Whether the data directory already contains the plugin of this version.
    pub is_unpacked: bool,
    /// The marketplace in the data directory.
    pub marketplace: PathBuf,
    /// Claude Code, if it is installed.
    pub claude: Option<FoundClaude>,
    /// The installed agents that this program has a backend for.
    pub agents: Vec<FoundAgent>,
    /// The configuration.
    pub config: FoundConfig,
    /// Whether `init` was last run with full access.
    pub had_full_access: bool,
}

/// Claude Code as it is installed and configured.
#[derive(Debug, Clone)]
pub struct FoundClaude {
    /// Its program.
    pub program: PathBuf,
    /// Its version as three numbers.
    pub version: [u64; 3],
    /// The user's `settings.json`.
    pub settings: UserFile,
    /// The server `codex-connector` of the user's own configuration.
    pub server: Option<RegisteredServer>,
    /// The plugin `codex-connector` of the marketplace with the same name.
    pub plugin: Option<InstalledPlugin>,
    /// The marketplace `codex-connector`.
    pub marketplace: Option<KnownMarketplace>,
}

/// A server in Claude Code's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisteredServer {
    /// The whole entry, so that it can be restored.
    pub entry: Value,
}

impl RegisteredServer {
    /// The program that the entry starts.
    pub fn command(&self) -> Option<&str> {
        self.entry["command"].as_str()
    }

    /// The arguments of the program.
    pub fn arguments(&self) -> Vec<&str> {
        self.entry["args"].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
    }

    /// Whether the entry contains something other than a program and its arguments, such as variables or an address.
    pub fn has_own_settings(&self) -> bool {
        let is_expected = |(key, value): (&String, &Value)| match key.as_str() {
            "type" => value == "stdio",
            "env" => value.as_object().is_some_and(Map::is_empty),
            key => ["command", "args"].contains(&key),
        };
        self.command().is_none() || !self.entry.as_object().is_some_and(|entry| entry.iter().all(is_expected))
    }
}

/// A plugin in Claude Code's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPlugin {
    /// Its version.
    pub version: String,
    /// Whether it is enabled.
    pub is_enabled: bool,
}

/// A marketplace in Claude Code's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KnownMarketplace {
    /// A directory.
    Directory(PathBuf),
    /// Another source, such as a repository.
    Other,
}

/// An installed agent.
#[derive(Debug, Clone)]
pub struct FoundAgent {
    /// The name of its backend.
    pub name: &'static str,
    /// Its version, as it writes it.
    pub version: String,
    /// Its program.
    pub program: PathBuf,
    /// The sandboxes that it can enforce.
    pub sandboxes: Vec<Sandbox>,
    /// Whether it is logged in.
    pub login: Login,
    /// Whether it cannot work before somebody logs in.
    pub needs_login: bool,
}

/// The configuration in effect, and its file.
#[derive(Debug, Clone)]
pub struct FoundConfig {
    /// The file `config.toml`.
    pub file: UserFile,
    /// Whether any layer sets a limit in `[ceiling]`.
    pub has_ceiling: bool,
    /// The most permissive sandbox that `[ceiling]` allows. It applies to every backend without a sandbox in its own
    /// ceiling, also to one that is added later.
    pub ceiling: Sandbox,
    /// The most permissive sandboxes of the backends whose own ceiling has one, by their names.
    pub own_ceilings: BTreeMap<String, Sandbox>,
    /// The sandbox of calls that name none.
    pub default_sandbox: Sandbox,
    /// The keys of the file that `init` has set and nobody has changed since.
    pub from_init: Vec<ConfigChange>,
    /// The names and kinds of the configured backends.
    pub backends: BTreeSet<String>,
}
