//! Executors run tasks.
//!
//! The broker decides what happens to a task, and an [`Executor`] carries it out: it starts the task's supervisor,
//! forwards its hints, stops it, and finalizes the task if the supervisor is gone. Only executors know processes and
//! signals. Nobody else needs to know where a task runs, because its files are always local.
//!
//! [`LocalExecutor`] runs each task in a supervisor process on this machine. An executor for workers on other machines
//! could be added next to it. For each remote task, a local mirror would hold the lease and write the files, so all
//! readers would work unchanged, and [`settle`](Executor::settle) would start a new mirror if the old one is gone.

mod local;

use std::{fmt, io};

use async_trait::async_trait;
use tokio::sync::watch;

pub use local::LocalExecutor;

use crate::{
    blocking::BlockingTimeout,
    store::StoreError,
    task::{TaskId, TaskRecord, TaskSpec},
};

/// Runs tasks.
///
/// No method blocks the calling thread. A call that is dropped is completed in the background, except for
/// [`start`](Self::start): dropping it closes the supervisor's lifeline, so the supervisor considers its server gone.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// Starts a supervisor for this task. Returns as soon as the task exists, without waiting for its agent.
    ///
    /// Fails with a [`StartError`] if no task was created.
    async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError>;

    /// The hints of a task that was started here and is still running; `None` for any other task. Hints only wake the
    /// followers of a task: the truth is in its files.
    fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>>;

    /// Finalizes one task if nobody runs it any more: stops the remaining processes of its agent, and ends the task as
    /// cancelled if that was requested, as timed out if it was marked overdue, and as interrupted otherwise. Does
    /// nothing if the task is running.
    ///
    /// Any number of processes may call this at once. Takes as long as the task's processes need to end.
    async fn settle(&self, id: &TaskId) -> Result<Settled, SettleError>;

    /// Settles every task in the data directory, and removes files and cgroups that killed processes left behind. A
    /// task that cannot be finalized now is left unchanged and causes a notice.
    async fn settle_all(&self) -> Result<(), SettleError>;

    /// Makes the task's supervisor act on the [requests](crate::store::Requests) in the run directory now, and resumes
    /// it if it is suspended. `record` is the task's record.
    ///
    /// Without this, a supervisor finds requests by itself, but later, and not while it is suspended. Does nothing if
    /// nobody runs the task.
    async fn ask_to_stop(&self, record: &TaskRecord);

    /// Kills the task's supervisor. The next [`settle`](Self::settle) finalizes the task. `record` is the task's
    /// record.
    async fn force_stop(&self, record: &TaskRecord);
}

/// The result of starting a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The task exists.
    Task,
    /// Another task has this ID. Nothing was changed.
    IdInUse,
}

/// The result of settling a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The task is running, or was finalized earlier.
    Untouched,
    /// The task was finalized just now.
    Finalized,
}

/// The latest hints of a task's supervisor, combined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatestHint {
    /// The number of the newest entry in the timeline.
    pub newest: u64,
    /// Whether the supervisor has finished or is gone.
    pub has_ended: bool,
}

/// The task was not created.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system did not start a supervisor.
    #[error("cannot start a supervisor ({program}): {error}")]
    NotStarted {
        /// The supervisor's program.
        program: String,
        /// The reason.
        error: io::Error,
    },
    /// The supervisor refused the task.
    #[error("the supervisor cannot begin the task: {0}")]
    Refused(String),
    /// The supervisor exited, or reported nothing in time.
    #[error("the supervisor exited before the task began")]
    Silent,
}

/// The task cannot be settled now.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The files of the task cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory does not respond.
    #[error("the data directory {0}")]
    TimedOut(#[from] BlockingTimeout),
}
