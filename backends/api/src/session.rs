//! One run of an agent, without I/O: bytes in, steps out.

use std::{borrow::Cow, time::Duration};

use crate::{AgentEvent, Exit, Usage, Warning};

/// Follows one run. The supervisor feeds it every line that the agent writes, in order, and carries out its steps.
///
/// Serves one-way programs, which only print, and two-way protocols, which also want to be talked to.
pub trait AgentSession: Send {
    /// Called once, when the program runs, before any line.
    fn start(&mut self) -> Vec<Step> {
        vec![]
    }

    /// One line of stdout, without its line end. No steps mean "not understood": the log shows the line as it came.
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step>;

    /// One line of stderr, without its line end. The log shows every line as it came, whatever the steps.
    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        let _ = line;
        vec![]
    }

    /// Called when a [`Step::Deadline`] has passed. What was waited for did not come: unless the session knows another
    /// way, it remembers a complaint for [`finish`](Self::finish), and is [`Step::Finished`].
    fn overdue(&mut self) -> Vec<Step> {
        vec![]
    }

    /// Called when the run is to be stopped in order.
    fn interrupt(&mut self) -> Interrupt {
        Interrupt::Signal
    }

    /// Whether the agent has reported that it completed its turn. If the program then exits with an error, the work is
    /// still done: the supervisor says so next to the failure reason, and ignores what the program wrote to stderr.
    fn has_completed(&self) -> bool {
        false
    }

    /// Warnings about the run for the user. Called once, after the last line and before [`finish`](Self::finish).
    ///
    /// For every agent, the supervisor itself warns about a completed run without an answer, and about a sandbox that
    /// could not start.
    fn warnings(&self) -> Vec<Warning> {
        vec![]
    }

    /// The program has ended and all its lines have been read: what came of it?
    ///
    /// The supervisor combines the verdict with why it stopped the program, if it did.
    fn finish(self: Box<Self>, exit: Exit) -> Verdict;
}

/// One line that an agent wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// The line, as bytes: an agent is free to write what is not UTF-8.
    Whole(&'a [u8]),
    /// A line longer than the supervisor holds in memory (8 MiB). The log has all of it.
    TooLong {
        /// Its first bytes, at least 4 KiB.
        head: &'a [u8],
        /// Its whole length in bytes.
        length: u64,
    },
}

impl<'a> Line<'a> {
    /// What is held of the line, as text. Bytes that are not UTF-8 are replaced.
    pub fn text(self) -> Cow<'a, str> {
        let (Self::Whole(bytes) | Self::TooLong { head: bytes, .. }) = self;
        // Most lines are UTF-8, and to find that out is several times as fast as to look for what is not.
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
    }
}

/// What a session wants done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Log it, show it, count it.
    Event(AgentEvent),
    /// Write these bytes to the agent's stdin (only with [`PromptDelivery::Session`](crate::PromptDelivery::Session)).
    Send(Vec<u8>),
    /// Close the agent's stdin.
    CloseStdin,
    /// Call [`overdue`](AgentSession::overdue) after so long, unless another deadline, or `None`, comes before. For
    /// answers that a program owes, not for its work: how long that may take is the task's own time limit.
    Deadline(Option<Duration>),
    /// The session is over, although the program would go on: stop it. Whether the work is done is told by
    /// [`finish`](AgentSession::finish).
    Finished,
}

/// How to stop a run in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interrupt {
    /// Send the program its [`StopSignal`](crate::PoliteSignal).
    Signal,
    /// Carry out these steps instead.
    Steps(Vec<Step>),
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the agent did the work.
    pub outcome: Outcome,
    /// The agent's final message. Also kept when the run failed, as far as it got.
    pub answer: Option<String>,
    /// The agent's own id for the session, by which it can be resumed.
    pub session_id: Option<String>,
    /// Tokens used, where the agent tells.
    pub usage: Option<Usage>,
}

/// Whether the agent did the work. An exit code of 0 alone is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It did, and said so.
    Completed,
    /// It did not.
    Failed(AgentFailure),
    /// The program did not take our command line, and did nothing: it is not what the probe said. The supervisor
    /// probes again and launches once more.
    CommandLineRefused(AgentFailure),
}

/// Why an agent failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFailure {
    /// In the agent's own words.
    pub message: String,
    /// What the user can do about it, where that is known.
    pub advice: Option<String>,
    /// Why another agent might do better, where that is known.
    pub cause: Option<Cause>,
}

impl AgentFailure {
    /// One without advice.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, cause: None }
    }
}

/// Why an agent cannot work at all at the moment, whatever the task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is not logged in, or its key is not taken.
    NotLoggedIn,
    /// Its account has no more to spend, for now.
    OutOfQuota,
    /// Its provider has no capacity for it, for now.
    Capacity,
}
