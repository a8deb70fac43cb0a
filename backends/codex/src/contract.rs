//! The contract tests, with the output of real versions.

use connector_api::contract::Subject;
use serde_json::{Value, json};

use crate::recordings::Recording;

fn subject(version: &str) -> Subject {
    let recording = Recording::of(version);
    Subject {
        settings: json!({"extra_args": ["--color", "never"], "env": {"remove": ["SECRET_*"]}}),
        answers: recording.answers(),
        success: without_unfinished(&recording.text("success.jsonl")).into_bytes(),
    }
}

/// A recording without the starts of items that never end, because those cause a warning.
fn without_unfinished(recording: &str) -> String {
    let events: Vec<(&str, Value)> =
        recording.lines().map(|line| (line, serde_json::from_str(line).expect("it is JSON"))).collect();
    let has_ended = |started: &Value| {
        events
            .iter()
            .any(|(_, event)| event["type"] == "item.completed" && event["item"]["id"] == started["item"]["id"])
    };
    let kept = events.iter().filter(|(_, event)| event["type"] != "item.started" || has_ended(event));
    kept.map(|(line, _)| format!("{line}\n")).collect()
}

mod v0_44 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.44.0"));
}

mod v0_47 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.47.0"));
}

mod v0_105 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.105.0"));
}

mod v0_125 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.125.0"));
}

mod v0_142 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.142.0"));
}

mod v0_169 {
    connector_api::contract_tests!(crate::Codex, super::subject("0.169.0"));
}
