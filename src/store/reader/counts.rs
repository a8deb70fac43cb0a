//! Numbers of tasks.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::{Reader, selection::Selection};
use crate::{
    store::{
        catalog::{Catalog, Filter},
        delta::IndexesError,
        entry::{MAX_TEXT_CHARS, row},
        error::StoreError,
        repository::Repositories,
    },
    task::{Outcome, TaskCounts, TaskId, TaskRecord},
};

/// A property of tasks by which they are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum GroupedBy {
    Repository,
    Backend,
}

impl Reader {
    /// The number of tasks that a filter selects, by state and outcome. Of the tasks that have not ended, those that wait
    /// for their turn count as queued.
    ///
    /// If the catalog cannot be used, the tasks that [`find`](Self::find) returns are counted.
    pub fn counts(&self, filter: &Filter) -> Result<TaskCounts, StoreError> {
        let queued = self.queued()?.into_iter().collect();
        match self.catalog.query(|catalog| self.counts_in(catalog, filter, &queued)) {
            Ok(counts) => Ok(counts),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let mut counts = TaskCounts::default();
                self.each_without_catalog(&error, filter, |task| add(&mut counts, &task, &queued))?;
                Ok(counts)
            }
        }
    }

    /// The repositories in which tasks were submitted, each with the number of its tasks, most tasks first.
    pub fn repositories(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.numbers_by(GroupedBy::Repository)
    }

    /// The backends of all tasks, each with the number of its tasks, most tasks first. Not all of them need be configured.
    /// The name is empty if it is unknown.
    pub fn seen_backends(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.numbers_by(GroupedBy::Backend)
    }

    fn counts_in(
        &self,
        catalog: &Catalog,
        filter: &Filter,
        queued: &BTreeSet<TaskId>,
    ) -> Result<TaskCounts, IndexesError> {
        // All unfinished tasks are among these.
        let changed = self.changed(catalog)?;
        let mut counts = TaskCounts::default();
        for (state, tasks) in catalog.counts(filter, &changed.keys().cloned().collect())? {
            counts.add(state.outcome(), tasks);
        }
        let mut selection = Selection::of(filter);
        changed.values().filter(|task| selection.contains(task)).for_each(|task| add(&mut counts, task, queued));
        Ok(counts)
    }

    fn numbers_by(&self, by: GroupedBy) -> Result<Vec<(String, u64)>, StoreError> {
        let read = self.catalog.query(|catalog| {
            let changed = self.changed(catalog)?;
            let without = changed.keys().cloned().collect();
            let stored = match by {
                GroupedBy::Repository => catalog.repositories(&without)?,
                GroupedBy::Backend => catalog.backends(&without)?,
            };
            Ok((stored, changed))
        });
        let mut repositories = Repositories::default();
        let mut name = |task: &TaskRecord| {
            let row = row(task, MAX_TEXT_CHARS, &mut repositories);
            match by {
                GroupedBy::Repository => row.repository,
                GroupedBy::Backend => row.backend,
            }
        };
        let numbers = match read {
            Ok((mut numbers, changed)) => {
                changed.values().for_each(|task| *numbers.entry(name(task)).or_default() += 1);
                numbers
            }
            Err(IndexesError::Store(error)) => return Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let mut numbers = BTreeMap::new();
                let each = |task: TaskRecord| *numbers.entry(name(&task)).or_default() += 1;
                self.each_without_catalog(&error, &Filter::default(), each)?;
                numbers
            }
        };
        let mut numbers: Vec<_> = numbers.into_iter().filter(|(_, tasks)| *tasks > 0).collect();
        numbers.sort_by_key(|(_, tasks)| Reverse(*tasks));
        Ok(numbers)
    }
}

fn add(counts: &mut TaskCounts, task: &TaskRecord, queued: &BTreeSet<TaskId>) {
    match Outcome::of(task) {
        None if queued.contains(&task.id) => counts.queued += 1,
        outcome => counts.add(outcome, 1),
    }
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
