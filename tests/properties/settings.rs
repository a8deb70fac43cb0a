//! Settings that a user may write: every key there is, with values that are right, or nearly.

use codex_connector::fuzzing::config;
use proptest::prelude::*;

use crate::{Input, bytes::damaged, cases};

const DEFAULTS: &str = include_str!("../../config/default.toml");

const EXAMPLES: [&str; 3] = [
    include_str!("../../config/examples/careful.toml"),
    include_str!("../../config/examples/other-agents.toml"),
    include_str!("../../config/examples/several-codex.toml"),
];

/// What stands after the `=`, whether or not it fits there.
const VALUES: [&str; 28] = [
    "\"30s\"",
    "\"none\"",
    "\"off\"",
    "\"0s\"",
    "\"1h 30m\"",
    "30",
    "0",
    "-1",
    "1.5",
    "nan",
    "9223372036854775807",
    "true",
    "\"read-only\"",
    "\"codex\"",
    "\"command\"",
    "\"fast\"",
    "\"~/x\"",
    "\"/x\"",
    "\"\"",
    "\"x\"",
    "[]",
    "[\"A\", \"B_*\"]",
    "[1]",
    "{}",
    "{ A = \"1\" }",
    "{ set = { A = \"1\" } }",
    "2024-01-15",
    "[[[]]]",
];

/// Every key of `default.toml` with its section, those without a default among them, and some that are none.
fn keys() -> Vec<String> {
    let mut section = String::new();
    let mut keys: Vec<String> = vec![];
    for line in DEFAULTS.lines().map(|line| line.trim_start_matches('#')).filter(|line| !line.starts_with(' ')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, _)) = line.split_once(" = ") {
            keys.push(format!("{section}{key}"));
        }
    }
    let more = ["args", "sandboxes", "sandboxes.read-only", "prompt", "env.set.A", "env.pass", "kind", "program"];
    keys.extend(more.iter().flat_map(|key| ["codex", "fast", "Bad"].map(|name| format!("backends.{name}.{key}"))));
    let none =
        ["tasks", "backends", "backends.fast", "agent_env.set.A.B", "taks.keep_events", "heartbeat_interval", "x"];
    keys.extend(none.map(str::to_owned));
    keys
}

/// A key, and what it is set to.
fn settings() -> impl Strategy<Value = Vec<(String, &'static str)>> {
    prop::collection::vec((prop::sample::select(keys()), prop::sample::select(&VALUES[..])), 0..6)
}

/// A file of settings, the default ones, or an example, damaged or not.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let lines = |settings: Vec<(String, &str)>| -> String {
        settings.iter().map(|(key, value)| format!("{key} = {value}\n")).collect()
    };
    let whole = EXAMPLES.iter().chain(&[DEFAULTS]).map(|text| text.as_bytes().to_vec()).collect();
    prop_oneof![3 => settings().prop_map(move |settings| lines(settings).into_bytes()), 1 => damaged(whole)]
}

fn input() -> impl Strategy<Value = Input> {
    (file(), settings(), settings()).prop_map(|(file, environment, flags)| {
        let environment: Vec<_> = environment
            .iter()
            .map(|(key, value)| {
                let name = key.to_uppercase().replace('.', "__");
                format!("CODEX_CONNECTOR_{name}={}", value.trim_matches('"'))
            })
            .collect();
        let flags: Vec<_> = flags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        Input::of(&[&file, environment.join("\n").as_bytes(), flags.join("\n").as_bytes()])
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn settings_are_usable_or_their_problems_are_told(input in input()) {
        config(&input.0);
    }
}

#[test]
fn the_keys_that_are_tried_are_those_of_the_defaults() {
    let keys = keys();
    for key in ["data_dir", "log_dir", "tasks.keep_events", "backends.codex.model", "agent_env.set"] {
        assert!(keys.iter().any(|found| found == key), "{key} is not among {keys:?}");
    }
}
