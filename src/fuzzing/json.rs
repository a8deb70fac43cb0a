//! Lines that are almost JSON.

use connector_api::JsonLine;
use serde_json::Value;

/// A line.
///
/// What serde_json reads is read the same way. Everything else is read in part or not at all, and whatever is read is
/// valid JSON by then, and stands on the line.
pub fn json_line(line: &[u8]) {
    let read = JsonLine::read(line);
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        let values: Vec<_> = read.objects.iter().map(|object| &object.value).collect();
        let expected: Vec<_> = Some(&value).filter(|value| value.is_object()).into_iter().collect();
        assert_eq!(values, expected, "a valid line is read differently");
        assert!(read.problem_events().is_empty(), "a valid line is remarked upon");
        if value.as_object().is_some_and(|object| !object.is_empty()) {
            surrounded(line, &value);
        }
    }
    let mut from = 0;
    for object in &read.objects {
        let text = object.value.to_string();
        let again = JsonLine::read(text.as_bytes());
        assert!(again.objects.len() == 1 && again.problem_events().is_empty(), "not valid: {text}");
        let at = memchr::memmem::find(&line[from..], object.text).expect("the object stands on the line");
        from += at + object.text.len();
    }
    let is_remarkable = read.problem.is_some() || read.objects.iter().any(|object| object.is_incomplete);
    assert_eq!(!read.problem_events().is_empty(), is_remarkable, "what was lost is told, and nothing else");
}

/// Text around a valid object makes no difference.
fn surrounded(line: &[u8], value: &Value) {
    for (before, after) in [("\u{1b}[?2004h", "\u{1b}[?2004l"), ("\u{1b}]0;x\u{7}", "\r"), ("busy \r", " done")] {
        let whole = [before.as_bytes(), line, after.as_bytes()].concat();
        let read = JsonLine::read(&whole);
        assert!(read.objects.len() == 1 && read.objects[0].value == *value, "lost between {before:?} and {after:?}");
    }
}
