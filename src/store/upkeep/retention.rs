//! Removing tasks that have ended.
//!
//! A removal is announced by a file in the task's run directory, under its lease, and ends with that directory. What is
//! found announced when its lease is free is finished, so that a crash leaves nothing behind for good. Safe for any
//! number of processes at once: whoever gets the lease removes, and the others find nothing.

use std::fs;

use chrono::{DateTime, Utc};

use super::Upkeep;
use crate::{
    store::{
        atomic::{Durability, replace},
        error::StoreError,
        files,
        layout::RECORD_SUFFIX,
        open_task::OpenTask,
        records,
    },
    task::{RECORD_FORMAT, Retention, TaskId, TaskRecord},
};

/// Number of tasks removed with one update of the index.
const AT_ONCE: usize = 64;

/// A task that has ended, as the rules look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ended {
    id: TaskId,
    at: DateTime<Utc>,
    bytes: u64,
}

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
            complain(&id, finished);
        }
        if rules.keeps_everything() {
            return Ok(0);
        }
        let mut removed = Vec::new();
        for some in doomed(self.all_ended()?, rules, now).chunks(AT_ONCE) {
            let mut begun = Vec::new();
            for (id, rule) in some {
                let task = complain(id, self.begin_removal(id)).flatten();
                begun.extend(task.map(|task| (task, *rule)));
            }
            let ids: Vec<_> = begun.iter().map(|(task, _)| task.id().clone()).collect();
            // Without the index their run directories stay, announced as they are.
            if !self.index.remove(&ids)? {
                continue;
            }
            for ((task, rule), id) in begun.into_iter().zip(ids) {
                complain(&id, task.close());
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
            if !self.index.remove(std::slice::from_ref(task.id()))? {
                return Ok(());
            }
        }
        task.close()
    }

    /// Takes the files of a task that has ended. `None`: somebody else is at it, or was.
    fn begin_removal(&self, id: &TaskId) -> Result<Option<OpenTask>, StoreError> {
        let Some(task) = self.take_over(id)? else { return Ok(None) };
        // Only now is it certain that it is still there, and that nobody writes it.
        if self.ended_here(id)?.is_none() {
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

    /// The tasks that have ended and that nobody is at.
    fn all_ended(&self) -> Result<Vec<Ended>, StoreError> {
        let logs = &self.layout.logs;
        let mut ended = Vec::new();
        for file in fs::read_dir(logs).map_err(StoreError::at("read", logs))?.flatten() {
            let name = file.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(RECORD_SUFFIX));
            let Some(id) = id.and_then(|id| TaskId::parse(id).ok()) else { continue };
            if !self.layout.run(&id).exists() {
                ended.extend(self.ended_here(&id).ok().flatten());
            }
        }
        Ok(ended)
    }

    /// The task as its record has it, if this program ran it, and it has ended.
    fn ended_here(&self, id: &TaskId) -> Result<Option<Ended>, StoreError> {
        let Some(content) = records::read_as_it_is(&self.layout.record(id))? else { return Ok(None) };
        let is_ours = |record: &TaskRecord| record.id == *id && record.format == RECORD_FORMAT && !record.from_original;
        let record = serde_json::from_slice::<TaskRecord>(&content).ok().filter(is_ours);
        Ok(record.and_then(|record| {
            let at = record.end?.completed_at.unwrap_or(record.start.started_at);
            Some(Ended { id: id.clone(), at, bytes: self.bytes_of(id) })
        }))
    }

    fn bytes_of(&self, id: &TaskId) -> u64 {
        let files = records::files_of(&self.layout, id);
        files.iter().filter_map(|file| fs::symlink_metadata(file).ok()).map(|file| file.len()).sum()
    }
}

/// The tasks that the rules do not keep, the oldest first. The newest of all is never too large.
fn doomed(mut ended: Vec<Ended>, rules: Retention, now: DateTime<Utc>) -> Vec<(TaskId, Rule)> {
    ended.sort_by(|a, b| (b.at, &b.id).cmp(&(a.at, &a.id)));
    let (mut tasks, mut bytes) = (0, 0_u64);
    let mut doomed = Vec::new();
    for task in ended {
        tasks += 1;
        bytes = bytes.saturating_add(task.bytes);
        // One that ended in the future, by another clock, is young.
        let age = (now - task.at).to_std().unwrap_or_default();
        let rule = if rules.max_age.is_some_and(|most| age > most) {
            Rule::Age
        } else if rules.max_tasks.is_some_and(|most| tasks > most.get()) {
            Rule::Number
        } else if tasks > 1 && rules.max_bytes.is_some_and(|most| bytes > most) {
            Rule::Size
        } else {
            continue;
        };
        doomed.push((task.id, rule));
    }
    doomed.reverse();
    doomed
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
fn complain<T>(id: &TaskId, done: Result<T, StoreError>) -> Option<T> {
    done.inspect_err(|error| tracing::warn!(%error, task = %id, "it is not removed")).ok()
}

#[cfg(test)]
#[path = "retention_tests.rs"]
mod tests;
