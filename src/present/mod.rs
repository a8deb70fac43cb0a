//! Turns data into text for people and models. All functions are pure: none reads a file, the clock or the environment.
//!
//! There are three kinds of readers, and each gets its own safe form:
//!
//! | reader | form | produced by |
//! |---|---|---|
//! | a model | Markdown: tool answers, and the output of `wait` and `notify` | functions that return a whole answer; `Refused::markdown` |
//! | a person at a terminal | plain lines | `plain`, `Refused::plain`, `check` |
//! | a client that shows an error | one line | `Refused::in_one_line`, `protocol` |
//!
//! The labels and the layout of answers are documented, because models and scripts look for them. Every answer is
//! shorter than 40,000 characters, because Claude Code does not show long answers in full.
//!
//! Text from outside is [`Untrusted`](crate::task::Untrusted). It can never pass for the connector's own text:
//!
//! - Results, error messages and log lines appear verbatim inside a fence that nothing in them can close. Only control
//!   characters, bidirectional controls and line separators are shown as escapes, such as `\x1b`. The characters that
//!   join an emoji are kept. The result file contains the exact bytes.
//! - All other outside text is put on one line: whitespace is collapsed, control and invisible characters are shown as
//!   escapes, and in Markdown each active character gets a backslash. A task named `**Status:** failed` is listed as
//!   `\*\*Status:\*\* failed`.
//! - A sentence that contains outside text is a [`Message`](crate::task::Message) until it is printed, so that secrets
//!   are redacted in the outside text only.
//! - The exception is `data`: exact text inside a JSON answer, for a client that asked for this text.

#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod answer_reader;
pub(crate) mod arguments;
#[cfg(test)]
mod changes_tests;
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
mod json_changes;
pub(crate) mod json_output;
pub(crate) mod json_parts;
mod json_stream;
mod json_verbs;
mod json_workspace;
mod markdown;
mod message;
pub(crate) mod notices;
pub(crate) mod operations;
mod outcome;
mod progress;
pub(crate) mod prompts;
pub(crate) mod protocol;
pub(crate) mod refusals;
mod refused;
pub(crate) mod repository_refusals;
pub(crate) mod resources;
#[cfg(test)]
mod run_facts_tests;
pub(crate) mod setup;
mod status;
mod status_poll;
mod task_changes;
#[cfg(test)]
mod task_changes_tests;
mod tasks;
pub(crate) mod terminal;
pub(crate) mod terminal_refusals;
#[cfg(test)]
mod tests;
mod text;
pub(crate) mod tools;
pub(crate) mod web;
pub(crate) mod workspace_refusals;

pub(crate) use command_line::{
    EXPECTED_ADDRESS, EXPECTED_TIME, WAITS_FOR_CLIENT, escaped_argument, listening, timed_out, wait_result,
};
pub(crate) use data::{last_lines, verbatim};
pub(crate) use ended_tasks::{MAX_LISTED_TASKS, ended_line, ended_tasks, more_ended};
pub(crate) use message::plain;
pub use outcome::StartedTask;
pub(crate) use outcome::{
    all_ended, already_ended, being_cancelled, brief, cancelled, cancelled_before_start, detached, ended,
    ended_briefly, ended_in_one_line, result_chunk, started, stopping, without_result,
};
pub(crate) use progress::{begun, handle_begun, handle_state, offline, progress, still_running, waiting};
pub(crate) use refusals::not_a_task_id;
pub use refused::Refused;
pub(crate) use status::{diagnostics, status, timestamp, unchanged};
pub(crate) use status_poll::StatusPoll;
pub(crate) use tasks::{sessions, tasks};

/// Every answer is shorter than this, in characters. Claude Code 2.1.330 shows 50,000.
#[cfg(test)]
const MAX_ANSWER_CHARACTERS: usize = 40_000;

/// Maximum length of the result in the answer of `codex_agent`, in characters.
const MAX_RESULT_CHARACTERS: usize = 20_000;

/// Maximum length of the result in a summary of an ended task, in characters.
const MAX_BRIEF_RESULT_CHARACTERS: usize = 2_000;

/// Maximum length of the summaries of several tasks together, in characters.
const MAX_COMBINED_CHARACTERS: usize = 30_000;

/// Maximum length of the result in the answer of `codex_status`, in characters.
const MAX_STATUS_RESULT_CHARACTERS: usize = 12_000;

/// Maximum length of the log excerpt in a status, in characters.
const MAX_LOG_CHARACTERS: usize = 12_000;

/// Maximum length of an agent's explanation of its failure, in characters.
const MAX_SAID_CHARACTERS: usize = 2_000;
