//! The planner: decides what `init` changes. Pure.

use connector_api::{Login, Sandbox};
use serde::{Deserialize, Serialize};

use super::{
    config_toml::ConfigChange,
    found::{Found, FoundAgent, FoundClaude, KnownMarketplace, RegisteredServer},
    rules,
    settings_json::{InvalidSettings, missing_rules},
};
use crate::plugin::VERSION;

/// The first version of Claude Code that starts the monitors of a plugin.
const FIRST_WITH_PLUGIN: [u64; 3] = [2, 1, 105];

/// The most permissive sandbox with which `init` allows `codex_agent` without asking.
const RECOMMENDED: Sandbox = Sandbox::WorkspaceWrite;

/// The user's decisions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetupChoices {
    /// Allow `codex_agent` without a ceiling.
    pub full_access: bool,
    /// Register the server only, without the plugin.
    pub server_only: bool,
}

/// The changes in their order, and remarks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// The decisions on which the plan is based.
    pub choices: SetupChoices,
    /// The changes.
    pub steps: Vec<Step>,
    /// Remarks for the user.
    pub notes: Vec<PlanNote>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Set keys in `config.toml`.
    Config(Vec<ConfigChange>),
    /// Remove the server `codex-connector` from Claude Code.
    RemoveServer(RegisteredServer),
    /// Add the server `codex-connector` to Claude Code.
    AddServer,
    /// Install or update the plugin.
    Plugin(PluginStep),
    /// Add permission rules to Claude Code's `settings.json`.
    Rules(Vec<String>),
}

/// The parts of installing the plugin that are still missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginStep {
    /// How to make the marketplace known.
    pub marketplace: MarketplaceAction,
    /// How to get the plugin from it.
    pub plugin: PluginAction,
}

/// A change to the known marketplaces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MarketplaceAction {
    /// It is known already.
    Keep,
    /// Add it.
    Add,
    /// It is another directory: remove that one, and add ours.
    Replace,
}

/// A change to the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PluginAction {
    /// It is installed.
    Keep,
    /// Install it.
    Install,
    /// Update it from another version.
    Update,
    /// Enable it.
    Enable,
}

/// Something that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanNote {
    /// Claude Code is not installed.
    NoClaude,
    /// Claude Code is too old for the plugin.
    NoPlugin,
    /// The server has its own settings and is kept unchanged.
    CustomServer,
    /// No agent is installed.
    NoAgent,
    /// These agents cannot enforce a sandbox within the ceiling.
    Excluded(Vec<&'static str>),
    /// An agent is not logged in.
    NotLoggedIn {
        /// Its name.
        agent: &'static str,
        /// Advice for the user.
        advice: String,
    },
    /// Claude Code will ask before each call of `codex_agent`, because these sections of `config.toml` allow too much.
    AsksForAgent(Vec<String>),
    /// Claude Code will start agents without a sandbox and without asking.
    FullAccess,
    /// Full access was asked for, but a ceiling that `init` did not set allows only this sandbox.
    CeilingStays(Sandbox),
    /// An earlier run gave full access, which this plan ends.
    EndsFullAccess,
    /// An earlier run gave full access, and its rules stay, although this run does not ask for it.
    FullAccessStays,
}

impl Plan {
    /// Decides what to change. Fails if `settings.json` cannot be edited.
    pub fn make(found: &Found, choices: SetupChoices) -> Result<Self, InvalidSettings> {
        let mut plan = Self { choices, ..Self::default() };
        let (sandboxes, ceiling) = sandbox_changes(found, choices);
        let (within, excluded): (Vec<_>, Vec<_>) = found.agents.iter().partition(|agent| {
            let ceiling = found.config.own_ceilings.get(agent.name).copied().unwrap_or(ceiling);
            agent.sandboxes.iter().any(|sandbox| *sandbox <= ceiling)
        });
        let sections = within.into_iter().filter(|agent| !is_configured(found, agent)).flat_map(section);
        let changes: Vec<_> = sandboxes.into_iter().chain(sections).collect();
        if !changes.is_empty() {
            plan.steps.push(Step::Config(changes));
        }
        plan.note_agents(found, &excluded);
        if choices.full_access && ceiling < Sandbox::DangerFullAccess {
            plan.notes.push(PlanNote::CeilingStays(ceiling));
        }
        if !choices.full_access && found.had_full_access && ceiling < found.config.ceiling {
            plan.notes.push(PlanNote::EndsFullAccess);
        }
        let Some(claude) = &found.claude else {
            plan.notes.push(PlanNote::NoClaude);
            return Ok(plan);
        };
        plan.add_server(found, claude, choices);
        plan.add_rules(found, claude, choices, ceiling)?;
        Ok(plan)
    }

    fn note_agents(&mut self, found: &Found, excluded: &[&FoundAgent]) {
        if found.agents.is_empty() {
            self.notes.push(PlanNote::NoAgent);
        }
        if !excluded.is_empty() {
            self.notes.push(PlanNote::Excluded(excluded.iter().map(|agent| agent.name).collect()));
        }
        for agent in &found.agents {
            match &agent.login {
                Login::No { advice, .. } if agent.needs_login => {
                    self.notes.push(PlanNote::NotLoggedIn { agent: agent.name, advice: advice.clone() });
                }
                Login::No { .. } | Login::Yes(_) | Login::Unknown => {}
            }
        }
    }

    /// Adds the steps that give Claude Code the server, alone or in the plugin.
    fn add_server(&mut self, found: &Found, claude: &FoundClaude, choices: SetupChoices) {
        let is_same = |server: &RegisteredServer| {
            !server.has_own_settings()
                && server.command() == found.program.program.to_str()
                && server.arguments().iter().eq(found.program.arguments.iter())
        };
        let is_ours = claude.server.as_ref().is_some_and(is_same);
        let is_custom = |server: &RegisteredServer| server.has_own_settings() || !server.arguments().is_empty();
        if claude.server.as_ref().is_some_and(is_custom) && !is_ours {
            self.notes.push(PlanNote::CustomServer);
            return;
        }
        let has_plugins = claude.version >= FIRST_WITH_PLUGIN;
        if !choices.server_only && has_plugins {
            // The plugin contains a server. With both, Claude would see each tool twice.
            self.steps.extend(claude.server.clone().map(Step::RemoveServer));
            self.steps.extend(plugin_step(found, claude).map(Step::Plugin));
            return;
        }
        if !choices.server_only {
            self.notes.push(PlanNote::NoPlugin);
        }
        if !is_ours && claude.plugin.as_ref().is_none_or(|plugin| !plugin.is_enabled) {
            self.steps.extend(claude.server.clone().map(Step::RemoveServer));
            self.steps.push(Step::AddServer);
        }
    }

    fn add_rules(
        &mut self,
        found: &Found,
        claude: &FoundClaude,
        choices: SetupChoices,
        ceiling: Sandbox,
    ) -> Result<(), InvalidSettings> {
        let mut wanted = rules::harmless(&found.program.program, found.is_on_path);
        // The rule allows calls to all backends, also to those that are added later.
        let too_open = above_recommended(found, ceiling);
        match (too_open.is_empty(), choices.full_access) {
            (true, _) => wanted.extend(rules::agent()),
            (false, true) => {
                wanted.extend(rules::agent());
                self.notes.push(PlanNote::FullAccess);
            }
            (false, false) if found.had_full_access => self.notes.push(PlanNote::FullAccessStays),
            (false, false) => self.notes.push(PlanNote::AsksForAgent(too_open)),
        }
        let missing = missing_rules(claude.settings.text.as_deref(), &wanted)?;
        if !missing.is_empty() {
            self.steps.push(Step::Rules(missing));
        }
        Ok(())
    }
}

/// The ceilings that allow more than is recommended, as sections of `config.toml`. `common` is the sandbox of `[ceiling]`.
fn above_recommended(found: &Found, common: Sandbox) -> Vec<String> {
    let own = found.config.own_ceilings.iter().map(|(name, sandbox)| (format!("[backends.{name}.ceiling]"), *sandbox));
    let all = [("[ceiling]".to_owned(), common)].into_iter().chain(own);
    all.filter(|(_, sandbox)| *sandbox > RECOMMENDED).map(|(section, _)| section).collect()
}

/// The changes to the default sandbox and the ceiling, and the sandbox of `[ceiling]` after them.
fn sandbox_changes(found: &Found, choices: SetupChoices) -> (Vec<ConfigChange>, Sandbox) {
    let config = &found.config;
    let mut ceiling = config.ceiling;
    let mut changes = vec![];
    let full = Sandbox::DangerFullAccess;
    let is_from_init =
        |section, key, sandbox: Sandbox| config.from_init.contains(&ConfigChange::text(section, key, sandbox.as_str()));
    if choices.full_access {
        if ceiling < full && is_from_init("ceiling", "sandbox", ceiling) {
            ceiling = full;
            changes.push(ConfigChange::text("ceiling", "sandbox", full.as_str()));
        }
        // `init` only ever lowers this key, to fit it to the ceiling.
        let default = config.default_sandbox;
        if ceiling == full && default < full && is_from_init("tasks", "default_sandbox", default) {
            changes.insert(0, ConfigChange::text("tasks", "default_sandbox", full.as_str()));
        }
    } else if !config.has_ceiling || is_from_init("ceiling", "sandbox", full) {
        ceiling = ceiling.min(RECOMMENDED);
        changes.push(ConfigChange::text("ceiling", "sandbox", RECOMMENDED.as_str()));
    }
    // A default above the ceiling would refuse every call that names no sandbox.
    if config.default_sandbox > ceiling {
        changes.insert(0, ConfigChange::text("tasks", "default_sandbox", ceiling.as_str()));
    }
    (changes, ceiling)
}

fn is_configured(found: &Found, agent: &FoundAgent) -> bool {
    found.config.backends.contains(agent.name)
}

/// The section of `config.toml` for an agent.
fn section(agent: &FoundAgent) -> Vec<ConfigChange> {
    let section = format!("backends.{}", agent.name);
    if agent.name == "qwen" {
        return vec![
            ConfigChange::text(&section, "kind", "acp"),
            ConfigChange::text(&section, "program", "qwen"),
            ConfigChange::list(&section, "args", &["--acp"]),
        ];
    }
    vec![ConfigChange::text(&section, "kind", agent.name)]
}

/// The missing parts of the plugin, if there are any.
fn plugin_step(found: &Found, claude: &FoundClaude) -> Option<PluginStep> {
    let marketplace = match &claude.marketplace {
        None => MarketplaceAction::Add,
        Some(KnownMarketplace::Directory(path)) if *path != found.marketplace => MarketplaceAction::Replace,
        Some(KnownMarketplace::Directory(_) | KnownMarketplace::Other) => MarketplaceAction::Keep,
    };
    let plugin = match &claude.plugin {
        // Removing a marketplace uninstalls its plugins.
        _ if marketplace == MarketplaceAction::Replace => PluginAction::Install,
        None => PluginAction::Install,
        Some(plugin) if !is_current(&plugin.version) => PluginAction::Update,
        Some(plugin) if !plugin.is_enabled => PluginAction::Enable,
        Some(_) => PluginAction::Keep,
    };
    let is_from_here = claude.marketplace != Some(KnownMarketplace::Other);
    let is_done = marketplace == MarketplaceAction::Keep && plugin == PluginAction::Keep;
    (!is_done || (is_from_here && !found.is_unpacked)).then_some(PluginStep { marketplace, plugin })
}

/// Whether a version is that of this program. Claude Code 2.1.332 adds a hash of the content to the version of a plugin
/// that a command has written, as in `2.1.0-dbfbd99db425`.
fn is_current(version: &str) -> bool {
    let is_hash = |hash: &str| hash.len() == 12 && hash.chars().all(|digit| digit.is_ascii_hexdigit());
    version.strip_prefix(VERSION).is_some_and(|rest| rest.is_empty() || rest.strip_prefix('-').is_some_and(is_hash))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
