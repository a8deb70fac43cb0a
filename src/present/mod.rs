//! Answers in Markdown, for a model to read.
//!
//! The words and forms are documented, and models and scripts look for them. No answer has 40,000 characters: Claude
//! Code puts long ones aside.
//!
//! Foreign text, and that is everything but our own words, numbers and times, cannot pass for ours:
//!
//! - Results, complaints and log lines stand verbatim in a fence that nothing in them can close; but control characters,
//!   bidirectional controls and line separators are shown as escapes, such as `\x1b`. What joins an emoji stays. The
//!   result file has it byte for byte.
//! - Everything else stands on one line: gaps become blanks, whatever drives or hides is shown as its escape, and what
//!   Markdown would act on has a backslash before it.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod as_read;
mod data;
mod ends;
mod excerpt;
mod fields;
mod look;
mod markdown;
mod outcome;
mod refused;
mod status;
mod tasks;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod tools;

pub(crate) use data::{last_lines, verbatim};
pub(crate) use ends::ends;
pub(crate) use look::Look;
pub(crate) use markdown::sentence;
pub(crate) use outcome::brief;
pub(crate) use outcome::{all_ended, cancelled, ended, had_ended, started, stopping};
pub(crate) use refused::Refused;
pub(crate) use status::{diagnostics, moment, state, status};
pub(crate) use tasks::{sessions, tasks};
pub(crate) use text::fenced;
pub(crate) use text::one_line;

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
