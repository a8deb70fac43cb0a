//! Transcripts of real Codex runs with a few mistakes.

use std::{fs, path::Path};

use codex_connector::fuzzing::event_lines;
use proptest::prelude::*;
use serde_json::Value;

use crate::{PropertyInput, bytes::damaged, cases, json::damaged_value};

/// All recorded outputs with this extension.
fn recorded(extension: &str) -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("backends/codex/tests/recordings");
    let versions = fs::read_dir(root).expect("the recordings are in the repository").flatten();
    let runs = versions.filter_map(|version| fs::read_dir(version.path()).ok()).flatten().flatten();
    let wanted = runs.map(|run| run.path()).filter(|path| path.extension().is_some_and(|found| found == extension));
    let mut outputs: Vec<_> = wanted.map(|path| fs::read(path).expect("a recording is readable")).collect();
    outputs.sort();
    outputs
}

/// Transcripts in which any single event may be wrong.
fn transcript() -> impl Strategy<Value = Vec<u8>> {
    let events: Vec<Value> = recorded("jsonl")
        .iter()
        .flat_map(|run| run.split(|byte| *byte == b'\n'))
        .filter_map(|line| serde_json::from_slice(line).ok())
        .collect();
    prop::collection::vec(damaged_value(events), 0..8).prop_map(|events| {
        let lines: Vec<_> = events.iter().map(Value::to_string).collect();
        lines.join("\n").into_bytes()
    })
}

/// An object of these keys in any order, some of them missing, repeated, or written with an escape, with these values.
fn object(keys: &'static [&'static str], value: impl Strategy<Value = String> + 'static) -> BoxedStrategy<String> {
    let escaped = |key: &str| key.replacen('t', "\\u0074", 1);
    let key = prop_oneof![
        9 => prop::sample::select(keys).prop_map(str::to_owned),
        1 => prop::sample::select(keys).prop_map(escaped),
    ];
    let pairs = prop::collection::vec((key, value), 0..4);
    pairs.prop_map(|pairs| pairs.into_iter().map(|(key, value)| format!("\"{key}\":{value},")).collect()).boxed()
}

/// Values of any type as text, some of which no JSON has, or only on paper.
fn value() -> impl Strategy<Value = String> {
    const VALUES: [&str; 25] = [
        "1",
        "-7",
        "0.5",
        "null",
        "true",
        "\"\"",
        "\" \"",
        "\"x\"",
        "\"a\\n\\\"b\\\"\"",
        "\"\\ud83d\\ude00\"",
        "\"\\ud83d\"",
        "\"\u{e4}\"",
        "\"agent_message\"",
        "\"completed\"",
        "\"item.completed\"",
        "[]",
        "{}",
        "[{\"text\":\"x\"}]",
        "NaN",
        "1e999",
        "18446744073709551615",
        "9223372036854775808",
        "{\"a\":{\"a\":1e5}}",
        "x",
        "",
    ];
    let deep = (120..130_usize).prop_map(|levels| "[".repeat(levels) + &"]".repeat(levels));
    prop_oneof![30 => prop::sample::select(&VALUES[..]).prop_map(str::to_owned).boxed(), 1 => deep.boxed()]
}

/// Frequent events as no program should write them.
fn frequent() -> impl Strategy<Value = Vec<u8>> {
    const EVENT: &[&str] = &["type", "item", "id", "text", "usage", "$serde_json::private::RawValue"];
    const ITEM: &[&str] =
        &["type", "id", "text", "command", "aggregated_output", "exit_code", "status", "query", "changes", "items"];
    let quoted = |words: &'static [&'static str]| prop::sample::select(words).prop_map(|word| format!("\"{word}\""));
    let event_type = quoted(&["item.started", "item.completed", "item.updated", "turn.completed", "error"]);
    let item_type = quoted(&["agent_message", "reasoning", "command_execution", "web_search", "todo_list"]);
    let rest = "\"id\":\"1\",\"text\":\"said\",\"command\":\"ls\",\"aggregated_output\":\"a\\nb\",\"exit_code\":0";
    let item = (object(ITEM, value()), item_type, object(ITEM, value()), prop::bool::weighted(0.7));
    let item = item.prop_map(move |(before, kind, after, is_whole)| {
        let rest = if is_whole { rest } else { "\"status\":\"failed\"" };
        format!("{{{before}\"type\":{kind},{rest},{after}\"more\":0}}")
    });
    let event = (object(EVENT, value()), event_type, item, object(EVENT, value()), 0..4_u8);
    let event = event.prop_map(|(before, kind, item, after, order)| match order {
        0 => format!("{{{before}\"item\":{item},{after}\"type\":{kind}}}"),
        1 => format!("{{{before}\"type\":{kind},{after}\"item\":{item}}}"),
        _ => format!("{{\"type\":{kind},\"item\":{item}}}"),
    });
    prop::collection::vec(event, 0..8).prop_map(|events| events.join("\n").into_bytes())
}

/// How the output is split into reads, and how the agent exits.
fn how() -> impl Strategy<Value = Vec<u8>> {
    (0..4_u8, prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(exit, sizes)| [&[exit][..], &sizes].concat())
}

fn input() -> impl Strategy<Value = PropertyInput> {
    let stdout = prop_oneof![transcript(), damaged(recorded("jsonl")), frequent()];
    (stdout, damaged(recorded("stderr")), how())
        .prop_map(|(stdout, stderr, how)| PropertyInput::of(&[&stdout, &stderr, &how]))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_session_survives_every_line_and_still_reports_events(input in input()) {
        event_lines(&input.0);
    }

    #[test]
    fn frequent_events_are_read_in_the_same_way_with_and_without_a_value(stdout in frequent()) {
        event_lines(&PropertyInput::of(&[&stdout, b"", b"\0"]).0);
    }
}
