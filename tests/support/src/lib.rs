//! What the tests of codex-connector share, and the examples with them.
//!
//! Nothing here is part of the product. A test usually takes three of these parts: a [`ScriptedModel`] that decides
//! what the agent does, a pinned real agent ([`codex::install`]) with a home of its own ([`codex::CodexHome`]), and an
//! [`McpServer`] to talk to the program under test. None of them needs a network once the agent is installed, a login,
//! or a key; all of them clean up after themselves when dropped.
//!
//! Where something goes wrong that is not the program's fault, these parts panic with a sentence that says what was
//! expected: in a test that is the report. Only [`codex::install`] returns its problem, because it has a remedy.

pub mod agents;
pub mod codex;
pub mod git;
pub mod http;
pub mod kit;
pub mod mcp;
#[cfg(target_os = "linux")]
pub mod processes;
pub mod scripted_model;
pub mod signals;
pub mod wait;

pub use git::GitProject;
pub use mcp::{McpServer, PendingCall, ToolAnswer};
pub use scripted_model::{ScriptStep, ScriptedModel};
pub use wait::eventually;
