//! What users write into their configuration.

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

/// Parts: `config.toml`; the environment, a `NAME=VALUE` in each line; the arguments of `--set`, one in each line.
///
/// Whatever a user writes, it is a configuration that can be used, or it is a list of problems, each of which says
/// what to do.
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
        // The file is named, so that no variable makes another one of it.
        let overrides = Overrides { config_file: Some(path.clone()), data_dir: None, set };
        match Config::load(&overrides, &REGISTRY, std::iter::once(home).chain(variables)) {
            Ok(config) => usable(&config, path),
            Err(problems) => reported(&problems),
        }
    });
}

fn usable(config: &Config, path: PathBuf) {
    assert_eq!(config.file, path);
    assert!(config.data_dir.is_absolute() && config.log_dir.is_absolute(), "a relative path");
    assert!(config.backends.contains_key(&config.default_backend), "the default backend is none");
    for (name, backend) in &config.backends {
        assert_eq!(*name, backend.name);
        assert!(REGISTRY.build(backend).is_ok(), "`{name}` was accepted and cannot be built");
    }
    assert!(config.ceilings.keys().eq(config.backends.keys()), "a backend without a ceiling");
    let policy = &config.policy;
    let lengths = [Some(policy.heartbeat), Some(policy.stall_warning), policy.timeout, policy.stop_after_silence];
    assert!(lengths.into_iter().flatten().all(|length| length > Duration::ZERO), "a length of nothing");
    let century = Duration::from_secs(100 * 366 * 24 * 3600);
    let graces = [Some(policy.grace.interrupt), Some(policy.grace.terminate)];
    assert!(lengths.into_iter().chain(graces).flatten().all(|length| length < century), "a length without an end");
    assert!(config.index.entries > 0, "an index of nothing");
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    assert!(levels.contains(&config.log_level.as_str()), "no level");
}

fn reported(problems: &ConfigProblems) {
    assert!(!problems.0.is_empty(), "a failure without a problem");
    for problem in &problems.0 {
        let words = problem.to_string();
        let (what, next) = words.rsplit_once("\nnext: ").unwrap_or_default();
        assert!(!what.trim_end().ends_with(':'), "no word about what is wrong: {words}");
        assert!(!next.trim().is_empty(), "no word about what to do: {words}");
    }
}
