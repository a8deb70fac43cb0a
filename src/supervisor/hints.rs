//! The supervisor's stdout: its readiness line, and hints that wake the followers of its task.
//!
//! Nothing depends on a hint. If nobody reads, it is dropped, because followers check the task's files a little later
//! anyway.

use std::io;

use rustix::fs::{FileType, OFlags};
use serde::{Deserialize, Serialize};

use crate::task::cut_middle;

/// The first line of a supervisor's stdout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Readiness {
    /// The task exists; its record is on disk.
    Ready,
    /// The ID belongs to another task. Nothing was changed.
    InUse,
    /// The task could not begin, for this reason.
    Refused(String),
}

/// A line after the first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Hint {
    /// The timeline has entries up to the one with this number.
    Timeline(u64),
    /// The task has ended, and its record is final.
    Ended,
}

/// Writes readiness and hints without ever waiting for a reader.
#[derive(Debug)]
pub(super) struct HintWriter {
    /// `None` discards all lines.
    stdout: Option<io::Stdout>,
}

impl HintWriter {
    /// Takes stdout. If it is a pipe, makes it non-blocking, which affects no other process, because only we have this
    /// end.
    pub(super) fn open() -> Self {
        let stdout = io::stdout();
        let is_pipe = rustix::fs::fstat(&stdout)
            .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket));
        if is_pipe && let Ok(flags) = rustix::fs::fcntl_getfl(&stdout) {
            let _ = rustix::fs::fcntl_setfl(&stdout, flags | OFlags::NONBLOCK);
        }
        Self { stdout: Some(stdout) }
    }

    /// Discards all hints, because stdout belongs to the test.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { stdout: None }
    }

    pub(super) fn readiness(&self, readiness: &Readiness) {
        self.line(readiness);
    }

    pub(super) fn refuse(&self, problem: &str) {
        self.line(&refused(problem));
    }

    pub(super) fn hint(&self, hint: &Hint) {
        self.line(hint);
    }

    /// Writes a line with one call. It is shorter than 4 KiB, which a pipe takes either completely or not at all.
    fn line(&self, line: &impl Serialize) {
        let Some(stdout) = &self.stdout else { return };
        let mut line = serde_json::to_vec(line).expect("hints are strings and numbers");
        line.push(b'\n');
        let _ = rustix::io::write(stdout, &line);
    }
}

/// The refusal with this problem. A long one loses its middle, because the line must be shorter than 4 KiB, and JSON can
/// write a character with six bytes.
fn refused(problem: &str) -> Readiness {
    const MAX_PROBLEM_CHARACTERS: usize = 600;
    Readiness::Refused(cut_middle(problem, MAX_PROBLEM_CHARACTERS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_takes_the_line_of_every_refusal_as_a_whole() {
        for problem in ["\u{1}", "é", "👩", "\\"] {
            let line = serde_json::to_vec(&refused(&problem.repeat(100_000))).expect("it is a string");
            assert!(line.len() < 4 << 10, "{problem:?}: {}", line.len());
        }
        assert!(matches!(refused("short"), Readiness::Refused(problem) if problem == "short"));
    }
}
