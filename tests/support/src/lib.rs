//! Shared support for codex-connector's tests and examples.
//!
//! Nothing here is part of the product. A typical test combines three parts: a [`ScriptedModel`] that decides what the
//! agent does, a pinned real agent ([`codex::install`]) with its own home ([`codex::CodexHome`]), and an
//! [`McpServer`], a client for the program under test. Once the agent is installed, none of them needs a network, a
//! login or a key. All of them clean up after themselves when dropped.
//!
//! If something fails that is not the program's fault, these parts panic with a sentence that says what was expected;
//! in a test, that is the report. Only [`codex::install`] returns its error, because the user can do something about
//! it.

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
