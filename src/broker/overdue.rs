//! Tasks whose supervisor does not keep their time limit.
//!
//! A supervisor can be stopped (SIGSTOP), by its own agent among others, or frozen together with its cgroup. Nothing limits
//! the agent then, and a call that waits for the task waits for good. So the server that submitted the task watches the
//! limit too, and leaves the supervisor all the time that it can need:
//!
//! ```text
//! agent seen ── limit and graces, for each backend ── MARGIN ──▶ overdue: woken (SIGCONT)
//!     ── graces and PATIENCE ──▶ killed, and the task is finalized as timed out
//! ```
//!
//! The clock starts when the agent is first seen, so it is never ahead of the supervisor's, which does not count the time
//! in the queue either.

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Broker, Refusal,
    cancel::{CLOSING, PATIENCE},
};
use crate::{
    process::nudge,
    task::{TaskId, TaskSpec},
};

/// How much later than its supervisor a task counts as overdue.
const MARGIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the agent has been started.
const POLL: Duration = Duration::from_secs(1);

/// The time limit of a task, as its server enforces it.
#[derive(Debug, Clone, Copy)]
pub(super) struct TimeLimit {
    /// All that the supervisor can need for it.
    allowed: Duration,
    /// How long an agent is stopped for.
    graces: Duration,
}

impl TimeLimit {
    /// `None` for a task that may take any time.
    pub(super) fn of(spec: &TaskSpec) -> Option<Self> {
        let limit = spec.policy.timeout?;
        let graces = spec.policy.grace.interrupt.saturating_add(spec.policy.grace.terminate.saturating_mul(2));
        // Each backend has the time for itself.
        let attempts = u32::try_from(spec.fallbacks.len() + 1).unwrap_or(u32::MAX);
        let allowed = limit.saturating_add(graces).saturating_mul(attempts).saturating_add(MARGIN);
        Some(Self { allowed, graces })
    }
}

impl Broker {
    /// Ends the task when its time is up and its supervisor has not. Returns when the task has ended, or when nothing more
    /// can be done. Can be dropped at any time.
    pub(super) async fn enforce(&self, limit: TimeLimit, id: &TaskId) -> Result<(), Refusal> {
        loop {
            sleep(POLL).await;
            if self.has_agent(id).await? {
                break;
            }
        }
        sleep(limit.allowed).await;
        if self.ended(id).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(task = %id, "it is overdue: its supervisor is woken");
        self.mark_overdue(id).await?;
        if self.ends_within(id, PATIENCE.saturating_add(limit.graces)).await?.is_none() {
            self.kill_supervisor_of(id).await?;
            self.ends_within(id, CLOSING).await?;
        }
        Ok(())
    }

    /// Whether an agent was started, or the task has ended without one.
    async fn has_agent(&self, id: &TaskId) -> Result<bool, Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let record = broker.record(&id)?;
            Ok(record.pid.is_some() || record.status.is_final())
        })
        .await?
    }

    /// Puts down that the time is up, for whoever finalizes the task, and wakes the supervisor.
    async fn mark_overdue(&self, id: &TaskId) -> Result<(), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            broker.store.mark_overdue(&id)?;
            if let Some(supervisor) = broker.store.read_record(&id)?.and_then(|record| record.supervisor) {
                nudge(&id, &supervisor);
            }
            Ok(())
        })
        .await?
    }
}
