//! Tasks whose supervisor does not keep their time limit.
//!
//! A supervisor can be stopped (SIGSTOP), by its own agent among others, or frozen together with its cgroup. Nothing limits
//! the agent then, and a call that waits for the task waits for good. So the server that submitted the task watches the
//! limit too, and leaves the supervisor all the time that it can need:
//!
//! ```text
//! agent seen ── limit and graces, for each backend ── MARGIN ──▶ overdue: woken (SIGCONT)
//!     ── graces and SUPERVISOR_TIMEOUT ──▶ killed, and the task is finalized as timed out
//! ```
//!
//! The clock starts when the agent is first seen, so it is never ahead of the supervisor's, which does not count the time
//! in the queue either. It stands still while the machine is suspended, like the supervisor's.
//!
//! That server may be gone. So each server that finds a running task of another one [guards](Broker::guard) its limit in the
//! same way, from the moment at which it first sees the agent. By then the task may have run for long; no start time is
//! compared, because the wall clock counts suspended time and can be set. So such a task ends after at most twice its
//! limit. Nothing guards a task that no server looks at.

use std::{
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Broker, Refusal,
    cancel::{FINALIZE_TIMEOUT, SUPERVISOR_TIMEOUT},
    guarded::GuardedTasks,
};
use crate::task::{Policy, TaskId, TaskSpec};

/// How much later than its supervisor a task counts as overdue.
const OVERDUE_MARGIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the agent has been started.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The time limit of a task, as its server enforces it.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnforcedLimit {
    /// All that the supervisor can need for it.
    allowed: Duration,
    /// How long an agent is stopped for.
    graces: Duration,
}

impl EnforcedLimit {
    /// `None` for a task that may take any time.
    pub(super) fn of(spec: &TaskSpec) -> Option<Self> {
        // Each backend has the time for itself.
        let attempts = u32::try_from(spec.fallbacks.len() + 1).unwrap_or(u32::MAX);
        Self::of_attempts(&spec.policy, attempts)
    }

    fn of_attempts(policy: &Policy, attempts: u32) -> Option<Self> {
        let limit = policy.timeout?;
        let graces = policy.grace.interrupt.saturating_add(policy.grace.terminate.saturating_mul(2));
        let allowed = limit.saturating_add(graces).saturating_mul(attempts).saturating_add(OVERDUE_MARGIN);
        Some(Self { allowed, graces })
    }
}

impl Broker {
    /// Ends the task when its time is up and its supervisor has not. Returns when the task has ended, or when nothing more
    /// can be done. Can be dropped at any time.
    pub(super) async fn enforce(&self, limit: EnforcedLimit, id: &TaskId) -> Result<(), Refusal> {
        // A short task is over by then, and its record was never read for this.
        sleep(POLL_INTERVAL).await;
        self.agent_seen(id).await?;
        sleep(limit.allowed).await;
        self.end_overdue(limit, id).await
    }

    /// Enforces the time limit of a running task that another server submitted. Called whenever one is seen; each task is
    /// guarded once.
    pub(super) fn guard(&self, id: &TaskId) {
        if self.executor.hints(id).is_some() || !self.guarded().begin(id) {
            return;
        }
        let (broker, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            match broker.enforce_for_another(&id).await {
                Ok(false) => return broker.guarded().leave_alone(&id),
                Ok(true) => {}
                Err(problem) => tracing::debug!(%problem, task = %id, "its time limit cannot be enforced"),
            }
            broker.guarded().end(&id);
        });
    }

    fn guarded(&self) -> MutexGuard<'_, GuardedTasks> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the task has a limit, or may have one, once it has ended or nothing more can be done.
    pub(super) async fn enforce_for_another(&self, id: &TaskId) -> Result<bool, Refusal> {
        let of = id.clone();
        let policy = self.on_disk(move |broker| broker.reader.policy(&of)).await?;
        // A policy that cannot be read now may be readable at the next look.
        let Some(policy) = policy else { return Ok(true) };
        let Some(limit) = EnforcedLimit::of_attempts(&policy, 1) else { return Ok(false) };
        // The number of fallbacks is not known here, but each of them has an agent of its own.
        let mut agent = self.agent_seen(id).await?;
        loop {
            sleep(limit.allowed).await;
            let now = self.agent_seen(id).await?;
            if now == agent {
                break;
            }
            agent = now;
        }
        self.end_overdue(limit, id).await?;
        Ok(true)
    }

    /// Ends a task whose time is up, unless it has ended.
    async fn end_overdue(&self, limit: EnforcedLimit, id: &TaskId) -> Result<(), Refusal> {
        if self.ended(id).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(task = %id, "it is overdue: its supervisor is woken");
        self.mark_overdue(id).await?;
        if self.ends_within(id, SUPERVISOR_TIMEOUT.saturating_add(limit.graces)).await?.is_none() {
            self.force_stop(id).await?;
            self.ends_within(id, FINALIZE_TIMEOUT).await?;
        }
        Ok(())
    }

    /// Waits until an agent was started, and returns its process ID; nothing if the task has ended without one.
    async fn agent_seen(&self, id: &TaskId) -> Result<Option<u32>, Refusal> {
        loop {
            let id = id.clone();
            let record = self.on_disk(move |broker| broker.record(&id)).await??;
            if record.progress.pid.is_some() || record.is_final() {
                return Ok(record.progress.pid);
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Puts down that the time is up, for whoever finalizes the task, and wakes the supervisor.
    async fn mark_overdue(&self, id: &TaskId) -> Result<(), Refusal> {
        let id = id.clone();
        let marked = self.on_disk(move |broker| {
            broker.requests.mark_overdue(&id)?;
            broker.reader.record(&id)
        });
        if let Some(record) = marked.await?? {
            self.executor.ask_to_stop(&record).await;
        }
        Ok(())
    }
}
