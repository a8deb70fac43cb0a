//! The arguments of a tool call as values: JSON read leniently, with a refusal for everything that is wrong.
//!
//! Not for what is then done, and knows nothing of the protocol that a call came by.

mod arguments;
mod extra;
mod four;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;

use serde_json::{Map, Value};

pub(crate) use extra::{ResultCall, ResumeCall, ResumeTarget, SessionsCall, WaitCall, WaitUntil};
pub(crate) use four::{AgentCall, AnswerWhen, StatusCall, TasksCall, cancel_call};

/// The arguments of a call, as they came.
pub(crate) type RawArguments = Map<String, Value>;
