//! Why a command of git failed.

use std::io;

use connector_api::Exit;

use super::git_version::GitVersion;
use crate::task::Untrusted;

/// A command of git failed.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no git on `PATH` outside the project.
    #[error("git is not installed, or not on PATH")]
    NotInstalled,
    /// git is too old for this.
    #[error("git {found} is too old; git {needed} or newer is needed")]
    TooOld {
        /// The installed version.
        found: GitVersion,
        /// The first version that works.
        needed: GitVersion,
    },
    /// The operating system did not start it.
    #[error("git could not be started: {source}")]
    NotStarted {
        /// The reason.
        source: io::Error,
    },
    /// It did not finish in time and was stopped.
    #[error("`git {command}` did not finish in time")]
    TimedOut {
        /// The subcommand.
        command: String,
    },
    /// The work was cancelled.
    #[error("the work was cancelled")]
    Cancelled,
    /// It reported an error.
    #[error("`git {command}` failed with {exit}")]
    Failed {
        /// The subcommand.
        command: String,
        /// How it ended.
        exit: Exit,
        /// Its message.
        stderr: Untrusted,
    },
    /// Its output could not be passed on, or was too long.
    #[error("the output of `git {command}` could not be passed on: {source}")]
    Output {
        /// The subcommand.
        command: String,
        /// The reason.
        source: io::Error,
    },
    /// Its output is not as documented.
    #[error("`git {command}` printed something unexpected")]
    Unexpected {
        /// The subcommand.
        command: String,
    },
}

impl GitError {
    /// git's own message, if it reported one.
    pub fn stderr(&self) -> Option<&Untrusted> {
        match self {
            Self::Failed { stderr, .. } => Some(stderr),
            Self::NotInstalled
            | Self::TooOld { .. }
            | Self::NotStarted { .. }
            | Self::TimedOut { .. }
            | Self::Cancelled
            | Self::Output { .. }
            | Self::Unexpected { .. } => None,
        }
    }
}
