//! The data directory, looked at on threads of its own.
//!
//! It can be on a disk that is slow, or on a mount that does not answer. Whoever calls the broker runs on a thread that
//! serves others too, so everything that reads or writes there goes through [`Broker::on_disk`].

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

/// Threads for asking programs what they can do. It is rarely necessary, and takes as long as the program takes.
static PROBES: Lane = Lane::new(8);

/// How long that may take in all; each question has a deadline of its own.
const PROBE_DEADLINE: Duration = Duration::from_secs(180);

/// Threads for the data directory. Most of its calls take less than a millisecond.
static DISK: Lane = Lane::new(16);

/// How long the data directory may take to answer. An index that many servers write to is waited for, for 2 seconds.
const DISK_DEADLINE: Duration = Duration::from_secs(20);

impl Broker {
    /// Does `work` beside everything else, and waits for it. Damaged files that it comes across are set aside. Fails when
    /// the data directory does not answer.
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

    /// The abilities of the backend's program. Looking for it can take long, too, because `PATH` can lead anywhere.
    pub(super) async fn probed(
        &self,
        backend: &Arc<dyn AgentBackend>,
        freshness: Freshness,
        request: &AgentRequest,
    ) -> Result<Result<Installed, NotUsable>, Refusal> {
        let (broker, backend, runtime) = (self.clone(), Arc::clone(backend), Handle::current());
        let (sandbox, directory) = (request.sandbox, request.working_directory.clone());
        let probe = move || {
            let project = Project::of(sandbox, &directory);
            runtime.block_on(installed(&*backend, &broker.probes, freshness, project.as_ref()))
        };
        let probed = PROBES.run(PROBE_DEADLINE, probe).await;
        let probed = probed.map_err(|BlockingTimeout| Refusal::TimedOut { directory: self.config.data_dir.clone() })?;
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

    /// For work that takes as long as it takes, and that nobody waits for.
    pub(super) async fn in_background<T, F>(&self, work: F) -> Option<T>
    where
        T: Send + 'static,
        F: FnOnce(&Self) -> T + Send + 'static,
    {
        let broker = self.clone();
        spawn_blocking(move || work(&broker)).await.ok()
    }
}
