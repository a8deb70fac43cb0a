//! Text for people and models: pure functions from data to text. No file, clock or environment is read here.
//!
//! Text is written for three readers, and each has its own safe form:
//!
//! | reader | form | made by |
//! |---|---|---|
//! | a model | Markdown: answers of tools, and what `wait` and `notify` print | the functions that return a whole answer; `Refused::markdown` |
//! | a person at a terminal | plain lines | `plain`, `Refused::plain`, `check` |
//! | a client that shows an error | one line | `Refused::in_one_line`, `protocol` |
//!
//! The words and forms of answers are documented, and models and scripts look for them. No answer has 40,000 characters:
//! Claude Code puts long ones aside.
//!
//! Text from outside is [`Untrusted`](crate::task::Untrusted), and nothing in it can pass for ours:
//!
//! - Results, complaints and log lines stand verbatim in a fence that nothing in them can close; but control characters,
//!   bidirectional controls and line separators are shown as escapes, such as `\x1b`. What joins an emoji stays. The
//!   result file has it byte for byte.
//! - Everything else stands on one line: gaps become blanks, whatever drives or hides is shown as its escape, and in
//!   Markdown what would be acted on has a backslash before it.
//! - A sentence of ours with foreign words in it is a [`Message`](crate::task::Message) until it is printed. Secrets are
//!   taken out of its foreign words, never out of ours.
//! - `data` is the exception: exact text inside the JSON of an answer to a client that asked for it.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod answer_reader;
pub(crate) mod arguments;
pub(crate) mod check;
mod command_line;
mod data;
mod ended_tasks;
mod excerpt;
mod fields;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
#[cfg(test)]
pub(crate) mod hostile_tests;
mod markdown;
mod message;
pub(crate) mod notices;
mod outcome;
mod progress;
pub(crate) mod prompts;
pub(crate) mod protocol;
pub(crate) mod refusals;
mod refused;
pub(crate) mod resources;
mod status;
mod status_poll;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod tools;

pub(crate) use command_line::{
    EXPECTED_ADDRESS, WAITS_FOR_CLIENT, escaped_argument, json, listening, timed_out, wait_result,
};
pub(crate) use data::{last_lines, verbatim};
pub(crate) use ended_tasks::ended_tasks;
pub(crate) use message::plain;
pub(crate) use outcome::{
    all_ended, already_ended, being_cancelled, brief, cancelled, cancelled_before_start, detached, ended,
    ended_briefly, result_chunk, started, stopping, without_result,
};
pub(crate) use progress::{begun, progress, still_running};
pub(crate) use refusals::no_such_task;
pub use refused::Refused;
pub(crate) use status::{diagnostics, state, status, timestamp};
pub(crate) use status_poll::StatusPoll;
pub(crate) use tasks::{sessions, tasks};

/// No answer has as many characters. Claude Code 2.1.330 shows 50,000.
#[cfg(test)]
const MAX_ANSWER_CHARACTERS: usize = 40_000;

/// Room for the result where it is what was asked for.
const MAX_RESULT_CHARACTERS: usize = 20_000;

/// Room for the result where it is told without being asked for.
const MAX_BRIEF_RESULT_CHARACTERS: usize = 2_000;

/// Room for what became of several tasks together.
const MAX_COMBINED_CHARACTERS: usize = 30_000;

/// Room for the result below a status.
const MAX_STATUS_RESULT_CHARACTERS: usize = 12_000;

/// Room for the end of a log.
const MAX_LOG_CHARACTERS: usize = 12_000;

/// Room for what an agent said about its failure.
const MAX_SAID_CHARACTERS: usize = 2_000;
