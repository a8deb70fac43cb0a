//! Enforces the time limits of tasks whose supervisor does not enforce them.
//!
//! A supervisor can be stopped with SIGSTOP, for example by its own agent, or frozen together with its cgroup. Then
//! nothing limits the agent, and a call that waits for the task would wait forever. So the server that submitted the
//! task enforces the limit too, after giving the supervisor all the time that it may need:
//!
//! ```text
//! agent seen ── limit + grace periods, for each backend ── OVERDUE_MARGIN ──▶ overdue: supervisor resumed (SIGCONT)
//!     ── grace periods + SUPERVISOR_TIMEOUT ──▶ supervisor killed, task finalized as timed out
//! ```
//!
//! The clock starts when the server first sees the agent, so it is never ahead of the supervisor's clock, which does
//! not include time in the queue either. Like the supervisor's, it stops while the machine is suspended.
//!
//! The server that submitted the task may be gone. So each server that finds a running task of another one
//! [guards](Broker::guard) its limit in the same way, starting when it first sees the agent. By then, the task may have
//! been running for a long time. Start times cannot be compared, because the wall clock includes suspended time and can
//! be changed. So such a task ends after at most twice its limit. If no server looks at a task, nothing guards it.

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

/// Extra time for the supervisor before its task is overdue.
const OVERDUE_MARGIN: Duration = Duration::from_secs(5);

/// How often to check whether the agent has been started.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The time limit of a task, as enforced by a server.
#[derive(Debug, Clone, Copy)]
pub(super) struct EnforcedLimit {
    /// All the time that the supervisor may need.
    allowed: Duration,
    /// How long stopping an agent may take.
    graces: Duration,
}

impl EnforcedLimit {
    /// Returns `None` if the task has no time limit.
    pub(super) fn of(spec: &TaskSpec) -> Option<Self> {
        // The limit applies to each backend separately.
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
    /// Ends the task if it exceeds its limit and its supervisor does not end it. Returns when the task has ended or
    /// nothing more can be done. Cancel-safe.
    pub(super) async fn enforce(&self, limit: EnforcedLimit, id: &TaskId) -> Result<(), Refusal> {
        // By then, a short task has ended, and its record need not be read for this.
        sleep(POLL_INTERVAL).await;
        self.agent_seen(id).await?;
        sleep(limit.allowed).await;
        self.end_overdue(limit, id).await
    }

    /// Enforces the time limit of a running task that another server submitted. Called whenever such a task is seen;
    /// each is guarded only once.
    pub(super) fn guard(&self, id: &TaskId) {
        if self.executor.hints(id).is_some() || !self.guarded().begin(id) {
            return;
        }
        let (broker, id) = (self.clone(), id.clone());
        tokio::spawn(async move {
            match broker.enforce_for_another(&id).await {
                Ok(false) => return broker.guarded().leave_alone(&id),
                Ok(true) => {}
                Err(problem) => tracing::debug!(%problem, task = %id, "cannot enforce the task's time limit"),
            }
            broker.guarded().end(&id);
        });
    }

    fn guarded(&self) -> MutexGuard<'_, GuardedTasks> {
        self.guarded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enforces the limit of another server's task, if it has one. Returns `false` if it has none. Otherwise returns
    /// `true`, after the task has ended or nothing more can be done, or at once if the policy cannot be read.
    pub(super) async fn enforce_for_another(&self, id: &TaskId) -> Result<bool, Refusal> {
        let task_id = id.clone();
        let policy = self.on_disk(move |broker| broker.reader.policy(&task_id)).await?;
        // A policy that cannot be read now may be readable later.
        let Some(policy) = policy else { return Ok(true) };
        let Some(limit) = EnforcedLimit::of_attempts(&policy, 1) else { return Ok(false) };
        // The number of fallbacks is unknown here. But each fallback starts another agent, which gets the limit again.
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

    /// Ends an overdue task, unless it has ended by itself.
    async fn end_overdue(&self, limit: EnforcedLimit, id: &TaskId) -> Result<(), Refusal> {
        if self.ended(id).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(task = %id, "the task is overdue; resuming its supervisor");
        self.mark_overdue(id).await?;
        if self.ends_within(id, SUPERVISOR_TIMEOUT.saturating_add(limit.graces)).await?.is_none() {
            self.force_stop(id).await?;
            self.ends_within(id, FINALIZE_TIMEOUT).await?;
        }
        Ok(())
    }

    /// Waits until an agent has been started, and returns its PID. Returns `None` if the task ended without one.
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

    /// Marks the task as overdue, for the process that finalizes it, and resumes the supervisor.
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
