//! One run of an agent, without I/O: lines in, steps out.
//!
//! The supervisor owns the process; the session decides what its output means. One run looks like this:
//!
//! ```text
//! supervisor                               session
//! program started        start()        ─▶ steps, such as Send(prompt)
//! a line was printed     stdout(line)   ─▶ steps, such as Event, Send, Deadline(3 s)
//! the deadline passed    overdue()      ─▶ steps, such as Finished
//! the run must stop      interrupt()    ─▶ Signal, or steps that ask the agent to stop
//! program exited, and    warnings()     ─▶ warnings for the user
//! all lines were read    finish(exit)   ─▶ the verdict
//! ```

use std::{borrow::Cow, time::Duration};

use crate::{AgentEvent, Cause, Exit, Usage, Warning};

/// Follows one run. The supervisor passes it every line that the agent writes, in order, and carries out the steps that
/// it returns.
///
/// It supports programs that only print as well as protocols in which both sides send messages.
pub trait AgentSession: Send {
    /// Called once, after the program has started and before any line.
    fn start(&mut self) -> Vec<Step> {
        vec![]
    }

    /// Reads one line of stdout, without its line end. If this returns no steps, the line was not understood, and the
    /// log shows it unchanged.
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step>;

    /// Reads one line of stderr, without its line end. The log shows every such line unchanged, whatever this returns.
    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        let _ = line;
        vec![]
    }

    /// Called when a [`Step::Deadline`] has passed. Unless the session can continue in another way, it stores the
    /// failure for [`finish`](Self::finish) and returns [`Step::Finished`].
    fn overdue(&mut self) -> Vec<Step> {
        vec![]
    }

    /// Called when the agent is asked to stop, before it is forced to.
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

    /// The verdict on the run. Called after the program has exited and all its lines have been read.
    ///
    /// If the supervisor stopped the program, it combines the verdict with its reason.
    fn finish(self: Box<Self>, exit: Exit) -> Verdict;
}

/// One line that an agent wrote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Line<'a> {
    /// The complete line, as bytes, because it may not be UTF-8.
    Whole(&'a [u8]),
    /// A line that is too long for the supervisor to keep in memory (over 8 MiB). The log has all of it.
    TooLong {
        /// Its first bytes, at least 4 KiB.
        head: &'a [u8],
        /// Its full length in bytes.
        length: u64,
    },
}

impl<'a> Line<'a> {
    /// The line as text, or its head if it is too long. Bytes that are not UTF-8 are replaced.
    pub fn text(self) -> Cow<'a, str> {
        let (Self::Whole(bytes) | Self::TooLong { head: bytes, .. }) = self;
        // Most lines are UTF-8, and checking that is several times as fast as a lossy conversion.
        std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
    }
}

/// An instruction to the supervisor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Log this event, show it and count it.
    Event(AgentEvent),
    /// Write these bytes to the agent's stdin (only with [`PromptDelivery::Session`](crate::PromptDelivery::Session)).
    Send(Vec<u8>),
    /// Close the agent's stdin.
    CloseStdin,
    /// Call [`overdue`](AgentSession::overdue) after this time. A new deadline replaces the previous one; `None`
    /// cancels it. A deadline is for answers that the program should send at once. The task's own time limit applies to
    /// its work.
    Deadline(Option<Duration>),
    /// Stop the program, because the session is over. [`finish`](AgentSession::finish) decides whether the work is
    /// done.
    Finished,
}

/// How to ask an agent to stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interrupt {
    /// Send the program its [`StopSignal`](crate::StopSignal).
    Signal,
    /// Carry out these steps instead.
    Steps(Vec<Step>),
}

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the agent did the work.
    pub outcome: Outcome,
    /// The agent's final message. If the run failed, the last message before the failure.
    pub answer: Option<String>,
    /// The agent's own ID of the session, with which it can be resumed.
    pub session_id: Option<String>,
    /// Tokens used, if the agent reports them.
    pub usage: Option<Usage>,
}

/// Whether the agent did the work. Exit code 0 alone does not prove it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The agent reported success.
    Completed,
    /// The agent failed.
    Failed(AgentFailure),
    /// The program rejected the command line and did nothing, so it is not the version that was probed. The supervisor
    /// probes it again and retries once.
    CommandLineRefused(AgentFailure),
}

/// Why an agent failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentFailure {
    /// In the agent's own words, unless it [is unexplained](Self::is_unexplained).
    pub message: String,
    /// Advice for the user, if there is any.
    pub advice: Option<String>,
    /// Why another agent might succeed, if that is known.
    pub cause: Option<Cause>,
}

impl AgentFailure {
    /// A failure without advice or cause.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), advice: None, cause: None }
    }

    /// A failure that the agent did not explain. `message` says how the agent ended, such as "Codex ended with exit code
    /// 3". It is shown as codex-connector's own sentence, not as the agent's.
    pub fn unexplained(message: impl Into<String>) -> Self {
        Self::new(message.into() + UNEXPLAINED)
    }

    /// Whether the message is codex-connector's own, because the agent did not explain the failure.
    pub fn is_unexplained(&self) -> bool {
        self.message.ends_with(UNEXPLAINED)
    }
}

/// The end of the message of a failure that the agent did not explain.
const UNEXPLAINED: &str = ", and did not say why";
