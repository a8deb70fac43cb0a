//! Properties of the lenient JSON reader.

use connector_api::JsonLine;
use serde_json::Value;

/// The input is one line.
///
/// A line that serde_json can read is read identically. Other lines are read in part or not at all. Every object that
/// is read is valid JSON, and its text is part of the line.
pub fn json_line(line: &[u8]) {
    let read = JsonLine::read(line);
    if let Ok(value) = serde_json::from_slice::<Value>(line) {
        let values: Vec<_> = read.objects.iter().map(|object| &object.value).collect();
        let expected: Vec<_> = Some(&value).filter(|value| value.is_object()).into_iter().collect();
        assert_eq!(values, expected, "a valid line is read differently");
        assert!(read.problem_events().is_empty(), "a valid line has a problem");
        if value.as_object().is_some_and(|object| !object.is_empty()) {
            check_surrounded(line, &value);
        }
    }
    let mut start = 0;
    for object in &read.objects {
        let text = object.value.to_string();
        let reread = JsonLine::read(text.as_bytes());
        assert!(reread.objects.len() == 1 && reread.problem_events().is_empty(), "not valid: {text}");
        let offset = memchr::memmem::find(&line[start..], object.text).expect("the object is part of the line");
        start += offset + object.text.len();
    }
    let has_problem = read.problem.is_some() || read.objects.iter().any(|object| object.is_incomplete);
    assert_eq!(!read.problem_events().is_empty(), has_problem, "exactly the problems are reported");
}

/// Checks that text around a valid object makes no difference.
fn check_surrounded(line: &[u8], value: &Value) {
    for (before, after) in [("\u{1b}[?2004h", "\u{1b}[?2004l"), ("\u{1b}]0;x\u{7}", "\r"), ("busy \r", " done")] {
        let surrounded = [before.as_bytes(), line, after.as_bytes()].concat();
        let read = JsonLine::read(&surrounded);
        assert!(read.objects.len() == 1 && read.objects[0].value == *value, "lost between {before:?} and {after:?}");
    }
}
