//! Cancelling a task, whoever runs it.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::{Instant, sleep};

use super::{Broker, Refusal};
use crate::{
    process::is_alive,
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

const POLL: Duration = Duration::from_millis(20);

impl Broker {
    /// Asks for the task to be stopped, and waits until it is. A supervisor that does not react is killed, and the
    /// books are closed without it.
    pub async fn cancel(&self, id: &TaskId) -> Result<Cancelled, Refusal> {
        if let Some(record) = self.ended(id).await? {
            return Ok(Cancelled::HadEnded(Box::new(record)));
        }
        self.store.request_cancel(id)?;
        let grace = self.config.policy.grace;
        let patience = Instant::now() + PATIENCE + (grace.interrupt + grace.terminate) * 2;
        while Instant::now() < patience {
            if let Some(record) = self.ended(id).await? {
                return Ok(Cancelled::Ended(Box::new(record)));
            }
            sleep(POLL).await;
        }
        self.kill_supervisor(id)?;
        sleep(POLL).await;
        Ok(self.ended(id).await?.map_or(Cancelled::Stopping, |record| Cancelled::Ended(Box::new(record))))
    }

    fn kill_supervisor(&self, id: &TaskId) -> Result<(), Refusal> {
        let supervisor = self.store.read_record(id)?.and_then(|record| record.supervisor);
        if let Some(supervisor) = supervisor.filter(is_alive)
            && let Some(pid) = i32::try_from(supervisor.pid).ok().and_then(Pid::from_raw)
        {
            tracing::warn!(task = %id, "its supervisor does not react and is killed");
            let _ = kill_process(pid, Signal::KILL);
        }
        Ok(())
    }
}
