//! The meaning of a failure message: why the agent failed, and how its user can fix it.
//!
//! Each backend has one [`FailureTable`]. A row lists the [patterns](Pattern) that identify a failure, and the real
//! messages for which it was written; [`FailureTable::flaws`] checks that they match, so one line tests a table. The
//! first matching row wins: put specific rows before general ones.
//!
//! A row with a [`Cause`] may send the task to another company's agent (see `fallback` in the configuration), or end it
//! (see `give_up_offline`). Its patterns must therefore match only that failure. A number in an ID, a path, a port or a time is never a status code
//! (see [`Pattern::Status`]).

pub mod advice;
mod flaws;
mod pattern;

pub use pattern::Pattern;

use crate::{AgentEvent, AgentFailure, Cause};
use pattern::MessageTokens;

/// The rows that explain one agent's failures, in order of precedence.
#[derive(Debug, Clone, Copy)]
pub struct FailureTable(&'static [FailureRow]);

/// One kind of failure.
#[derive(Debug, Clone, Copy)]
pub struct FailureRow {
    /// Any of these identifies the failure.
    pub patterns: &'static [Pattern],
    /// Real messages. Each pattern must match at least one of them.
    pub examples: &'static [&'static str],
    /// Advice for the user, on one line. It names a command, a configuration key or a parameter. The module [`advice`]
    /// has advice that fits several agents.
    pub advice: &'static str,
    /// Why the agent cannot work, if this failure says so.
    pub cause: Option<Cause>,
}

impl FailureTable {
    /// A table with these rows.
    pub const fn new(rows: &'static [FailureRow]) -> Self {
        Self(rows)
    }

    /// The row that explains this message. Only the first 64 KiB of the message are searched.
    pub fn find(&self, said: &str) -> Option<&'static FailureRow> {
        let text = MessageTokens::read(said);
        self.0.iter().find(|row| row.patterns.iter().any(|pattern| text.matches(*pattern)))
    }

    /// The row for a status code that the agent reports separately from its message.
    pub fn find_status(&self, status: u64) -> Option<&'static FailureRow> {
        let is_it = |pattern: &Pattern| matches!(pattern, Pattern::Status(code) if u64::from(*code) == status);
        self.0.iter().find(|row| row.patterns.iter().any(is_it))
    }

    /// A failure in the agent's own words, with the advice and the cause of the row that explains it, if any.
    pub fn failure(&self, said: impl Into<String>) -> AgentFailure {
        let said = said.into();
        match self.find(&said) {
            Some(row) => row.failure(said),
            None => AgentFailure::new(said),
        }
    }

    /// The event for a failure from which the agent tries to recover, in its own words, with the cause in the row that
    /// explains it, if any.
    pub fn transient_error(&self, said: impl Into<String>) -> AgentEvent {
        let message = said.into();
        let cause = self.find(&message).and_then(|row| row.cause);
        AgentEvent::TransientError { message, cause }
    }
}

impl FailureRow {
    /// No space left on a file system. Every agent reports it in the operating system's words.
    pub const DISK_FULL: Self = Self {
        patterns: &[Pattern::Words("no space left on device"), Pattern::Words("enospc"), Pattern::Words("os error 28")],
        examples: &[
            "Error: failed to write session file: No space left on device (os error 28)",
            "ENOSPC: no space left on device, write",
        ],
        advice: "free disk space for the working directory, the home directory and the temporary directory, then try again",
        cause: None,
    };

    /// The user's disk quota is used up. This is unrelated to the quota of an account.
    pub const DISK_QUOTA: Self = Self {
        patterns: &[
            Pattern::Words("disk quota exceeded"),
            Pattern::Words("disc quota exceeded"),
            Pattern::Words("edquot"),
            // musl says only "Quota exceeded".
            Pattern::Words("os error 122"),
        ],
        examples: &[
            "Error: failed to write session file: Quota exceeded (os error 122)",
            "EDQUOT: disk quota exceeded, write",
            "write: Disc quota exceeded",
        ],
        advice: "free disk space: this user's disk quota is used up",
        cause: None,
    };

    /// A failure that this row explains, in the agent's own words.
    pub fn failure(&self, said: impl Into<String>) -> AgentFailure {
        AgentFailure { message: said.into(), advice: Some(self.advice.to_owned()), cause: self.cause }
    }
}
