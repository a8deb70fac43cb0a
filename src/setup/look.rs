//! Detects the installed programs and reads the configuration. Changes no files of the user.

use std::{env, path::PathBuf};

use connector_api::{AgentBackend, BackendName, Login};
use serde_json::{Value, json};

use super::{
    claude::{ClaudeCode, ClaudeProblem},
    config_toml::unchanged,
    found::{Found, FoundAgent, FoundConfig},
    record::SetupRecord,
    user_file::{UserFile, UserFileProblem},
};
use crate::{
    agent_environment::environment,
    config::Config,
    plugin::{NAME, PluginProgram, Unpacked, is_unpacked},
    probing::{Freshness, LoginState, installed},
    registry::Registry,
    store::{ProbeCache, Upkeep},
    task::FrozenBackend,
};

/// The agents that are looked for, by the names of their backends. Adapters such as `codex-acp` are left out, because they
/// run the same agents.
const KNOWN: [&str; 5] = ["codex", "claude", "gemini", "opencode", "qwen"];

/// The key of a ceiling's sandbox.
const SANDBOX: &str = "sandbox";

/// The kind and the settings of a known agent's backend.
fn kind_of(name: &str) -> (&str, Value) {
    match name {
        "qwen" => ("acp", json!({"program": "qwen", "args": ["--acp"]})),
        kind => (kind, json!({})),
    }
}

/// Finds Claude Code, the installed agents and the configuration.
pub async fn look_around(
    config: &Config,
    registry: &Registry,
    upkeep: &Upkeep,
    program: PluginProgram,
) -> Result<Found, ClaudeProblem> {
    let claude = match ClaudeCode::find() {
        Some(claude) => claude.look().await?,
        None => None,
    };
    let on_path = which::which(NAME).ok().and_then(|found| found.canonicalize().ok());
    let known = KNOWN.into_iter().filter_map(|name| {
        let (kind, settings) = kind_of(name);
        let frozen = FrozenBackend { name: BackendName::new(name).ok()?, kind: kind.to_owned(), settings };
        // A configured backend can have its own program and variables.
        let frozen = config.backends.get(&frozen.name).cloned().unwrap_or(frozen);
        Some((name, registry.build(&frozen).ok()?))
    });
    let known: Vec<_> = known.collect();
    let cache = ProbeCache::of(upkeep);
    let agents =
        futures_util::future::join_all(known.iter().map(|(name, backend)| agent(name, &**backend, &cache))).await;
    // `init` reports a record that cannot be read when it is about to change something.
    let record = SetupRecord::read(&config.data_dir).ok().flatten();
    Ok(Found {
        had_full_access: record.as_ref().is_some_and(|record| record.choices.full_access),
        is_on_path: on_path.is_some_and(|found| found == program.program),
        is_unpacked: is_unpacked(&config.data_dir, &program),
        marketplace: marketplace(config),
        program,
        claude,
        agents: agents.into_iter().flatten().collect(),
        config: found_config(config, record)?,
    })
}

/// The marketplace in the data directory, by its real path.
fn marketplace(config: &Config) -> PathBuf {
    let data_dir = config.data_dir.canonicalize().unwrap_or_else(|_| config.data_dir.clone());
    Unpacked::in_data_dir(&data_dir).marketplace
}

async fn agent(name: &'static str, backend: &dyn AgentBackend, cache: &ProbeCache) -> Option<FoundAgent> {
    let (program, installed) = installed(backend, cache, Freshness::Kept, None).await.ok()?;
    let variables = environment(backend.environment(), env::vars_os(), None).0;
    let login = LoginState::of(backend, &program, &variables).await;
    Some(FoundAgent {
        name,
        version: installed.version,
        program,
        sandboxes: installed.sandboxes,
        needs_login: login.is_missing,
        login: login.answer.unwrap_or(Login::Unknown),
    })
}

fn found_config(config: &Config, record: Option<SetupRecord>) -> Result<FoundConfig, UserFileProblem> {
    let common = &config.common_ceiling;
    let own = config.ceilings.iter().filter(|(_, ceiling)| ceiling.origins.get(SANDBOX) != common.origins.get(SANDBOX));
    let names = config.backends.values().flat_map(|backend| [backend.name.to_string(), backend.kind.clone()]);
    let file = UserFile::read(&config.file)?;
    let record = record.filter(|record| record.config.as_ref().is_some_and(|recorded| recorded.path == file.path));
    let changes = record.map(|record| record.changes).unwrap_or_default();
    Ok(FoundConfig {
        from_init: unchanged(file.text.as_deref().unwrap_or_default(), changes),
        file,
        has_ceiling: !common.describe().is_empty(),
        ceiling: common.sandbox,
        own_ceilings: own.map(|(name, ceiling)| (name.to_string(), ceiling.sandbox)).collect(),
        default_sandbox: config.default_sandbox,
        backends: names.collect(),
    })
}
