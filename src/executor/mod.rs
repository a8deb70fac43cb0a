//! Where supervisors run.
//!
//! The broker decides, the executor places, the supervisor runs. Today there is one executor, which starts supervisors
//! on this machine; one that hands specs to workers elsewhere would stand beside it.

mod local;
mod reconcile;
#[cfg(test)]
mod released_tests;

use std::{fmt, io};

use async_trait::async_trait;
use tokio::sync::watch;

pub use local::LocalExecutor;
pub use reconcile::{Reconciled, reconcile, reconcile_all};

use crate::task::{TaskId, TaskSpec};

/// Starts supervisors.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// Starts a supervisor for this task, and returns when the task exists, or does not.
    async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError>;

    /// What the supervisor of a task tells on the way, if it was started here and still runs. Hints only: what is true
    /// is in the files.
    fn hints(&self, id: &TaskId) -> Option<watch::Receiver<Hints>>;
}

/// What came of starting a supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The task exists.
    Task,
    /// Another task has this id; nothing was changed.
    IdInUse,
}

/// What a supervisor told last.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The last thing that the agent did, in one line.
    pub event: Option<String>,
    /// Whether the supervisor is done, or gone.
    pub ended: bool,
}

/// Why there is no supervisor.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system did not start it.
    #[error("cannot start a supervisor ({program}): {error}")]
    NotStarted {
        /// The program that was to be the supervisor.
        program: String,
        /// Why not.
        error: io::Error,
    },
    /// It was started, and would not have the task.
    #[error("the supervisor cannot begin the task: {0}")]
    Refused(String),
    /// It was started, and ended without a word.
    #[error("the supervisor ended before the task began")]
    Silent,
}
