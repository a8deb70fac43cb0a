//! Real Codex, in pinned versions, with a home of its own.

mod home;
mod install;

pub use home::CodexHome;
pub use install::{InstallProblem, install, install_other};

/// The newest version that the tests know, and the one to test with unless a test is about versions.
pub const NEWEST: &str = "0.171.0";
