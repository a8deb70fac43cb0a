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
//! in the queue either. It stands still while the machine is suspended, like the supervisor's.
//!
//! That server may be gone. So each server that finds a running task of another one [guards](Broker::guard) its limit in the
//! same way, from the moment at which it first sees the agent. By then the task may have run for long; no start time is
//! compared, because the wall clock counts suspended time and can be set. So such a task ends after at most twice its
//! limit. Nothing guards a task that no server looks at.

use std::{
    collections::{HashSet, VecDeque},
    sync::{MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::sleep;

use super::{
    Broker, Refusal,
    cancel::{CLOSING, PATIENCE},
};
use crate::task::{Policy, TaskId, TaskSpec};

/// How much later than its supervisor a task counts as overdue.
const MARGIN: Duration = Duration::from_secs(5);

/// How often it is looked whether the agent has been started.
const POLL: Duration = Duration::from_secs(1);

/// Maximum number of tasks of other servers that are guarded at once, and of those without a limit that are remembered.
const MOST_GUARDED: usize = 1_000;

/// Tasks of other servers that this one has looked at.
#[derive(Debug, Default)]
pub(super) struct GuardedTasks {
    /// Their limits are being enforced.
    guarded: HashSet<TaskId>,
    /// They have no limit, so that their policies are not read again. The oldest is the first.
    unlimited: VecDeque<TaskId>,
}

impl GuardedTasks {
    /// Whether this task is to be guarded now: it is new, and there is room.
    fn begin(&mut self, id: &TaskId) -> bool {
        let is_new = !self.unlimited.contains(id) && !self.guarded.contains(id);
        let begins = is_new && self.guarded.len() < MOST_GUARDED;
        if begins {
            self.guarded.insert(id.clone());
        }
        begins
    }

    /// The task has ended, or nothing more can be done.
    fn end(&mut self, id: &TaskId) {
        self.guarded.remove(id);
    }

    /// The task turned out to have no limit.
    fn leave_alone(&mut self, id: &TaskId) {
        self.end(id);
        if self.unlimited.len() >= MOST_GUARDED {
            self.unlimited.pop_front();
        }
        self.unlimited.push_back(id.clone());
    }
}

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
        // Each backend has the time for itself.
        let attempts = u32::try_from(spec.fallbacks.len() + 1).unwrap_or(u32::MAX);
        Self::of_attempts(&spec.policy, attempts)
    }

    fn of_attempts(policy: &Policy, attempts: u32) -> Option<Self> {
        let limit = policy.timeout?;
        let graces = policy.grace.interrupt.saturating_add(policy.grace.terminate.saturating_mul(2));
        let allowed = limit.saturating_add(graces).saturating_mul(attempts).saturating_add(MARGIN);
        Some(Self { allowed, graces })
    }
}

impl Broker {
    /// Ends the task when its time is up and its supervisor has not. Returns when the task has ended, or when nothing more
    /// can be done. Can be dropped at any time.
    pub(super) async fn enforce(&self, limit: TimeLimit, id: &TaskId) -> Result<(), Refusal> {
        // A short task is over by then, and its record was never read for this.
        sleep(POLL).await;
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

    /// Returns whether the task has a limit, once it has ended or nothing more can be done.
    async fn enforce_for_another(&self, id: &TaskId) -> Result<bool, Refusal> {
        let of = id.clone();
        let policy = self.on_disk(move |broker| broker.reader.policy(&of)).await?;
        let Some(limit) = policy.and_then(|policy| TimeLimit::of_attempts(&policy, 1)) else { return Ok(false) };
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
    async fn end_overdue(&self, limit: TimeLimit, id: &TaskId) -> Result<(), Refusal> {
        if self.ended(id).await?.is_some() {
            return Ok(());
        }
        tracing::warn!(task = %id, "it is overdue: its supervisor is woken");
        self.mark_overdue(id).await?;
        if self.ends_within(id, PATIENCE.saturating_add(limit.graces)).await?.is_none() {
            self.force_stop(id).await?;
            self.ends_within(id, CLOSING).await?;
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
            sleep(POLL).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_is_guarded_once_at_a_time_and_one_without_a_limit_only_once() {
        let (mut tasks, limited, unlimited) = (GuardedTasks::default(), TaskId::random(), TaskId::random());
        assert!(tasks.begin(&limited) && !tasks.begin(&limited));
        tasks.end(&limited);
        assert!(tasks.begin(&limited), "it failed, and may work now");
        assert!(tasks.begin(&unlimited));
        tasks.leave_alone(&unlimited);
        assert!(!tasks.begin(&unlimited), "its policy was read");
    }

    #[test]
    fn any_number_of_tasks_takes_bounded_memory() {
        let mut tasks = GuardedTasks::default();
        for _ in 0..2 * MOST_GUARDED {
            let id = TaskId::random();
            if tasks.begin(&id) {
                tasks.leave_alone(&id);
            }
            tasks.begin(&TaskId::random());
        }
        assert_eq!((tasks.guarded.len(), tasks.unlimited.len() <= MOST_GUARDED), (MOST_GUARDED, true));
    }
}
