//! Tasks on this machine: each has a supervisor process, which is this very program in another role.
//!
//! - `start` runs the supervisor, hands it the spec, and passes on its hints;
//! - `stop` signals a supervisor that a record names, once it has proved to be the one;
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

/// How long it may take to finalize a task whose supervisor is gone: what is left of the agent is killed first.
const SETTLE_DEADLINE: Duration = Duration::from_secs(60);

/// How long it may take to find a process and to signal it.
const SIGNAL_DEADLINE: Duration = Duration::from_secs(20);

/// Runs tasks on this machine.
#[derive(Debug)]
pub struct LocalExecutor {
    supervisors: Supervisors,
    upkeep: Upkeep,
    index: IndexLimits,
}

impl LocalExecutor {
    /// Starts `program` as supervisor, or without one this very program. Tasks that it finalizes are put into the index
    /// within these limits.
    pub fn new(program: Option<PathBuf>, upkeep: Upkeep, index: IndexLimits) -> Self {
        let supervisors = Supervisors::new(program, upkeep.reader().data_dir(), upkeep.reader().log_dir());
        Self { supervisors, upkeep, index }
    }

    /// Signals the supervisor of a task, off the threads that serve others.
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
        self.supervisors.start(spec).await
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
        // It takes as long as it takes, and nobody waits for it. A thread that panicked has said so in the log.
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
