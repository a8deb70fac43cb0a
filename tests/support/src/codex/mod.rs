//! Pinned versions of the real Codex, each with its own home.

mod home;
mod install;

pub use home::CodexHome;
pub use install::{InstallProblem, install, install_other};

/// The newest version that was tested. Tests use it unless they are about versions.
pub const NEWEST: &str = "0.171.0";
