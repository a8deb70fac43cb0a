//! Records and indexes, in our format and the original program's, with a few mistakes.

use std::{fs, path::Path};

use codex_connector::fuzzing::{index, records};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::{PropertyInput, bytes::damaged, cases, json::damaged_value};

/// The task that the properties look for.
const TASK: &str = "0123abcd";

fn ended() -> Value {
    json!({
        "format": 1, "id": TASK, "task": "fix it", "backend": "codex", "sandbox": "workspace-write",
        "workingDirectory": "/project", "model": null, "status": "completed", "startedAt": "2026-01-02T03:04:05.006Z",
        "completedAt": "2026-01-02T03:06:35.006Z", "pid": 4321, "environment": {"HOME": "set"}, "stdoutBytes": 15234,
        "lastActivityType": "stdout", "exitCode": 0, "duration": 150000, "durationFormatted": "2m 30s",
        "result": "Done.", "usage": {"inputTokens": 1}, "attempt": 1,
        "supervisor": {"pid": 4320, "startTime": 99, "bootId": "b"}, "debugFile": "/d/logs/0123abcd.debug.json"
    })
}

fn running() -> Value {
    json!({"format": 1, "id": TASK, "task": "t", "status": "running", "startedAt": "2026-01-02T03:04:05Z", "pid": 7})
}

fn original_index() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures/original-tasks.json");
    serde_json::from_slice(&fs::read(file).expect("the fixture is in the repository")).expect("it is JSON")
}

/// The original program's tasks, one of which has the ID that the properties look for.
fn original_entries() -> Map<String, Value> {
    let Value::Object(mut entries) = original_index() else { panic!("an index is an object") };
    let mut ours = entries.values().next().expect("it has tasks").clone();
    ours["id"] = TASK.into();
    entries.insert(TASK.into(), ours);
    entries
}

fn records_of_all_ages() -> Vec<Value> {
    let later = json!({"format": 99, "id": TASK, "everything": "else"});
    [ended(), running(), later].into_iter().chain(original_entries().into_iter().map(|(_, entry)| entry)).collect()
}

fn indexes_of_all_ages() -> Vec<Value> {
    let ours = json!({TASK: ended(), "89abcdef": running(), "strange": 3});
    let mut mixed = original_entries();
    mixed.insert("89abcdef".into(), ended());
    vec![ours, original_index(), Value::Object(mixed), json!({})]
}

/// Values as JSON with wrong content, and as bytes that are no longer JSON.
fn written(values: Vec<Value>) -> impl Strategy<Value = Vec<u8>> {
    let texts = values.iter().flat_map(|value| [format!("{value:#}"), value.to_string()].map(String::into_bytes));
    let damaged = damaged(texts.collect());
    prop_oneof![
        3 => damaged_value(values).prop_map(|value| value.to_string().into_bytes()),
        2 => damaged,
        1 => Just(vec![]),
        1 => prop::collection::vec(any::<u8>(), 0..30),
    ]
}

/// The content of two files.
fn two_files(first: Vec<Value>, second: Vec<Value>) -> impl Strategy<Value = PropertyInput> {
    (written(first), written(second)).prop_map(|(first, second)| PropertyInput::of(&[&first, &second]))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn a_record_is_read_or_left_alone(input in two_files(records_of_all_ages(), indexes_of_all_ages())) {
        records(&input.0);
    }

    #[test]
    fn index_entries_are_never_lost(input in two_files(indexes_of_all_ages(), records_of_all_ages())) {
        index(&input.0);
    }
}
