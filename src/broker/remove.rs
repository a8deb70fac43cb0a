//! Removes ended tasks with all their files.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

use super::{Broker, NotRemovable, Refusal, follow::CLOSE_TIMEOUT};
use crate::{store::Removal, task::TaskId};

/// Number of tasks that are removed at once.
const TASKS_PER_STEP: usize = 64;

/// How often to look whether a supervisor has closed its task.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Selects ended tasks to remove.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PruneRules {
    /// Only tasks that ended before this time.
    pub ended_before: Option<DateTime<Utc>>,
    /// The number of the newest tasks to keep, by the time of their end.
    pub keep: Option<usize>,
}

impl Broker {
    /// Finishes removals that were interrupted. Returns the result for each task.
    pub async fn finish_removals(&self) -> Result<Vec<(TaskId, Removal)>, Refusal> {
        Ok(self.on_disk(|broker| broker.upkeep.finish_removals()).await??)
    }

    /// Fails if one of these tasks cannot be removed. Nothing is changed.
    pub async fn check_removable(&self, ids: &[TaskId]) -> Result<(), Refusal> {
        for id in ids {
            let Some(record) = self.ended(id).await? else {
                return Err(Refusal::NotRemovable(NotRemovable::Running(id.clone())));
            };
            if record.is_original() {
                return Err(Refusal::NotRemovable(NotRemovable::Original(id.clone())));
            }
        }
        Ok(())
    }

    /// Removes ended tasks with all their files, their refs and their worktrees, and passes the ID of each to `removed`. A
    /// task that another process has removed meanwhile is not an error. A worktree with work that no snapshot contains
    /// is kept. Fails if a task is still listed.
    pub async fn remove(&self, ids: &[TaskId], mut removed: impl FnMut(&TaskId)) -> Result<(), Refusal> {
        for some in ids.chunks(TASKS_PER_STEP) {
            let mut remaining = some.to_vec();
            let mut still_listed = None;
            let deadline = Instant::now() + CLOSE_TIMEOUT;
            while !remaining.is_empty() {
                for id in &remaining {
                    // Completes the end of a task whose supervisor was killed while it finished.
                    self.settle(id).await?;
                }
                let wanted = remaining.clone();
                let results = self.on_disk(move |broker| broker.upkeep.remove(&wanted)).await??;
                remaining.clear();
                for (id, result) in results {
                    match result {
                        Removal::Removed => removed(&id),
                        Removal::StillListed => still_listed = Some(id),
                        Removal::Unknown => {}
                        Removal::Original => return Err(Refusal::NotRemovable(NotRemovable::Original(id))),
                        // A supervisor closes its task a moment after the end.
                        Removal::InUse if Instant::now() < deadline => remaining.push(id),
                        Removal::InUse => return Err(Refusal::NotRemovable(NotRemovable::InUse(id))),
                    }
                }
                if !remaining.is_empty() {
                    sleep(POLL_INTERVAL).await;
                }
            }
            if let Some(id) = still_listed {
                return Err(Refusal::NotRemovable(NotRemovable::StillListed(id)));
            }
            let gone = some.to_vec();
            self.in_background(move |broker| broker.clean_up_workspaces(Some(&gone))).await;
        }
        Ok(())
    }

    /// The ended tasks that `rules` select in one repository or in all, those that ended last first. Ignores the original
    /// program's tasks.
    pub async fn prunable(&self, repository: Option<&str>, rules: PruneRules) -> Result<Vec<TaskId>, Refusal> {
        self.settle_running().await?;
        let repository = repository.map(str::to_owned);
        let mut ended = self.on_disk(move |broker| broker.reader.ended(repository.as_deref())).await??;
        ended.sort_by(|a, b| (b.ended_at, &a.id).cmp(&(a.ended_at, &b.id)));
        ended.drain(..rules.keep.unwrap_or(0).min(ended.len()));
        ended.retain(|task| rules.ended_before.is_none_or(|before| task.ended_at < before));
        Ok(ended.into_iter().map(|task| task.id).collect())
    }
}
