//! Tool call arguments with a few mistakes.

use codex_connector::fuzzing::tool_arguments;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    PropertyInput, cases,
    json::{any_value, damaged_value},
};

fn calls() -> Vec<Value> {
    vec![
        json!({"task": "fix it", "workingDirectory": "/project", "sandbox": "read-only", "model": "m", "async": true}),
        json!({"task": "fix it", "workingDirectory": "/project", "timeoutMs": 1500.0}),
        json!({"taskId": "0123abcd", "tailLines": 10}),
        json!({"status": "failed", "limit": 20}),
        json!({"task": "fix it", "workingDirectory": "/project", "async": "true", "timeoutMs": "60000", "model": ""}),
        json!({}),
    ]
}

fn input() -> impl Strategy<Value = PropertyInput> {
    let value = prop_oneof![3 => damaged_value(calls()), 1 => any_value()];
    value.prop_map(|value| PropertyInput(value.to_string().into_bytes()))
}

proptest! {
    #![proptest_config(cases(2_000))]

    #[test]
    fn arguments_are_accepted_within_limits_or_refused_in_two_lines(input in input()) {
        tool_arguments(&input.0);
    }
}
