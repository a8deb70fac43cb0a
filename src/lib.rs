//! codex-connector: an MCP server that lets Claude Code delegate coding tasks to other coding agents.
//!
//! ARCHITECTURE.md shows the house; this crate is its library, and the binary is a list of parts.

pub mod config;
pub mod process;
pub mod registry;
pub mod store;
pub mod task;
