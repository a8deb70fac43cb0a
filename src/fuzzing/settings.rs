//! Properties of the configuration.

use std::{
    ffi::{OsStr, OsString},
    fs,
    os::unix::ffi::OsStrExt,
    path::PathBuf,
    sync::LazyLock,
    time::Duration,
};

use super::{parts::parts, store::in_a_directory};
use crate::{
    config::{Config, ConfigProblems, Overrides},
    registry::Registry,
};

static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry::default();
    registry.add::<connector_codex::Codex>();
    registry.add::<connector_command::Command>();
    registry.add::<connector_acp::Acp>();
    registry.add::<connector_claude::Claude>();
    registry.add::<connector_gemini::Gemini>();
    registry.add::<connector_opencode::OpenCode>();
    registry
});

/// Parts: `config.toml`; the environment, with one `NAME=VALUE` per line; the arguments of `--set`, one per line.
///
/// Any input results in either a usable configuration or a list of problems, each of which has a reason and a next
/// step.
pub fn config(input: &[u8]) {
    let [file, environment, flags] = parts(input);
    let variables = environment.split(|byte| *byte == b'\n').filter_map(|line| {
        let equals = line.iter().position(|byte| *byte == b'=')?;
        let word = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
        Some((word(&line[..equals]), word(&line[equals + 1..])))
    });
    let home = (OsString::from("HOME"), OsString::from("/home/user"));
    let flags = String::from_utf8_lossy(flags);
    in_a_directory(|dir| {
        let path = dir.join("config.toml");
        fs::write(&path, file).expect("a temporary directory is writable");
        let set = flags.split('\n').filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
        // The file is named explicitly, so that no variable can select another one.
        let overrides = Overrides { config_file: Some(path.clone()), data_dir: None, set };
        match Config::load(&overrides, &REGISTRY, std::iter::once(home).chain(variables)) {
            Ok(config) => check_usable(&config, path),
            Err(problems) => check_reported(&problems),
        }
    });
}

fn check_usable(config: &Config, path: PathBuf) {
    assert_eq!(config.file, path);
    assert!(config.data_dir.is_absolute() && config.log_dir.is_absolute(), "both directories are absolute");
    assert!(config.backends.contains_key(&config.default_backend), "the default backend is configured");
    for (name, backend) in &config.backends {
        assert_eq!(*name, backend.name);
        assert!(REGISTRY.build(backend).is_ok(), "`{name}` was accepted but cannot be built");
    }
    assert!(config.ceilings.keys().eq(config.backends.keys()), "every backend has a ceiling");
    let policy = &config.policy;
    let intervals = [Some(policy.heartbeat), Some(policy.stall_warning)];
    let limits = intervals.into_iter().chain([policy.timeout, policy.stop_after_silence, policy.give_up_offline]);
    let limits = limits.collect::<Vec<_>>();
    assert!(limits.iter().flatten().all(|limit| *limit > Duration::ZERO), "no limit is zero");
    let century = Duration::from_secs(100 * 366 * 24 * 3600);
    let graces = [Some(policy.grace.interrupt), Some(policy.grace.terminate)];
    assert!(limits.into_iter().chain(graces).flatten().all(|limit| limit < century), "no duration is unlimited");
    assert!(config.index.entries > 0, "the index has room for entries");
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    assert!(levels.contains(&config.log_level.as_str()), "the log level is valid");
}

fn check_reported(problems: &ConfigProblems) {
    assert!(!problems.0.is_empty(), "a failure has at least one problem");
    for problem in &problems.0 {
        let message = problem.to_string();
        let (reason, next) = message.rsplit_once("\nnext: ").unwrap_or_default();
        assert!(!reason.trim_end().ends_with(':'), "the reason is missing: {message}");
        assert!(!next.trim().is_empty(), "the next step is missing: {message}");
    }
}
