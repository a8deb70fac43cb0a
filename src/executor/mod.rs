//! Where tasks run.
//!
//! The broker decides what is to happen to a task, and an [`Executor`] makes it happen: it starts the task's supervisor,
//! passes on its hints, makes it stop, and finalizes the task when the supervisor is gone. Only an executor knows
//! processes and signals. Nobody else needs to know where a task runs, because its files are always local.
//!
//! [`LocalExecutor`] runs each task in a supervisor process on this machine. An executor for workers on other machines
//! can be added beside it: a mirror of each remote task would hold the task's local lease and write its local files, so that
//! all readers work unchanged, and [`settle`](Executor::settle) would attach a new mirror where the old one is gone.

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
/// Everything that takes time is async, and nothing blocks the calling thread. A call that is dropped while it waits is
/// completed in the background, except for [`start`](Self::start): a supervisor that nobody waits for has lost its server.
#[async_trait]
pub trait Executor: fmt::Debug + Send + Sync {
    /// Starts a supervisor for this task. Returns when the task exists, and does not wait for its agent.
    ///
    /// Fails with a [`StartError`] when there is no task.
    async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError>;

    /// The hints of a task that was started here and still runs; none for any other. They only wake those who follow the
    /// task: the truth is in its files.
    fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>>;

    /// Finalizes one task if nobody runs it any more: stops the rest of its agent's processes, and ends it as interrupted, as
    /// cancelled if that was requested, or as timed out if it was marked overdue. Does nothing to a task that runs.
    ///
    /// Safe to call from any number of processes at once. Takes as long as the processes of the task need to end.
    async fn settle(&self, id: &TaskId) -> Result<Settled, SettleError>;

    /// Does the same for every task of the data directory, and removes what killed processes left behind. A task that
    /// cannot be finalized now stays as it is and leaves a notice.
    async fn settle_all(&self) -> Result<(), SettleError>;

    /// Makes the task's supervisor act on the [requests](crate::store::Requests) in the run directory now, and resumes it
    /// if it was suspended. `record` is the task's record.
    ///
    /// It only makes things faster. A supervisor finds requests without it as well, but only after a moment, and not while
    /// it is suspended. Does nothing if nobody runs the task.
    async fn ask_to_stop(&self, record: &TaskRecord);

    /// Ends the task's supervisor, without giving it a chance to react. The task is finalized by the next
    /// [`settle`](Self::settle). `record` is the task's record.
    async fn force_stop(&self, record: &TaskRecord);
}

/// The result of starting a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// The task exists.
    Task,
    /// Another task has this id; nothing was changed.
    IdInUse,
}

/// The result of settling a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// The task runs, or had been finalized before.
    Untouched,
    /// The task was finalized just now.
    Finalized,
}

/// The last report of the task's supervisor.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LatestHint {
    /// The number of the newest entry in the timeline.
    pub newest: u64,
    /// Whether the supervisor is done, or gone.
    pub has_ended: bool,
}

/// Why there is no task.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The operating system did not start a supervisor.
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

/// Why a task cannot be settled now.
#[derive(Debug, thiserror::Error)]
pub enum SettleError {
    /// The files of the task are in trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory does not answer.
    #[error("the data directory {0}")]
    TimedOut(#[from] BlockingTimeout),
}
