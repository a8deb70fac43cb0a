//! Settings that a user might write: every key, with values that are correct or almost correct.

use std::collections::BTreeMap;

use codex_connector::fuzzing::config;
use proptest::prelude::*;

use crate::{PropertyInput, bytes::damaged, cases};

const DEFAULTS: &str = include_str!("../../config/default.toml");

const EXAMPLES: [&str; 3] = [
    include_str!("../../config/examples/careful.toml"),
    include_str!("../../config/examples/other-agents.toml"),
    include_str!("../../config/examples/several-codex.toml"),
];

/// Values grouped by type: a key that accepts one of a group accepts most of them.
const VALUE_KINDS: [&[&str]; 7] = [
    &["true", "false"],
    &["1", "0", "30", "64000", "9223372036854775807", "-1", "1.5", "nan"],
    &["[]", "[\"A\", \"B_*\"]", "[\"/x\"]", "[1]", "[[[]]]"],
    &["{}", "{ A = \"1\" }", "{ set = { A = \"1\" } }", "{ sandbox = \"read-only\" }", "{ a = { b = { c = [] } } }"],
    &["\"30s\"", "\"1h 30m\"", "\"0s\"", "\"99999999999h\"", "\"none\"", "\"off\"", "\"64KB\"", "\"1GiB\"", "\"0B\""],
    &["\"~/x\"", "\"/x\"", "\"~\"", "\"x\"", "\"codex\"", "\"command\"", "\"fast\"", "\"\"", "\"{prompt}\""],
    &["\"read-only\"", "\"danger-full-access\"", "\"interrupt\"", "\"kill\"", "\"auto\"", "\"info\"", "\"argument\""],
];

/// An additional backend: its required keys, and the other keys of its kind.
const FAST: [(&str, &str); 8] = [
    ("backends.fast.kind", "\"command\""),
    ("backends.fast.program", "\"agent\""),
    ("backends.fast.sandboxes.read-only", "[]"),
    ("backends.fast.args", "[\"{workdir}\", \"{sandbox_args}\"]"),
    ("backends.fast.model_args", "[\"{model}\"]"),
    ("backends.fast.prompt", "\"argument\""),
    ("backends.fast.env.set.A", "\"x\""),
    ("backends.fast.ceiling.roots", "[\"/x\"]"),
];

/// Unknown keys, and keys that are sections.
const UNUSUAL_VALUES: [&str; 7] =
    ["tasks", "backends", "backends.fast", "agent_env.set.A.B", "taks.keep_events", "heartbeat_interval", "x"];

/// Every key of `default.toml` with its section and value, including the keys that have no default.
fn defaults() -> Vec<(String, &'static str)> {
    let mut section = String::new();
    let mut keys = vec![];
    for line in DEFAULTS.lines().map(|line| line.trim_start_matches('#')).filter(|line| !line.starts_with(' ')) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = format!("{name}.");
        } else if let Some((key, value)) = line.split_once(" = ") {
            keys.push((format!("{section}{key}"), value));
        }
    }
    keys
}

/// Whether two values appear to have the same type.
fn is_like(value: &str, other: &str) -> bool {
    let kind = |value: &str| {
        let begins = |test: fn(char) -> bool| value.trim_start_matches('"').starts_with(test);
        let is_text = value.starts_with('"');
        match is_text {
            true if begins(|letter| letter.is_ascii_digit()) || ["\"off\"", "\"none\""].contains(&value) => 'n',
            true => '"',
            false if begins(|letter| letter.is_ascii_digit()) => '0',
            false => value.chars().next().unwrap_or(' '),
        }
    };
    kind(value) == kind(other) || value.starts_with('t') && other.starts_with('f')
}

/// A key and a value: its default, another value of the same type, or any value.
fn setting() -> impl Strategy<Value = (String, String)> {
    let known = [defaults(), FAST.map(|(key, value)| (key.to_owned(), value)).to_vec()].concat();
    let any = || prop::sample::select(VALUE_KINDS.concat());
    let right = prop::sample::select(known.clone()).prop_flat_map(|(key, value)| {
        let alike: Vec<_> =
            VALUE_KINDS.concat().into_iter().filter(|other| is_like(value, other)).chain([value]).collect();
        (Just(key), prop_oneof![Just(value), prop::sample::select(alike)])
    });
    let keys = known.into_iter().map(|(key, _)| key).chain(UNUSUAL_VALUES.map(str::to_owned)).collect::<Vec<_>>();
    let wrong = (prop::sample::select(keys), any());
    prop_oneof![20 => right, 1 => wrong].prop_map(|(key, value)| (key, value.to_owned()))
}

fn settings() -> impl Strategy<Value = Vec<(String, String)>> {
    prop::collection::vec(setting(), 0..4)
}

/// A file with some settings, or the default file or an example, which may be damaged.
fn file() -> impl Strategy<Value = Vec<u8>> {
    let lines = |(fast, settings): (bool, Vec<(String, String)>)| {
        let needed = FAST[..3].iter().filter(|_| fast).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        // A table can have each key only once.
        let table: BTreeMap<_, _> = needed.chain(settings).collect();
        table.iter().flat_map(|(key, value)| format!("{key} = {value}\n").into_bytes()).collect::<Vec<u8>>()
    };
    let whole = EXAMPLES.iter().chain(&[DEFAULTS]).map(|text| text.as_bytes().to_vec()).collect();
    prop_oneof![3 => (any::<bool>(), settings()).prop_map(lines), 1 => damaged(whole)]
}

fn input() -> impl Strategy<Value = PropertyInput> {
    (file(), settings(), settings()).prop_map(|(file, environment, flags)| {
        // Strings have quotes only in a file.
        let variable = |(key, value): &(String, String)| {
            let name = key.to_uppercase().replace('.', "__");
            format!("CODEX_CONNECTOR_{name}={}", value.trim_matches('"'))
        };
        let flag = |(key, value): &(String, String)| format!("{key}={}", value.trim_matches('"'));
        let environment: Vec<_> = environment.iter().map(variable).collect();
        let flags: Vec<_> = flags.iter().map(flag).collect();
        PropertyInput::of(&[&file, environment.join("\n").as_bytes(), flags.join("\n").as_bytes()])
    })
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn settings_are_usable_or_their_problems_are_reported(input in input()) {
        config(&input.0);
    }
}

#[test]
fn the_keys_of_the_default_configuration_are_tested() {
    let keys = defaults();
    for key in ["data_dir", "log_dir", "tasks.keep_events", "backends.codex.model", "agent_env.set"] {
        assert!(keys.iter().any(|(found, _)| found == key), "{key} is not among {keys:?}");
    }
}
