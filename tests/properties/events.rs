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

/// How the output is split into reads, and how the agent exits.
fn how() -> impl Strategy<Value = Vec<u8>> {
    (0..4_u8, prop::collection::vec(any::<u8>(), 0..4)).prop_map(|(exit, sizes)| [&[exit][..], &sizes].concat())
}

fn input() -> impl Strategy<Value = PropertyInput> {
    let stdout = prop_oneof![transcript(), damaged(recorded("jsonl"))];
    (stdout, damaged(recorded("stderr")), how())
        .prop_map(|(stdout, stderr, how)| PropertyInput::of(&[&stdout, &stderr, &how]))
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_session_survives_every_line_and_still_reports_events(input in input()) {
        event_lines(&input.0);
    }
}
