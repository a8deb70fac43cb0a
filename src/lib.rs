//! codex-connector: an MCP server that lets Claude Code delegate coding tasks to other coding agents.
//!
//! ARCHITECTURE.md is the overview. A binary adds its backend kinds to an [`App`] and runs it.

#[cfg(not(unix))]
compile_error!("codex-connector needs a Unix system: it relies on signals, sessions and file locks");

pub mod agent_environment;
mod app;
pub mod blocking;
pub mod broker;
mod cli;
pub mod config;
pub mod directory;
pub mod executor;
pub mod exposure;
pub mod follower;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
pub mod http;
pub mod kit;
mod logging;
pub mod mcp;
pub mod plugin;
pub mod present;
pub mod probing;
pub mod process;
mod redact;
pub mod registry;
mod request;
pub mod setup;
mod stdio;
pub mod store;
pub mod supervisor;
pub mod task;
mod tui;
mod visible;
mod web;
pub mod workspace;

pub use app::App;
