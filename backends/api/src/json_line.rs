//! A lenient reader for lines that are not quite JSON.
//!
//! Agents print one JSON object per line, with some deviations:
//!
//! | deviation | printed by | read as |
//! |---|---|---|
//! | half of a surrogate pair (`"\ud83d"`) | programs in JavaScript, which cut texts between UTF-16 units | U+FFFD |
//! | bytes that are not UTF-8 | programs that forward a command's output | U+FFFD |
//! | control characters in a string | hand-made JSON | the character |
//! | `NaN`, `Infinity`, `1e999`, more than 127 levels of nesting | programs in Python | null, with a warning |
//! | escape sequences, a spinner, a byte order mark or a log prefix | terminals and wrappers | skipped |
//! | two objects on one line | writers that share a pipe | two objects |
//!
//! Valid JSON costs one call of serde_json. Only a line that serde_json rejects is scanned, once, from left to right.
//! An unreadable object is reported if it begins the line or follows a readable one: see [`JsonLine::problem_events`]
//! and [`JsonReader::warning`].

mod scan;
mod split_surrogates;

use memchr::memchr;
use serde_json::Value;

pub use split_surrogates::SplitSurrogates;

use crate::{AgentEvent, Warning};

/// Maximum number of objects on one line. Two are an accident; this many are an attack on our memory.
const MAX_OBJECTS: usize = 1_000;

/// The objects on one line.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonLine<'a> {
    /// The objects, in order. Empty if the line is not JSON.
    pub objects: Vec<JsonObject<'a>>,
    /// Why a part of the line that looks like an object could not be read, if there is one.
    pub problem: Option<String>,
    /// The rest of the line after the last object that was read.
    pub unread: &'a [u8],
    line: &'a [u8],
}

/// One object on a line.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonObject<'a> {
    /// The object.
    pub value: Value,
    /// Its text as the agent printed it.
    pub text: &'a [u8],
    /// Whether a value that JSON cannot represent (`NaN`, an infinite number, nesting deeper than 127 levels) became
    /// null.
    pub is_incomplete: bool,
    /// The halves of surrogate pairs that became U+FFFD. Their other halves may be in another object.
    pub surrogates: SplitSurrogates,
}

impl<'a> JsonLine<'a> {
    /// Reads a line, in time proportional to its length for any content.
    pub fn read(line: &'a [u8]) -> Self {
        // A shortcut for the lines of a program that prints plain text.
        if memchr(b'{', line).is_none() {
            return Self { objects: vec![], problem: None, unread: line, line };
        }
        match serde_json::from_slice(line) {
            Ok(value @ Value::Object(_)) => {
                let object =
                    JsonObject { value, text: line, is_incomplete: false, surrogates: SplitSurrogates::default() };
                Self { objects: vec![object], problem: None, unread: &[], line }
            }
            Ok(_) => Self { objects: vec![], problem: None, unread: line, line },
            Err(_) => Self::read_leniently(line),
        }
    }

    fn read_leniently(line: &'a [u8]) -> Self {
        let mut read = Self { objects: vec![], problem: None, unread: line, line };
        let mut from = 0;
        while let Some(found) = scan::find_object(line, from) {
            // After other text, it may be something else, such as a snippet of code in a message.
            let is_expected = found.is_first && from == 0 || !read.objects.is_empty();
            if read.objects.len() == MAX_OBJECTS {
                read.problem = Some(format!("it has more than {MAX_OBJECTS} objects"));
                break;
            }
            let Some(copy) = scan::copy_object(line, found.start) else {
                // An object nested in an unfinished one does not count.
                read.problem = is_expected.then(|| "it ends in the middle of an object".to_owned()).or(read.problem);
                break;
            };
            match serde_json::from_slice(&copy.text) {
                Ok(value) => {
                    read.unread = &line[copy.end..];
                    read.objects.push(JsonObject {
                        value,
                        text: &line[found.start..copy.end],
                        is_incomplete: copy.is_incomplete,
                        surrogates: copy.surrogates,
                    });
                }
                Err(error) if is_expected => read.problem = Some(error.to_string()),
                Err(_) => {}
            }
            from = copy.end;
        }
        read
    }

    /// Events that report what could not be read. They contain the original line, which would not be in the log
    /// otherwise.
    pub fn problem_events(&self) -> Vec<AgentEvent> {
        let length = self.line.len();
        let message = match &self.problem {
            Some(problem) => format!("a line of {length} bytes could not be read as JSON: {problem}"),
            None if self.objects.iter().any(|object| object.is_incomplete) => format!(
                "a line of {length} bytes has values that JSON cannot represent (NaN, an infinite number, or more \
                 than {} levels of nesting); they were read as null",
                scan::MAX_DEPTH
            ),
            None => return vec![],
        };
        let raw = String::from_utf8_lossy(self.line).into_owned();
        vec![AgentEvent::Other { kind: "unreadable".into(), raw }, AgentEvent::Warning { message }]
    }
}

/// Reads the lines of one run, and counts those that could not be read.
#[derive(Debug, Clone, Default)]
pub struct JsonReader {
    unreadable: u64,
}

impl JsonReader {
    /// Reads the next line.
    pub fn read<'a>(&mut self, line: &'a [u8]) -> JsonLine<'a> {
        let line = JsonLine::read(line);
        self.unreadable += u64::from(line.problem.is_some());
        line
    }

    /// Counts a line that was too long to keep, and of which only the beginning is known, if it may be an event. Call it
    /// if the event is unknown.
    pub fn too_long(&mut self, head: &[u8]) {
        self.unreadable += u64::from(head.trim_ascii_start().starts_with(b"{"));
    }

    /// A warning that events may be missing, if any line could not be read.
    pub fn warning(&self) -> Option<Warning> {
        let message = match self.unreadable {
            0 => return None,
            1 => "one line of the agent's output could not be read, so an event may be missing".to_owned(),
            lines => format!("{lines} lines of the agent's output could not be read, so events may be missing"),
        };
        Some(Warning { message, advice: Some("see the lines in the task's log".to_owned()) })
    }
}

#[cfg(test)]
#[path = "json_line/tests.rs"]
mod tests;
