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

pub(crate) mod arguments;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod as_read;
pub(crate) mod check;
mod command_line;
mod data;
mod ends;
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
    EXPECTED_ADDRESS, WAITS_FOR_CLIENT, escaped_argument, json, listening, time_is_up, waited,
};
pub(crate) use data::{last_lines, verbatim};
pub(crate) use ends::ends;
pub(crate) use message::plain;
pub(crate) use outcome::{
    all_ended, being_cancelled, brief, cancelled, detached, ended, ended_in_few_words, had_ended, result_piece,
    started, stopping, withdrawn, without_result,
};
pub(crate) use progress::{begun, progress, still_running};
pub(crate) use refusals::no_such_task;
pub use refused::Refused;
pub(crate) use status::{diagnostics, moment, state, status};
pub(crate) use status_poll::StatusPoll;
pub(crate) use tasks::{sessions, tasks};

/// No answer has as many characters. Claude Code 2.1.330 shows 50,000.
#[cfg(test)]
const LONGEST: usize = 40_000;

/// Room for the result where it is what was asked for.
const RESULT_ROOM: usize = 20_000;

/// Room for the result where it is told without being asked for.
const BRIEF_ROOM: usize = 2_000;

/// Room for what became of several tasks together.
const TOGETHER_ROOM: usize = 30_000;

/// Room for the result below a status.
const STATUS_RESULT_ROOM: usize = 12_000;

/// Room for the end of a log.
const LOG_ROOM: usize = 12_000;

/// Room for what an agent said about its failure.
const SAID_ROOM: usize = 2_000;
