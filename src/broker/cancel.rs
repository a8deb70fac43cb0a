//! Cancelling a task, whoever runs it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Broker, Refusal};
use crate::{
    process::{kill_supervisor, nudge},
    task::{TaskId, TaskRecord},
};

/// What came of a wish to cancel.
#[derive(Debug, Clone, PartialEq)]
pub enum Cancelled {
    /// It is over now.
    Ended(Box<TaskRecord>),
    /// It was over before.
    HadEnded(Box<TaskRecord>),
    /// It is being stopped.
    Stopping,
}

/// How long a supervisor has, beyond the grace periods, to close its books.
const PATIENCE: Duration = Duration::from_secs(16);

/// How long the books of a supervisor that was killed take to be closed.
const CLOSING: Duration = Duration::from_secs(6);

const POLL: Duration = Duration::from_millis(20);

impl Broker {
    /// Asks for the task to be stopped, and waits until it is. A supervisor that does not react is killed, and the
    /// books are closed without it.
    pub async fn cancel(&self, id: &TaskId) -> Result<Cancelled, Refusal> {
        if let Some(record) = self.ended(id).await? {
            return Ok(Cancelled::HadEnded(Box::new(self.clean(record))));
        }
        // The task's own grace: it may have been submitted under another configuration.
        let grace = self.store.read_policy(id).map_or(self.config.policy.grace, |policy| policy.grace);
        self.store.request_cancel(id)?;
        if let Some(supervisor) = self.store.read_record(id)?.and_then(|record| record.supervisor) {
            nudge(id, &supervisor);
        }
        let patience = PATIENCE.saturating_add(grace.interrupt).saturating_add(grace.terminate.saturating_mul(2));
        if let Some(record) = self.ends_within(id, patience).await? {
            return Ok(Cancelled::Ended(Box::new(self.clean(record))));
        }
        if let Some(supervisor) = self.store.read_record(id)?.and_then(|record| record.supervisor) {
            let was_killed = kill_supervisor(id, &supervisor);
            tracing::warn!(task = %id, was_killed, "its supervisor does not react");
        }
        let ended = self.ends_within(id, CLOSING).await?;
        Ok(ended.map_or(Cancelled::Stopping, |record| Cancelled::Ended(Box::new(self.clean(record)))))
    }

    async fn ends_within(&self, id: &TaskId, patience: Duration) -> Result<Option<TaskRecord>, Refusal> {
        let asked = Instant::now();
        loop {
            let ended = self.ended(id).await?;
            if ended.is_some() || asked.elapsed() >= patience {
                return Ok(ended);
            }
            sleep(POLL).await;
        }
    }
}
