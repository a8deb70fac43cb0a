//! The supervisor's stdout: whether there is a task, and hints that wake those who follow it.
//!
//! Nothing depends on a hint: it is dropped when nobody reads, and whoever follows the task looks at its files anyway a
//! little later.

use std::io;

use rustix::fs::{FileType, OFlags};
use serde::{Deserialize, Serialize};

/// The first line of a supervisor's stdout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Readiness {
    /// There is a task; its record is on disk.
    Ready,
    /// The id belongs to another task. Nothing was changed.
    InUse,
    /// There is no task, for this reason.
    Refused(String),
}

/// A further line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Hint {
    /// The timeline has entries up to the one with this number.
    Timeline(u64),
    /// The books are closed.
    Ended,
}

/// Writes readiness and hints, never waiting for a reader.
#[derive(Debug)]
pub(super) struct HintWriter {
    /// `None`: nobody is told.
    stdout: Option<io::Stdout>,
}

impl HintWriter {
    /// Takes stdout. Where it is a pipe, writing to it no longer waits: only we have this end of it.
    pub(super) fn open() -> Self {
        let stdout = io::stdout();
        let is_pipe = rustix::fs::fstat(&stdout)
            .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::Fifo | FileType::Socket));
        if is_pipe && let Ok(flags) = rustix::fs::fcntl_getfl(&stdout) {
            let _ = rustix::fs::fcntl_setfl(&stdout, flags | OFlags::NONBLOCK);
        }
        Self { stdout: Some(stdout) }
    }

    /// Hints for nobody: stdout belongs to the tests.
    #[cfg(test)]
    pub(super) fn none() -> Self {
        Self { stdout: None }
    }

    pub(super) fn readiness(&self, readiness: &Readiness) {
        self.line(readiness);
    }

    pub(super) fn refuse(&self, problem: &str) {
        self.line(&Readiness::Refused(problem.to_owned()));
    }

    pub(super) fn hint(&self, hint: &Hint) {
        self.line(hint);
    }

    /// One write of less than a pipe takes at once (4 KiB), so that a line is written whole or not at all.
    fn line(&self, line: &impl Serialize) {
        let Some(stdout) = &self.stdout else { return };
        let mut line = serde_json::to_vec(line).expect("hints are strings and numbers");
        line.push(b'\n');
        let _ = rustix::io::write(stdout, &line);
    }
}
