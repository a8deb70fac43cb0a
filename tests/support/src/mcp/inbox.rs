//! Sorts the messages that come from the server, and waits for more.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::Value;

/// Shared by the thread that reads the server's stdout and the threads that wait for answers.
#[derive(Debug, Clone, Default)]
pub(super) struct Inbox(Arc<InboxState>);

#[derive(Debug, Default)]
struct InboxState {
    received: Mutex<Received>,
    /// Notified whenever a message arrives.
    change: Condvar,
}

#[derive(Debug, Default)]
pub(super) struct Received {
    /// Answers by request ID, until they are taken.
    pub(super) answers: HashMap<i64, Value>,
    /// Messages of progress notifications, by request ID.
    pub(super) progress: HashMap<i64, Vec<String>>,
    /// All other messages: other notifications, requests from the server, errors without an ID.
    pub(super) others: Vec<Value>,
    /// Lines that are not JSON objects.
    pub(super) unexpected_lines: Vec<String>,
    /// Whether stdout has ended, so no more messages will come.
    pub(super) ended: bool,
}

impl Inbox {
    /// Reads `stdout` to its end.
    pub(super) fn read(&self, stdout: impl Read) {
        let mut lines = BufReader::new(stdout);
        let mut line = Vec::new();
        while lines.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            self.lock().sort(&line);
            self.0.change.notify_all();
            line.clear();
        }
        self.lock().ended = true;
        self.0.change.notify_all();
    }

    /// Gives access to everything received.
    pub(super) fn lock(&self) -> MutexGuard<'_, Received> {
        self.0.received.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `find` returns a value, stdout ends, or `deadline` passes.
    pub(super) fn wait_for<T>(&self, deadline: Instant, mut find: impl FnMut(&mut Received) -> Option<T>) -> Option<T> {
        let mut received = self.lock();
        loop {
            if let Some(found) = find(&mut received) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if received.ended || left == Duration::ZERO {
                return None;
            }
            received = self.0.change.wait_timeout(received, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Received {
    /// Why an answer has not arrived.
    pub(super) fn silence_reason(&self) -> &'static str {
        if self.ended { "its stdout has ended" } else { "no answer in time" }
    }

    fn sort(&mut self, line: &[u8]) {
        let Some(message) = serde_json::from_slice(line).ok().filter(Value::is_object) else {
            self.unexpected_lines.push(String::from_utf8_lossy(line).trim_end().to_owned());
            return;
        };
        let id = message["id"].as_i64();
        let token = message["params"]["progressToken"].as_i64();
        match (message["method"].as_str(), id, token) {
            (None, Some(id), _) => {
                self.answers.insert(id, message);
            }
            (Some("notifications/progress"), _, Some(token)) => {
                let text = message["params"]["message"].as_str().unwrap_or_default();
                self.progress.entry(token).or_default().push(text.to_owned());
            }
            _ => self.others.push(message),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lines_are_sorted_into_answers_progress_other_messages_and_unexpected_lines() {
        let inbox = Inbox::default();
        let stdout = concat!(
            "{\"id\":1,\"result\":{}}\n",
            "hello\n",
            "{\"method\":\"notifications/progress\",\"params\":{\"progressToken\":2,\"message\":\"half\"}}\n",
            "{\"method\":\"notifications/message\"}\n",
            "[1]\n",
        );
        inbox.read(stdout.as_bytes());
        let received = inbox.lock();
        assert_eq!(received.answers[&1], json!({"id": 1, "result": {}}));
        assert_eq!(received.progress[&2], ["half"]);
        assert_eq!(received.others, [json!({"method": "notifications/message"})]);
        assert_eq!(received.unexpected_lines, ["hello", "[1]"]);
        assert!(received.ended);
    }
}
