//! Runs tasks on this machine. Each task has a supervisor process, which runs this program in another role.
//!
//! - `start` runs the supervisor, sends it the spec, and forwards its hints.
//! - `stop` signals the supervisor that a record names, after the process has proved to be the task's supervisor.
//! - `reconcile` finalizes a task whose supervisor is gone.

mod reconcile;
#[cfg(test)]
mod released_tests;
mod start;
mod stop;

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use tokio::{sync::watch, task::spawn_blocking};

use super::{Executor, LatestHint, SettleError, Settled, StartError, Started};
use crate::{
    blocking::Lane,
    store::Upkeep,
    task::{IndexLimits, TaskId, TaskRecord, TaskSpec},
};
use start::Supervisors;

/// Threads for finalizing tasks, and for signals.
static SETTLING: Lane = Lane::new(16);

/// The thread that keeps the catalog open. One is enough, because a second one would have nothing to do.
static KEEPING_OPEN: Lane = Lane::new(1);

/// How long it may take to finalize a task whose supervisor is gone. The agent's remaining processes are killed first.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);

/// How long it may take to find a process and signal it.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(20);

/// Runs tasks on this machine.
#[derive(Debug)]
pub struct LocalExecutor {
    supervisors: Supervisors,
    upkeep: Upkeep,
    index: IndexLimits,
}

impl LocalExecutor {
    /// An executor that runs `program` as supervisor; by default, this program. `index` limits the index to which it
    /// adds finalized tasks.
    pub fn new(program: Option<PathBuf>, upkeep: Upkeep, index: IndexLimits) -> Self {
        let supervisors = Supervisors::new(program, upkeep.reader().data_dir(), upkeep.reader().log_dir());
        Self { supervisors, upkeep, index }
    }

    /// Keeps the catalog open for the supervisors of this and later tasks. Nobody waits for this.
    fn keep_catalog_open(&self) {
        let reader = self.upkeep.reader().clone();
        tokio::spawn(KEEPING_OPEN.run(SIGNAL_DEADLINE, move || reader.keep_catalog_open()));
    }

    /// Signals the supervisor of a task, on a separate thread.
    async fn signal(&self, record: &TaskRecord, signal: impl FnOnce(&TaskRecord) + Send + 'static) {
        let record = record.clone();
        let id = record.id.clone();
        if let Err(error) = SETTLING.run(SIGNAL_DEADLINE, move || signal(&record)).await {
            tracing::warn!(%error, task = %id, "cannot signal the task's supervisor");
        }
    }
}

#[async_trait]
impl Executor for LocalExecutor {
    async fn start(&self, spec: &TaskSpec) -> Result<Started, StartError> {
        let started = self.supervisors.start(spec).await?;
        self.keep_catalog_open();
        Ok(started)
    }

    fn hints(&self, id: &TaskId) -> Option<watch::Receiver<LatestHint>> {
        self.supervisors.hints(id)
    }

    async fn settle(&self, id: &TaskId) -> Result<Settled, SettleError> {
        let (upkeep, index, id) = (self.upkeep.clone(), self.index, id.clone());
        let settle = move || {
            let settled = reconcile::reconcile(&upkeep, &id, index);
            upkeep.repair();
            settled
        };
        Ok(SETTLING.run(SETTLE_DEADLINE, settle).await??)
    }

    async fn settle_all(&self) -> Result<(), SettleError> {
        let (upkeep, index) = (self.upkeep.clone(), self.index);
        // Not on a lane, because it has no deadline. A panic in the thread has been logged already.
        let settled = spawn_blocking(move || {
            let settled = reconcile::reconcile_all(&upkeep, index);
            upkeep.repair();
            settled
        });
        settled.await.unwrap_or(Ok(())).map_err(SettleError::from)
    }

    async fn ask_to_stop(&self, record: &TaskRecord) {
        self.signal(record, stop::ask).await;
    }

    async fn force_stop(&self, record: &TaskRecord) {
        self.signal(record, stop::force).await;
    }
}
