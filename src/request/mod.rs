//! Parses the JSON arguments of tool calls, and the sentences typed after prompts, into typed values. Reading is lenient about the quirks of hosts, but
//! everything that is wrong is refused.
//!
//! This module does not execute calls, and does not depend on the protocol that a call arrives by.

mod arguments;
mod changes;
mod extra;
mod four;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod sentence;

use serde_json::{Map, Value};

pub(crate) use changes::{ApplyCall, DiffCall, PatchRange, UndoCall};
pub(crate) use extra::{ResultCall, ResumeCall, ResumeTarget, SessionsCall, WaitCall, WaitUntil};
pub(crate) use four::{AgentCall, AnswerWhen, MAX_TIME_LIMIT, StatusCall, TasksCall, cancel_call};
pub(crate) use sentence::{SentenceOption, read_sentence};

/// The arguments of a call, not parsed yet.
pub(crate) type RawArguments = Map<String, Value>;
