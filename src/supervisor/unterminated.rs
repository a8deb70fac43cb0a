//! Handles an agent's last line of stdout while it has no line break.
//!
//! An agent may write its final event without a line break and then not exit. The event would be read only at the end
//! of the stream, so the task would run until its time limit. Therefore a complete JSON object that has waited
//! [`LINE_END_TIMEOUT`] for its line break is read as a line. Any other text may be the beginning of a longer line, and
//! keeps waiting.

use std::time::{Duration, Instant};

use connector_api::{JsonLine, without_colours};

/// How long a complete object waits for its line break.
const LINE_END_TIMEOUT: Duration = Duration::from_secs(1);

/// Tracks when to check whether the last line is complete.
#[derive(Debug, Default)]
pub(super) struct UnterminatedLine {
    check_at: Option<Instant>,
}

impl UnterminatedLine {
    /// Records output at `now`. `is_waiting`: the last line has no line break yet.
    pub(super) fn output_received(&mut self, is_waiting: bool, now: Instant) {
        self.check_at = is_waiting.then(|| now + LINE_END_TIMEOUT);
    }

    /// When to call [`take_due`](Self::take_due).
    pub(super) fn check_at(&self) -> Option<Instant> {
        self.check_at
    }

    /// Whether the line has waited long enough. Returns true at most once per output.
    pub(super) fn take_due(&mut self, now: Instant) -> bool {
        self.check_at.take_if(|check_at| now >= *check_at).is_some()
    }
}

/// Whether `line` consists only of complete JSON objects, ignoring escape sequences.
pub(super) fn is_complete(line: &[u8]) -> bool {
    let text = |bytes| without_colours(&String::from_utf8_lossy(bytes));
    if !text(line).trim_start().starts_with('{') {
        return false;
    }
    let read = JsonLine::read(line);
    read.problem.is_none() && !read.objects.is_empty() && text(read.unread).trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_json_object_is_a_complete_line() {
        for complete in [r#"{"type":"result"}"#, " {\"a\":{}} ", "\u{1b}[0m{\"a\":1}\u{1b}[0m", r#"{"a":1}{"b":2}"#] {
            assert!(is_complete(complete.as_bytes()), "{complete}");
        }
        for other in ["", "done", "see {\"a\":1}", "{\"a\":1} and", "{\"a\":{}", "{\"a\":1}{\"b\"", "[1]", "1", "{"] {
            assert!(!is_complete(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn each_output_restarts_the_wait_and_is_checked_once() {
        let (mut line, start) = (UnterminatedLine::default(), Instant::now());
        assert!(!line.take_due(start + LINE_END_TIMEOUT), "there was no output");
        line.output_received(true, start);
        line.output_received(true, start + LINE_END_TIMEOUT / 2);
        assert!(!line.take_due(start + LINE_END_TIMEOUT), "the second output restarted the wait");
        assert!(line.take_due(start + 2 * LINE_END_TIMEOUT));
        assert!(!line.take_due(start + 3 * LINE_END_TIMEOUT), "there was no output since");
        line.output_received(true, start);
        line.output_received(false, start);
        assert_eq!(line.check_at(), None, "the line has ended");
    }
}
