//! The user's settings, in four layers that are checked, merged and converted to the types of the program.
//!
//! ```text
//! default.toml ─┐
//! user's file ──┤
//! environment ──┼──▶ Settings ── check each ──▶ merge ──▶ Sections ── cross-checks ──▶ Config
//! flags ────────┘    (one per key)
//! ```
//!
//! `config/default.toml` describes the keys. Each setting is checked before it is merged, so that every problem names
//! the setting's origin and all problems are reported together. A server reads its configuration once, at the start. A
//! supervisor reads none: its task's spec contains everything it needs.

mod backends;
mod ceilings;
mod check;
mod cross_checks;
mod defaults;
mod duration;
mod effective;
mod layers;
mod nearest;
mod overrides;
mod problem;
mod read;
mod schema;
mod sections;
mod server_exit;
mod serving;
mod setting;
mod shape;
mod size;
#[cfg(test)]
mod tests;
mod valid_settings;
mod workspaces;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    num::NonZeroUsize,
    path::{Path, PathBuf},
};

use connector_api::{BackendName, Sandbox};
use figment::Figment;

use self::{
    backends::Backends,
    cross_checks::CrossChecks,
    layers::{Environment, RawSetting, UserFile},
    sections::Sections,
    setting::Setting,
    valid_settings::ValidSettings,
};
pub use self::{
    effective::{EffectiveSetting, EffectiveSettings, SettingSource},
    overrides::Overrides,
    problem::{ConfigProblem, ConfigProblems},
    schema::schema,
    server_exit::ServerExitRule,
    serving::{ExtraTool, OnCallEnd, Serving, TaskHandles, tool_of},
};
use crate::{
    present::Refused,
    registry::Registry,
    task::{Ceiling, FrozenBackend, Grace, IndexLimits, Policy, Retention, WorkspaceSpec},
};

/// A valid configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data directory, an absolute path.
    pub data_dir: PathBuf,
    /// The directory for logs and results, an absolute path.
    pub log_dir: PathBuf,
    /// Level of the server's own log: `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// The backend for calls that name none: one of `backends`.
    pub default_backend: BackendName,
    /// The sandbox for calls that name none.
    pub default_sandbox: Sandbox,
    /// The same for single backends, where it differs.
    pub default_sandboxes: BTreeMap<BackendName, Sandbox>,
    /// The deadlines and rules of a task. The timeout applies to calls that give none; `on_server_exit` to tasks of which
    /// nothing is known about the submitter.
    pub policy: Policy,
    /// The effect on a task when the server that submitted it exits.
    pub on_server_exit: ServerExitRule,
    /// The server's behavior towards its clients.
    pub serving: Serving,
    /// Limits on the size of the index.
    pub index: IndexLimits,
    /// Maximum number of tasks that run at once in the data directory; 0 means no limit.
    pub max_running: usize,
    /// The rule for which ended tasks are kept.
    pub retention: Retention,
    /// The backends. The kind of each one has accepted its settings.
    pub backends: BTreeMap<BackendName, FrozenBackend>,
    /// The ceiling of each backend.
    pub ceilings: BTreeMap<BackendName, Ceiling>,
    /// The ceiling of a backend that has no rules of its own.
    pub common_ceiling: Ceiling,
    /// How a task treats its repository, for a backend that has no settings of its own.
    pub workspace: WorkspaceSpec,
    /// The same for each backend.
    pub workspaces: BTreeMap<BackendName, WorkspaceSpec>,
    /// For each backend, the backends that replace it in this order when it cannot work at all.
    pub fallbacks: BTreeMap<BackendName, Vec<BackendName>>,
    /// Ignored environment variables that have the prefix of the settings but are not settings.
    pub foreign_variables: Vec<String>,
    /// The path of the user's file, which need not exist.
    pub file: PathBuf,
    /// Settings from the environment and flags that other processes on the same data directory must share, as
    /// `KEY=VALUE`. The two directories are not included.
    pub passed_on: Vec<String>,
}

/// The keys of [`Config::passed_on`]. None of their values can be a secret.
const PASSED_ON_KEYS: [&str; 3] = ["index.entries", "index.text", "logs.redact"];

impl Config {
    /// The sandbox for calls of `backend` that name none, and the key that sets it.
    pub fn default_sandbox_of(&self, backend: &BackendName) -> (Sandbox, String) {
        match self.default_sandboxes.get(backend) {
            Some(own) => (*own, format!("backends.{backend}.default_sandbox")),
            None => (self.default_sandbox, "tasks.default_sandbox".to_owned()),
        }
    }

    /// Reads the settings: defaults, then the user's file, then `environment`, then `overrides`. The last value of a
    /// key wins.
    ///
    /// Fails with all problems in all layers, or, if the file cannot be read, only with that one.
    pub fn load(
        overrides: &Overrides,
        registry: &Registry,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigProblems> {
        let environment = Environment::new(environment);
        let file = UserFile::named(overrides, &environment)?;
        let mut problems = vec![];
        let written = file.settings()?;
        let raw = layers::raw_settings(overrides, &environment, &mut problems);
        Self::resolve(written, raw, problems, registry, &environment, file.path)
    }

    /// Like [`load`](Self::load), but an invalid configuration still names the directories: each comes from the last
    /// layer that names it validly, and everything else has its default. That is enough to view, await and cancel
    /// tasks. Also returns the problems of the configuration.
    ///
    /// Fails if even the defaults cannot be used, for example without a home directory.
    pub fn load_lenient(
        overrides: &Overrides,
        registry: &Registry,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<(Self, Vec<Refused>), Vec<Refused>> {
        let variables: Vec<_> = environment.collect();
        let problems = match Self::load(overrides, registry, variables.iter().cloned()) {
            Ok(config) => return Ok((config, vec![])),
            Err(problems) => problems.explain(),
        };
        let environment = Environment::new(variables.into_iter());
        let directories = Self::directories_only(overrides, registry, &environment);
        directories.map(|config| (config, problems.clone())).map_err(|_| problems)
    }

    fn directories_only(
        overrides: &Overrides,
        registry: &Registry,
        environment: &Environment,
    ) -> Result<Self, ConfigProblems> {
        let file = UserFile::named(overrides, environment)?;
        let mut others = vec![];
        let raw = layers::raw_settings(overrides, environment, &mut others);
        let written = file.settings().unwrap_or_default();
        let shape = shape::own();
        let layers = written.into_iter().chain(raw.into_iter().flat_map(|raw| raw.parse(&shape)));
        let is_valid = |setting: &Setting| {
            let path = setting.value.as_str().and_then(|path| environment.expand(Path::new(path), "a directory").ok());
            ["data_dir", "log_dir"].contains(&setting.key().as_str()) && path.is_some_and(|path| path.is_absolute())
        };
        Self::resolve(layers.filter(is_valid).collect(), vec![], vec![], registry, environment, file.path)
    }

    /// The configuration that consists of the defaults and these settings. `raw` are settings without a type, which
    /// override those in `written`. `problems` were found before.
    fn resolve(
        written: Vec<Setting>,
        raw: Vec<RawSetting>,
        mut problems: Vec<ConfigProblem>,
        registry: &Registry,
        environment: &Environment,
        file: PathBuf,
    ) -> Result<Self, ConfigProblems> {
        let ValidSettings { settings, faulty, checker, foreign_variables } =
            ValidSettings::of(written, raw, registry, &mut problems);
        let merged = Figment::from(&Setting::merged(&settings));
        let sections: Sections = merged.extract().expect("every setting was read on top of the defaults before");

        let checks = CrossChecks { checker, settings: &settings, sections: &sections, environment };
        let mut report = |problem| problems.push(problem);
        let data_dir = checks.path("data_dir", &sections.data_dir).map_err(&mut report).ok();
        let log_dir = sections.log_dir.as_ref().map(|log_dir| checks.path("log_dir", log_dir)).transpose();
        let log_dir = log_dir.map_err(&mut report).ok().flatten();
        let default_backend = checks.default_backend(&faulty).map_err(&mut report).ok();
        let backends = Backends { registry, settings: &settings, sections: &sections, faulty: &faulty };
        let backends = backends.freeze(&mut problems);
        checks.tool_names(backends.keys(), &mut problems);
        checks.http_names(&mut problems);
        let common_ceiling = checks.ceiling(None, &mut problems);
        let ceilings = backends.keys().map(|name| (name.clone(), checks.ceiling(Some(name), &mut problems))).collect();
        let fallbacks =
            backends.keys().map(|name| (name.clone(), checks.fallback(name, &backends, &mut problems))).collect();
        let workspace =
            data_dir.as_ref().and_then(|data_dir| checks.workspace(data_dir, log_dir.as_deref(), &mut problems));
        match (data_dir, default_backend, workspace) {
            (Some(data_dir), Some(default_backend), Some(workspace)) if problems.is_empty() => Ok(Self {
                log_dir: log_dir.unwrap_or_else(|| data_dir.join("logs")),
                data_dir,
                default_backend,
                default_sandbox: sections.tasks.default_sandbox,
                default_sandboxes: default_sandboxes(&sections, backends.keys()),
                policy: policy(&sections),
                on_server_exit: sections.tasks.on_server_exit,
                serving: serving(&sections),
                index: IndexLimits { entries: sections.index.entries.get(), text: sections.index.text },
                max_running: sections.limits.max_running,
                retention: retention(&sections),
                log_level: sections.log_level.clone(),
                workspaces: checks.workspaces(&workspace, backends.keys()),
                workspace,
                backends,
                ceilings,
                common_ceiling,
                fallbacks,
                foreign_variables,
                file,
                passed_on: passed_on(&settings),
            }),
            _ => Err(ConfigProblems(problems)),
        }
    }
}

fn default_sandboxes<'a>(
    sections: &Sections,
    names: impl Iterator<Item = &'a BackendName>,
) -> BTreeMap<BackendName, Sandbox> {
    let own = |name: &BackendName| {
        // The schema allows only the names of sandboxes.
        let sandbox = sections.backends.get(name.as_str())?.get("default_sandbox")?.as_str()?.parse().ok()?;
        Some((name.clone(), sandbox))
    };
    names.filter_map(own).collect()
}

fn passed_on(settings: &[Setting]) -> Vec<String> {
    let set = PASSED_ON_KEYS.iter().filter_map(|key| settings.iter().rev().find(|setting| setting.key() == *key));
    let set = set.filter(|setting| setting.origin.is_local_to_process());
    set.map(|setting| format!("{}={}", setting.key(), setting.value)).collect()
}

fn policy(sections: &Sections) -> Policy {
    let (tasks, stopping) = (&sections.tasks, &sections.stopping);
    Policy {
        timeout: tasks.default_timeout.0,
        heartbeat: tasks.heartbeat_interval.0,
        stall_warning: tasks.stall_warning_after.0,
        stop_after_silence: tasks.stop_after_silence.0,
        give_up_offline: tasks.give_up_offline.0,
        grace: Grace { interrupt: stopping.interrupt_grace.0, terminate: stopping.terminate_grace.0 },
        cgroup: stopping.cgroup,
        on_server_exit: tasks.on_server_exit.resolve(None),
        on_agent_exit: tasks.on_agent_exit,
        keep_events: tasks.keep_events,
        log_bytes: sections.logs.max_bytes.0,
        redact: sections.logs.redact,
    }
}

fn serving(sections: &Sections) -> Serving {
    let server = &sections.server;
    Serving {
        on_call_cancelled: server.on_call_cancelled,
        on_call_timed_out: server.on_call_timed_out,
        task_handles: server.task_handles,
        channel: server.channel,
        http_hosts: server.http.allowed_hosts.clone(),
        http_origins: server.http.allowed_origins.clone(),
        web_ui: server.http.web,
        tool_per_backend: sections.tools.per_backend,
        extra_tools: sections.tools.extra.iter().copied().collect(),
    }
}

fn retention(sections: &Sections) -> Retention {
    let retention = &sections.retention;
    Retention {
        max_age: retention.max_age.0,
        max_tasks: NonZeroUsize::new(retention.max_tasks),
        max_bytes: retention.max_bytes.0,
    }
}
