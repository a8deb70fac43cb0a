//! Removing tasks that have ended.
//!
//! A removal is announced by a file in the task's run directory, under its lease, and ends with that directory. What is
//! found announced when its lease is free is finished, so that a crash leaves nothing behind for good. Safe for any
//! number of processes at once: whoever gets the lease removes, and the others find nothing.

use std::{collections::BTreeMap, fs};

use chrono::{DateTime, TimeDelta, Utc};

use super::Upkeep;
use crate::{
    store::{
        atomic::{Durability, replace},
        delta::IndexesError,
        error::StoreError,
        files,
        open_task::OpenTask,
        records,
    },
    task::{RECORD_FORMAT, Retention, TaskId, TaskRecord},
};

/// Number of tasks removed with one update of the lists.
const TASKS_PER_UPDATE: usize = 64;

/// The rule by which a task is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Age,
    Number,
    Size,
}

impl Upkeep {
    /// Removes the tasks that have ended and that `rules` do not keep, the oldest first, and leaves a notice of it. What
    /// the original program left, and what was set aside, stays. A task that cannot be removed now is left for the next
    /// time. Gives the number of tasks that were removed.
    pub fn remove_old(&self, rules: Retention, now: DateTime<Utc>) -> Result<usize, StoreError> {
        for id in self.candidates()?.into_iter().filter(|id| self.reader.is_being_removed(id)) {
            let finished = self.take_over(&id).and_then(|task| match task {
                Some(task) => self.finish_removal(task),
                None => Ok(()),
            });
            log_failure(&id, finished);
        }
        if rules.keeps_everything() {
            return Ok(0);
        }
        let mut removed = Vec::new();
        let tasks_to_remove = match self.tasks_to_remove(rules, now) {
            Ok(tasks_to_remove) => tasks_to_remove,
            Err(IndexesError::Store(error)) => return Err(error),
            // Nothing is removed that is not known to be old.
            Err(IndexesError::Catalog(error)) => return Err(error.about(&self.layout.catalog())),
        };
        for some in tasks_to_remove.chunks(TASKS_PER_UPDATE) {
            let mut begun = Vec::new();
            for (id, rule) in some {
                let task = log_failure(id, self.begin_removal(id)).flatten();
                begun.extend(task.map(|task| (task, *rule)));
            }
            let ids: Vec<_> = begun.iter().map(|(task, _)| task.id().clone()).collect();
            // Without the lists their run directories stay, announced as they are.
            if !self.indexes.remove(&ids)? {
                continue;
            }
            for ((task, rule), id) in begun.into_iter().zip(ids) {
                log_failure(&id, task.close());
                removed.push(rule);
            }
        }
        if !removed.is_empty() {
            self.notices.add(told(&removed));
        }
        Ok(removed.len())
    }

    /// Finishes a removal whose process is gone.
    pub fn finish_removal(&self, task: OpenTask) -> Result<(), StoreError> {
        // Another may have finished it before the lease was ours: then the directory is empty, and of our making.
        if self.reader.is_being_removed(task.id()) {
            self.remove_files(&task)?;
            if !self.indexes.remove(std::slice::from_ref(task.id()))? {
                return Ok(());
            }
        }
        task.close()
    }

    /// Takes the files of a task that has ended. `None`: somebody else is at it, or was.
    fn begin_removal(&self, id: &TaskId) -> Result<Option<OpenTask>, StoreError> {
        // Nobody is at a task without a run directory.
        if self.layout.run(id).symlink_metadata().is_ok() || self.reader.other_log_dir(id)?.is_some() {
            return Ok(None);
        }
        let Some(task) = self.take_over(id)? else { return Ok(None) };
        // Only now is it certain that it is still there, and that nobody writes it.
        if !self.has_ended_here(id)? {
            // Version 2.0.0 removes old tasks too, and not from the catalog.
            if self.layout.record(id).symlink_metadata().is_err() {
                self.indexes.remove(std::slice::from_ref(id))?;
            }
            task.close()?;
            return Ok(None);
        }
        replace(&self.layout.removing(id), b"", Durability::Durable)?;
        self.remove_files(&task)?;
        Ok(Some(task))
    }

    /// Removes what is ours of the task, its record last.
    fn remove_files(&self, task: &OpenTask) -> Result<(), StoreError> {
        for file in records::files_of(&self.layout, task.id()) {
            files::remove(&file).map_err(StoreError::at("remove", file))?;
        }
        Ok(())
    }

    /// The tasks that `rules` do not keep, the oldest first, each with the first rule that does not keep it.
    ///
    /// Only a rule about sizes looks at every task, and then at the sizes of its files alone.
    fn tasks_to_remove(&self, rules: Retention, now: DateTime<Utc>) -> Result<Vec<(TaskId, Rule)>, IndexesError> {
        let catalog = self.indexes.catch_up(now)?;
        let mut tasks_to_remove = BTreeMap::new();
        let oldest_age = rules.max_age.and_then(|age| now.checked_sub_signed(TimeDelta::from_std(age).ok()?));
        if let Some(before) = oldest_age {
            tasks_to_remove.extend(catalog.ended_before(before, usize::MAX)?.into_iter().map(|id| (id, Rule::Age)));
        }
        if let Some(max) = rules.max_tasks {
            for id in catalog.oldest_ended(max.get() as u64, usize::MAX)? {
                tasks_to_remove.entry(id).or_insert(Rule::Number);
            }
        }
        let oldest_first =
            catalog.oldest_ended(0, if rules.max_bytes.is_some() { usize::MAX } else { tasks_to_remove.len() })?;
        if let Some(max) = rules.max_bytes {
            let mut bytes = 0_u64;
            // The newest of all is never too large.
            for (place, id) in oldest_first.iter().rev().enumerate() {
                bytes = bytes.saturating_add(self.bytes_of(id));
                if place > 0 && bytes > max {
                    tasks_to_remove.entry(id.clone()).or_insert(Rule::Size);
                }
            }
        }
        // Each rule takes the oldest, so all of them are at the beginning.
        Ok(oldest_first.into_iter().filter_map(|id| tasks_to_remove.remove_entry(&id)).collect())
    }

    /// Whether this program ran the task, it has ended, and its record is here.
    fn has_ended_here(&self, id: &TaskId) -> Result<bool, StoreError> {
        let Some(content) = records::read_raw(&self.layout.record(id))? else { return Ok(false) };
        let is_ours = |record: &TaskRecord| record.id == *id && record.format == RECORD_FORMAT && !record.from_original;
        let record = serde_json::from_slice::<TaskRecord>(&content).ok().filter(is_ours);
        Ok(record.is_some_and(|record| record.is_final()))
    }

    fn bytes_of(&self, id: &TaskId) -> u64 {
        let files = records::files_of(&self.layout, id);
        files.iter().filter_map(|file| fs::symlink_metadata(file).ok()).map(|file| file.len()).sum()
    }
}

/// How many tasks were removed, and by which rules.
fn told(removed: &[Rule]) -> String {
    let by = [
        (Rule::Age, "`retention.max_age`"),
        (Rule::Number, "`retention.max_tasks`"),
        (Rule::Size, "`retention.max_bytes`"),
    ];
    let counted = by.into_iter().filter_map(|(rule, key)| {
        let count = removed.iter().filter(|by| **by == rule).count();
        (count > 0).then(|| format!("{count} by {key}"))
    });
    let tasks =
        if removed.len() == 1 { "1 old task was".to_owned() } else { format!("{} old tasks were", removed.len()) };
    format!("{tasks} removed with all files: {}", counted.collect::<Vec<_>>().join(", "))
}

/// Logs a failure that the next run retries.
fn log_failure<T>(id: &TaskId, done: Result<T, StoreError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%error, task = %id, "it is not removed")).ok()
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
