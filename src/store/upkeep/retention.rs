//! Removing ended tasks.
//!
//! A removal holds the task's lease. It begins with a marker file in the task's run directory, and ends when that
//! directory is removed. If a process crashes in between, the next one finds the marker and the free lease, and
//! finishes the removal. Any number of processes can do this at once: only the one that gets the lease removes the
//! task.

use std::{collections::BTreeMap, fs};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Removal, Upkeep};
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

/// The rule that requires the removal of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    Age,
    Number,
    Size,
}

impl Upkeep {
    /// Removes the ended tasks that `rules` do not keep, oldest first, and adds a notice. Tasks of the original program
    /// and files that were set aside are kept. A task that cannot be removed now is tried again next time. Returns the
    /// number of removed tasks.
    pub fn remove_old(&self, rules: Retention, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.finish_removals()?;
        if rules.keeps_everything() {
            return Ok(0);
        }
        let mut removed = Vec::new();
        let tasks_to_remove = match self.tasks_to_remove(rules, now) {
            Ok(tasks_to_remove) => tasks_to_remove,
            Err(IndexesError::Store(error)) => return Err(error),
            // Without the catalog, the age of a task is unknown, so nothing is removed.
            Err(IndexesError::Catalog(error)) => return Err(error.about(&self.layout.catalog())),
        };
        for some in tasks_to_remove.chunks(TASKS_PER_UPDATE) {
            let mut begun = Vec::new();
            for (id, rule) in some {
                let task = log_failure(id, self.begin_removal(id)).flatten();
                begun.extend(task.map(|task| (task, *rule)));
            }
            let ids: Vec<_> = begun.iter().map(|(task, _)| task.id().clone()).collect();
            // If the lists cannot be changed, keep the run directories with their markers for the next run.
            if !self.indexes.remove(&ids)? {
                continue;
            }
            for ((task, rule), id) in begun.into_iter().zip(ids) {
                log_failure(&id, task.close());
                removed.push(rule);
            }
        }
        if !removed.is_empty() {
            self.notices.add(removal_notice(&removed));
        }
        Ok(removed.len())
    }

    /// Finishes the removals whose process died, or could not change the lists. Returns the result for each task.
    pub fn finish_removals(&self) -> Result<Vec<(TaskId, Removal)>, StoreError> {
        let mut results = Vec::new();
        for id in self.candidates()?.into_iter().filter(|id| self.reader.is_being_removed(id)) {
            let finished = self.take_over(&id).and_then(|task| match task {
                Some(task) => self.finish_removal(task).map(|()| true),
                None => Ok(false),
            });
            let result = match log_failure(&id, finished) {
                Some(false) => Removal::InUse,
                Some(true) if !self.reader.is_being_removed(&id) => Removal::Removed,
                Some(true) | None => Removal::StillListed,
            };
            results.push((id, result));
        }
        Ok(results)
    }

    /// Finishes a removal whose process died.
    pub fn finish_removal(&self, task: OpenTask) -> Result<(), StoreError> {
        // If another process finished it before we got the lease, the directory is new and contains only our lease.
        if self.reader.is_being_removed(task.id()) {
            self.remove_files(&task)?;
            if !self.indexes.remove(std::slice::from_ref(task.id()))? {
                return Ok(());
            }
        }
        task.close()
    }

    /// Removes the files of an ended task. Returns `None` if another process is working on the task, or has removed it.
    pub(super) fn begin_removal(&self, id: &TaskId) -> Result<Option<OpenTask>, StoreError> {
        // An ended task without a run directory is not in use by any process.
        if self.layout.run(id).symlink_metadata().is_ok() || self.reader.other_log_dir(id)?.is_some() {
            return Ok(None);
        }
        let Some(task) = self.take_over(id)? else { return Ok(None) };
        // Only under the lease is it certain that the task still exists and is not being written.
        if !self.has_ended_here(id)? {
            // Version 2.0.0 also removes old tasks, but not from the catalog.
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

    /// Removes our files of the task, the record last.
    fn remove_files(&self, task: &OpenTask) -> Result<(), StoreError> {
        for file in records::files_of(&self.layout, task.id()) {
            files::remove(&file).map_err(StoreError::at("remove", file))?;
        }
        Ok(())
    }

    /// The tasks that `rules` do not keep, oldest first, each with the first rule that it violates.
    ///
    /// Only a size limit requires a look at every task, and then only at the sizes of its files.
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
            // The newest task is kept, however large it is.
            for (position, id) in oldest_first.iter().rev().enumerate() {
                bytes = bytes.saturating_add(self.bytes_of(id));
                if position > 0 && bytes > max {
                    tasks_to_remove.entry(id.clone()).or_insert(Rule::Size);
                }
            }
        }
        // Each rule selects the oldest tasks, so all of them are at the beginning.
        Ok(oldest_first.into_iter().filter_map(|id| tasks_to_remove.remove_entry(&id)).collect())
    }

    /// Whether this program ran the task, it has ended, and its record is in this log directory.
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

/// The notice about removed tasks, with a count per rule.
fn removal_notice(removed: &[Rule]) -> String {
    let by = [
        (Rule::Age, "`retention.max_age`"),
        (Rule::Number, "`retention.max_tasks`"),
        (Rule::Size, "`retention.max_bytes`"),
    ];
    let counted = by.into_iter().filter_map(|(rule, key)| {
        let count = removed.iter().filter(|by| **by == rule).count();
        (count > 0).then(|| format!("{count} because of {key}"))
    });
    let tasks = match removed.len() {
        1 => "1 old task was removed with all its files".to_owned(),
        number => format!("{number} old tasks were removed with all their files"),
    };
    format!("{tasks}: {}", counted.collect::<Vec<_>>().join(", "))
}

/// Logs a failure. The next run tries again.
fn log_failure<T>(id: &TaskId, done: Result<T, StoreError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%error, task = %id, "a task was not removed")).ok()
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
