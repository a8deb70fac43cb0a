//! Access to the data directory, on separate threads.
//!
//! The data directory can be on a slow disk, or on a mount that does not respond. The broker's callers run on threads
//! that also serve others, so every access goes through [`Broker::on_disk`].

use std::{sync::Arc, time::Duration};

use connector_api::{AgentBackend, AgentRequest, Installed};

use tokio::{runtime::Handle, task::spawn_blocking};

use super::{Broker, Refusal};
use crate::{
    agent_environment::Project,
    blocking::{BlockingTimeout, Lane},
    executor::{SettleError, Settled},
    probing::{Freshness, NotUsable, installed},
    task::TaskId,
};

/// Threads for probing programs. Probes are rare, and take as long as the program takes.
static PROBES: Lane = Lane::new(8);

/// How long all questions to one program may take together. Each question has its own deadline too.
const PROBE_DEADLINE: Duration = Duration::from_secs(180);

/// Threads for the data directory. Most calls take less than a millisecond.
static DISK: Lane = Lane::new(16);

/// How long the data directory may take to respond. This includes up to 2 seconds of waiting for other servers that
/// write to the index.
const DISK_DEADLINE: Duration = Duration::from_secs(20);

impl Broker {
    /// Runs `work` on a separate thread and waits for it. Afterwards, damaged files that it found are set aside. Fails
    /// if the data directory does not respond.
    pub(super) async fn on_disk<T, F>(&self, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> T + Send + 'static,
    {
        let broker = self.clone();
        let work = move || {
            let done = work(&broker);
            broker.upkeep.repair();
            done
        };
        let done = DISK.run(DISK_DEADLINE, work).await;
        done.map_err(|BlockingTimeout| Refusal::TimedOut { directory: self.config.data_dir.clone() })
    }

    /// The capabilities of the backend's program. Even finding the program can take long, because `PATH` can contain
    /// any directory.
    pub(super) async fn probed(
        &self,
        backend: &Arc<dyn AgentBackend>,
        freshness: Freshness,
        request: &AgentRequest,
    ) -> Result<Result<Installed, NotUsable>, Refusal> {
        let (broker, backend, runtime) = (self.clone(), Arc::clone(backend), Handle::current());
        let name = backend.name().clone();
        let (sandbox, directory) = (request.sandbox, request.working_directory.clone());
        let probe = move || {
            let project = Project::of(sandbox, &directory);
            runtime.block_on(installed(&*backend, &broker.probes, freshness, project.as_ref()))
        };
        let probed = PROBES.run(PROBE_DEADLINE, probe).await;
        let probed = probed.map_err(|BlockingTimeout| Refusal::ProgramTimedOut { backend: name })?;
        Ok(probed.map(|(_, installed)| installed))
    }

    /// Finalizes one task if nobody runs it any more.
    pub(super) async fn settle(&self, id: &TaskId) -> Result<(), Refusal> {
        match self.executor.settle(id).await {
            Ok(Settled::Untouched | Settled::Finalized) => Ok(()),
            Err(SettleError::Store(error)) => Err(Refusal::Store(error)),
            Err(SettleError::TimedOut(BlockingTimeout)) => {
                Err(Refusal::TimedOut { directory: self.config.data_dir.clone() })
            }
        }
    }

    /// Runs work that has no deadline on a separate thread. Returns `None` if it panicked.
    pub(super) async fn in_background<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> T + Send + 'static,
    {
        let broker = self.clone();
        spawn_blocking(move || work(&broker)).await.ok()
    }
}
