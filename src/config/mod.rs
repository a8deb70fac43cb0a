//! The user's settings: defaults, file, environment and flags, merged, checked, and in the types of the program.
//!
//! What the keys mean stands in `config/default.toml`. Every value is taken by itself and checked before it is merged,
//! so that each problem names the place it comes from, and all problems are found in one go. Nothing here is read
//! again after the server has started, and the supervisor reads none of it: what it needs is in its task's spec.

mod backends;
mod ceilings;
mod check;
mod cross_checks;
mod defaults;
mod duration;
mod layers;
mod nearest;
mod overrides;
mod problem;
mod read;
mod schema;
mod sections;
mod serving;
mod setting;
mod shape;
mod size;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ffi::OsString, num::NonZeroUsize, path::PathBuf};

use connector_api::{BackendName, Sandbox};
use figment::Figment;

use self::{
    backends::Backends,
    check::Checker,
    cross_checks::CrossChecks,
    layers::{Environment, UserFile},
    sections::Sections,
    setting::Setting,
};
pub use self::{
    overrides::Overrides,
    problem::{ConfigProblem, ConfigProblems},
    schema::schema,
    serving::{ExtraTool, OnCallEnd, Serving, TaskHandles, tool_of},
};
use crate::{
    registry::Registry,
    task::{Ceiling, FrozenBackend, Grace, IndexLimits, Policy, Retention},
};

/// Everything that can be set.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where tasks are kept: an absolute path.
    pub data_dir: PathBuf,
    /// Where logs and results are kept: an absolute path.
    pub log_dir: PathBuf,
    /// How much the server says about itself: `off`, `error`, `warn`, `info`, `debug` or `trace`.
    pub log_level: String,
    /// The backend that gets a task: one of `backends`.
    pub default_backend: BackendName,
    /// What an agent may touch when the call does not say.
    pub default_sandbox: Sandbox,
    /// The deadlines and rules of a task; its timeout is for calls that do not say.
    pub policy: Policy,
    /// How the server speaks with its clients.
    pub serving: Serving,
    /// How large the index may grow.
    pub index: IndexLimits,
    /// The most tasks that run at once on the data directory; 0 is no limit.
    pub max_running: usize,
    /// What is kept of tasks that have ended.
    pub retention: Retention,
    /// The backends, each of which its kind has accepted.
    pub backends: BTreeMap<BackendName, FrozenBackend>,
    /// What calls may ask of each of the backends at most.
    pub ceilings: BTreeMap<BackendName, Ceiling>,
    /// The backends that get a task where another cannot work at all, in this order.
    pub fallbacks: BTreeMap<BackendName, Vec<BackendName>>,
    /// Environment variables whose names begin like settings, and that are not.
    pub foreign_variables: Vec<String>,
    /// Where the user's file is looked for, whether or not it exists.
    pub file: PathBuf,
    /// Settings of the environment and of flags that a process on the same data directory has to share, as `KEY=VALUE`. The
    /// two directories are not among them.
    pub passed_on: Vec<String>,
}

/// The keys of [`Config::passed_on`]. None of their values can be a secret.
const PASSED_ON_KEYS: [&str; 3] = ["index.entries", "index.text", "logs.redact"];

impl Config {
    /// Reads the settings: defaults, then the user's file, then `environment`, then `overrides`, the last one wins.
    ///
    /// Fails with everything that is wrong anywhere in them; or, if the file cannot be read, with that alone.
    pub fn load(
        overrides: &Overrides,
        registry: &Registry,
        environment: impl Iterator<Item = (OsString, OsString)>,
    ) -> Result<Self, ConfigProblems> {
        let environment = Environment::new(environment);
        let file = UserFile::named(overrides, &environment)?;
        let mut settings = defaults::settings();
        settings.extend(file.settings()?);
        let mut problems = vec![];
        let mut raw = layers::environment_settings(&environment, &mut problems);
        raw.extend(layers::flag_settings(overrides, &mut problems));

        let shape = backends::resolve_kinds(&mut settings, &raw, registry);
        let foreign_variables = layers::take_foreign(&mut raw, &shape);
        settings.extend(raw.into_iter().flat_map(|raw| raw.parse(&shape)));

        let checker = Checker::new(shape, defaults::figment());
        let faulty = checker.remove_invalid(&mut settings, &mut problems);
        let merged = Figment::from(&Setting::merged(&settings));
        let sections: Sections = merged.extract().expect("each setting was read on top of the defaults");

        let checks = CrossChecks { checker, settings: &settings, sections: &sections, environment: &environment };
        let mut report = |problem| problems.push(problem);
        let data_dir = checks.path("data_dir", &sections.data_dir).map_err(&mut report).ok();
        let log_dir = sections.log_dir.as_ref().map(|log_dir| checks.path("log_dir", log_dir)).transpose();
        let log_dir = log_dir.map_err(&mut report).ok().flatten();
        let default_backend = checks.default_backend(&faulty).map_err(&mut report).ok();
        let backends = Backends { registry, settings: &settings, sections: &sections, faulty: &faulty };
        let backends = backends.freeze(&mut problems);
        checks.tool_names(backends.keys(), &mut problems);
        let ceilings = backends.keys().map(|name| (name.clone(), checks.ceiling(name, &mut problems))).collect();
        let fallbacks =
            backends.keys().map(|name| (name.clone(), checks.fallback(name, &backends, &mut problems))).collect();
        match (data_dir, default_backend) {
            (Some(data_dir), Some(default_backend)) if problems.is_empty() => Ok(Self {
                log_dir: log_dir.unwrap_or_else(|| data_dir.join("logs")),
                data_dir,
                default_backend,
                default_sandbox: sections.tasks.default_sandbox,
                policy: policy(&sections),
                serving: serving(&sections),
                index: IndexLimits { entries: sections.index.entries.get(), text: sections.index.text },
                max_running: sections.limits.max_running,
                retention: retention(&sections),
                log_level: sections.log_level,
                backends,
                ceilings,
                fallbacks,
                foreign_variables,
                file: file.path,
                passed_on: passed_on(&settings),
            }),
            _ => Err(ConfigProblems(problems)),
        }
    }
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
        grace: Grace { interrupt: stopping.interrupt_grace.0, terminate: stopping.terminate_grace.0 },
        cgroup: stopping.cgroup,
        on_server_exit: tasks.on_server_exit,
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
