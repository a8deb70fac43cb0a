//! Lines of JSON with a few wrong bytes.

use codex_connector::fuzzing::json_line;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    bytes::damaged,
    cases,
    json::{any_value, damaged_value},
};

fn line() -> impl Strategy<Value = Vec<u8>> {
    let event =
        json!({"type": "x", "item": {"text": "a \u{1f600} \"b\" \\ \u{e9}\t", "list": [1, -2.5e3, null, true, [{}]]}});
    let texts =
        ["{\"a\":\"\\ud83d\\ude00\"}", "\u{1b}[?2004h{\"a\":1}{\"b\":2}\u{1b}]0;x\u{7}", "{\"a\":NaN,\"b\":[1e999]}"];
    let originals: Vec<Vec<u8>> =
        texts.iter().map(|text| text.as_bytes().to_vec()).chain([event.to_string().into_bytes()]).collect();
    prop_oneof![
        2 => damaged(originals),
        1 => damaged_value(vec![event]).prop_map(|value: Value| value.to_string().into_bytes()),
        1 => any_value().prop_map(|value| value.to_string().into_bytes()),
    ]
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn as_much_of_a_line_as_possible_is_read(line in line()) {
        json_line(&line);
    }
}
