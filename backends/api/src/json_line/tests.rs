//! Tests of lines with readable objects, with damaged ones, and without any.

use serde_json::json;

use super::*;

fn values(line: &[u8]) -> Vec<Value> {
    JsonLine::read(line).objects.into_iter().map(|object| object.value).collect()
}

/// The only object on the line, which must be readable without loss.
fn object(line: &[u8]) -> Value {
    let read = JsonLine::read(line);
    assert_eq!(read.problem_events(), [], "{}", line.escape_ascii());
    assert_eq!(read.objects.len(), 1, "{}", line.escape_ascii());
    read.objects[0].value.clone()
}

#[test]
fn valid_json_is_read_unchanged() {
    for line in [&b"{}"[..], b" {\"a\":\"\\ud83d\\ude00\"} \r", b"{\"a\":1,\"a\":[2,{\"b\":1.5e3}]}"] {
        let read = JsonLine::read(line);
        assert_eq!(read.objects[0].value, serde_json::from_slice::<Value>(line).expect("it is JSON"));
        assert_eq!((read.objects.len(), read.objects[0].text, read.problem), (1, line, None));
    }
}

#[test]
fn half_of_a_surrogate_pair_becomes_a_replacement_character() {
    for (line, text) in [
        (&br#"{"a":"x\ud83d"}"#[..], "x\u{fffd}"),
        (br#"{"a":"\ude00x"}"#, "\u{fffd}x"),
        (br#"{"a":"\ud83dx"}"#, "\u{fffd}x"),
        (br#"{"a":"\uDE00\uD83D"}"#, "\u{fffd}\u{fffd}"),
        (br#"{"a":"\ud83d\ud83d\ude00"}"#, "\u{fffd}\u{1f600}"),
        (br#"{"a":"\\ud83d\ud83d"}"#, "\\ud83d\u{fffd}"),
        (br#"{"a":"\ud83d\n"}"#, "\u{fffd}\n"),
    ] {
        assert_eq!(object(line), json!({"a": text}), "{}", line.escape_ascii());
    }
    assert_eq!(object(br#"{"\ud83d":1}"#), json!({"\u{fffd}": 1}), "in a key too");
}

#[test]
fn invalid_utf8_and_control_characters_are_accepted() {
    assert_eq!(object(b"{\"a\":\"\xe9 \xff\xfe\"}"), json!({"a": "\u{fffd} \u{fffd}\u{fffd}"}));
    assert_eq!(object(b"{\"a\":\"1\t2\x003\x1b[0m\r\"}"), json!({"a": "1\t2\u{0}3\u{1b}[0m\r"}));
}

#[test]
fn text_around_an_object_is_skipped() {
    let event = r#"{"type":"x","text":"{\"type\":\"y\"}"}"#;
    let expected = json!({"type": "x", "text": "{\"type\":\"y\"}"});
    for (before, after) in [
        ("\u{1b}[?2004h", "\u{1b}[?2004l"),
        ("\u{1b}]0;a {\"title\"}\u{7}", "\u{1b}]0;\u{1b}\\"),
        ("\u{1b}]0;no end ", ""),
        ("\u{280b} Working {1} {...}\r\u{1b}[2K", "\r"),
        ("\u{feff}", "\0"),
        ("2026-01-01 INFO ", " done in 3 s"),
        ("", "}"),
        ("", " {\"a\" is cut"),
    ] {
        let line = format!("{before}{event}{after}");
        assert_eq!(values(line.as_bytes()), std::slice::from_ref(&expected), "{line:?}");
    }
    assert_eq!(values(b"{ \"a\" : 1 } x"), [json!({"a": 1})]);
    assert_eq!(values(b"{\x1b[0m\"a\":1,\x1b[1m\"b\":\x072}"), Vec::<Value>::new(), "no quote after the brace");
    assert_eq!(values(b"{\"a\":1,\x1b[1m\"b\":\x072}"), [json!({"a": 1, "b": 2})]);
}

#[test]
fn two_objects_on_a_line_are_read_separately() {
    let line = b"{\"a\":1}{\"b\":{\"c\":2}}\r{\"d\":\"\\udc00\"}";
    let read = JsonLine::read(line);
    assert_eq!(values(line), [json!({"a": 1}), json!({"b": {"c": 2}}), json!({"d": "\u{fffd}"})]);
    assert_eq!(read.objects[1].text, b"{\"b\":{\"c\":2}}");
}

#[test]
fn values_json_cannot_represent_become_null_and_are_reported() {
    for (line, expected) in [
        (r#"{"a":NaN,"b":1}"#.to_owned(), json!({"a": null, "b": 1})),
        (r#"{"a":[-Infinity, 1e999,-1e400],"b":"NaN"}"#.to_owned(), json!({"a": [null, null, null], "b": "NaN"})),
        (r#"{"a":nan,"b":inf}"#.to_owned(), json!({"a": null, "b": null})),
    ] {
        let read = JsonLine::read(line.as_bytes());
        assert_eq!(read.objects.iter().map(|object| &object.value).collect::<Vec<_>>(), [&expected], "{line}");
        let [AgentEvent::Other { raw, .. }, AgentEvent::Warning { message }] = &read.problem_events()[..] else {
            panic!("no warning: {line}")
        };
        assert!(*raw == line && message.contains("read as null"), "{message}");
    }
}

#[test]
fn nesting_that_is_too_deep_becomes_null_and_is_reported() {
    let nested = |levels: usize| format!("{{\"a\":{}{},\"b\":1}}", "[".repeat(levels), "]".repeat(levels));
    assert!(JsonLine::read(nested(126).as_bytes()).problem_events().is_empty());
    for levels in [127, 200, 100_000] {
        let line = nested(levels);
        let read = JsonLine::read(line.as_bytes());
        assert_eq!((read.objects.len(), read.problem_events().len()), (1, 2), "{levels} levels");
        assert_eq!(read.objects[0].value["b"], 1);
    }
}

#[test]
fn an_unreadable_event_is_reported() {
    for line in [
        &br#"{"type":"turn.comp"#[..],
        br#"{"type":"x",}"#,
        br#"{"type":"\x1b"}"#,
        br#"{"type":+1}"#,
        b"\x1b[0m {\"type\":\"a\" \"b\"}",
        br#"{"type":"x\"#,
        br#"{"type":"x\u12"#,
        br#"{"a":1}{"type":"#,
        br#"{"a":{"type":"x"},}"#,
        b"\xef\xbb\xbf{\"type\":\"turn.comp\"",
    ] {
        let read = JsonLine::read(line);
        assert!(read.problem.is_some(), "{}", line.escape_ascii());
        assert!(matches!(&read.problem_events()[..], [AgentEvent::Other { .. }, AgentEvent::Warning { .. }]));
    }
}

#[test]
fn lines_without_a_json_object_are_ignored() {
    for line in [&b""[..], b"plain", b"{", b"{}x", b"{ code }", b"[1]", b"null", b"\"{\\\"a\\\":1}\"", b"x {\"a\" b}"] {
        let read = JsonLine::read(line);
        assert_eq!((read.objects.len(), &read.problem), (0, &None), "{}", line.escape_ascii());
    }
}

#[test]
fn an_object_inside_one_that_cannot_be_read_is_not_an_event() {
    assert_eq!(values(br#"{"a":{"type":"turn.completed"},}"#), Vec::<Value>::new());
    assert_eq!(values(br#"{"a":{"type":"turn.completed"}"#), Vec::<Value>::new());
}

#[test]
fn surrogates_at_the_ends_of_a_string_are_kept() {
    let surrogates = |line: &str| JsonLine::read(line.as_bytes()).objects[0].surrogates;
    assert_eq!(surrogates(r#"{"a":"x\ud83d"}"#), SplitSurrogates { low: None, high: Some(0xd83d) });
    assert_eq!(surrogates(r#"{"a":"\ude00x\ud83d"}"#), SplitSurrogates { low: Some(0xde00), high: Some(0xd83d) });
    assert_eq!(surrogates(r#"{"a":"x\ude00\ud83dx"}"#), SplitSurrogates::default());
}

#[test]
fn hostile_lines_are_read_in_linear_time() {
    const LENGTH: usize = 1 << 18;
    for chunk in [
        "{\"",
        "{ ",
        "\u{1b}]",
        "\u{1b}[",
        "\u{1b}",
        "[",
        "{\"a\":",
        "\\",
        "{\"a\":1}x",
        "{\"a\":}",
        "1",
        "\u{1b}P{\"a\":",
    ] {
        for start in ["", "x", "{\"a\":"] {
            let line = format!("{start}{}", chunk.repeat(LENGTH / chunk.len()));
            let began = std::time::Instant::now();
            JsonLine::read(line.as_bytes());
            assert!(began.elapsed().as_secs() < 20, "{start}{chunk:?}");
        }
    }
}
