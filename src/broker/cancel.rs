//! Cancels a task, no matter which server started it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Broker, Refusal};
use crate::task::{Grace, TaskId, TaskRecord};

/// The result of a cancel request.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// The task has been stopped.
    Ended(Box<TaskRecord>),
    /// The task had ended before.
    HadEnded(Box<TaskRecord>),
    /// The task is still being stopped.
    Stopping,
}

/// How long a supervisor may take, in addition to the grace periods, to finalize its task.
pub(super) const SUPERVISOR_TIMEOUT: Duration = Duration::from_secs(16);

/// How long it may take to finalize a task whose supervisor was killed.
pub(super) const FINALIZE_TIMEOUT: Duration = Duration::from_secs(6);

const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl Broker {
    /// Requests that the task stop, and waits for its end. If the supervisor does not react, kills it and finalizes the
    /// task.
    pub async fn cancel(&self, id: &TaskId) -> Result<Cancelled, Refusal> {
        if let Some(record) = self.ended(id).await? {
            return Ok(Cancelled::HadEnded(Box::new(self.clean(record))));
        }
        let grace = self.asked_to_stop(id).await?;
        let max_wait =
            SUPERVISOR_TIMEOUT.saturating_add(grace.interrupt).saturating_add(grace.terminate.saturating_mul(2));
        if let Some(record) = self.ends_within(id, max_wait).await? {
            return Ok(Cancelled::Ended(Box::new(self.clean(record))));
        }
        self.force_stop(id).await?;
        let ended = self.ends_within(id, FINALIZE_TIMEOUT).await?;
        Ok(ended.map_or(Cancelled::Stopping, |record| Cancelled::Ended(Box::new(self.clean(record)))))
    }

    /// Requests that the task stop, and does not wait for its end. The task then ends as
    /// cancelled, even if this process exits.
    pub async fn request_cancel(&self, id: &TaskId) -> Result<(), Refusal> {
        self.asked_to_stop(id).await.map(drop)
    }

    /// Asks the task's supervisor to stop the task. Returns the task's grace periods.
    async fn asked_to_stop(&self, id: &TaskId) -> Result<Grace, Refusal> {
        let id = id.clone();
        let (grace, record) = self
            .on_disk(move |broker| {
                // The task's own grace periods: it may have been submitted with another configuration.
                let grace = broker.reader.policy(&id).map_or(broker.config.policy.grace, |policy| policy.grace);
                broker.requests.cancel(&id)?;
                Ok::<_, Refusal>((grace, broker.reader.record(&id)?))
            })
            .await??;
        if let Some(record) = record {
            self.executor.ask_to_stop(&record).await;
        }
        Ok(grace)
    }

    /// Kills a supervisor that does not react, so that the task can be finalized without it.
    pub(super) async fn force_stop(&self, id: &TaskId) -> Result<(), Refusal> {
        let id = id.clone();
        if let Some(record) = self.on_disk(move |broker| broker.reader.record(&id)).await?? {
            self.executor.force_stop(&record).await;
        }
        Ok(())
    }

    /// Waits for the end of the task, for at most `max_wait`.
    pub(super) async fn ends_within(&self, id: &TaskId, max_wait: Duration) -> Result<Option<TaskRecord>, Refusal> {
        let asked = Instant::now();
        loop {
            let ended = self.ended(id).await?;
            if ended.is_some() || asked.elapsed() >= max_wait {
                return Ok(ended);
            }
            sleep(POLL_INTERVAL).await;
        }
    }
}
