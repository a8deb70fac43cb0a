//! Finding tasks by their place in a list or by their end, without reading their records.

use chrono::{DateTime, Utc};

use super::{Reader, listing::changed_tasks, selection::Selection};
use crate::{
    store::{
        catalog::{Catalog, Filter},
        delta::IndexesError,
        error::StoreError,
    },
    task::{Page, TaskId, TaskRecord},
};

/// A place in a list of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListPlace {
    /// The task at this place; `None` if the list is shorter.
    pub id: Option<TaskId>,
    /// The number of tasks in the list.
    pub total: usize,
}

/// An ended task that may be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedTask {
    /// Its ID.
    pub id: TaskId,
    /// When it ended; its start time if that is unknown.
    pub ended_at: DateTime<Utc>,
}

impl Reader {
    /// The task at the place `row`, starting at 1, of the list of all tasks that `filter` selects, newest first.
    ///
    /// Without a usable catalog, the tasks that [`find`](Self::find) returns are counted.
    pub fn at_place(&self, filter: &Filter, row: usize) -> Result<ListPlace, StoreError> {
        match self.catalog.query(|catalog| self.at_place_in(catalog, filter, row)) {
            Ok(place) => Ok(place),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let mut listing = self.find_without_catalog(&error, filter, Page { skip: row - 1, limit: 1 })?;
                Ok(ListPlace { id: listing.records.pop().map(|record| record.id), total: listing.total })
            }
        }
    }

    /// All ended tasks in one repository or in all, in no particular order. Ignores the original program's tasks.
    ///
    /// Without a usable catalog, only the tasks that [`find`](Self::find) returns are found.
    pub fn ended(&self, repository: Option<&str>) -> Result<Vec<EndedTask>, StoreError> {
        let filter = Filter { repository: repository.map(str::to_owned), ..Filter::default() };
        match self.catalog.query(|catalog| self.ended_in(catalog, &filter)) {
            Ok(ended) => Ok(ended),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let mut ended = Vec::new();
                self.each_without_catalog(&error, &filter, |task| ended.extend(ended_task(&task)))?;
                Ok(ended)
            }
        }
    }

    fn at_place_in(&self, catalog: &Catalog, filter: &Filter, row: usize) -> Result<ListPlace, IndexesError> {
        let changed = changed_tasks(&self.changed(catalog)?, filter);
        let place = Page { skip: row - 1, limit: 1 };
        let mut found = catalog.page_of_ids(filter, place, &changed)?;
        Ok(ListPlace { id: found.tasks.pop(), total: usize::try_from(found.total).unwrap_or(usize::MAX) })
    }

    fn ended_in(&self, catalog: &Catalog, filter: &Filter) -> Result<Vec<EndedTask>, IndexesError> {
        let changed = self.changed(catalog)?;
        let stored = catalog.ended(filter.repository.as_deref())?.into_iter();
        let stored = stored.filter(|(id, _)| !changed.contains_key(id));
        let mut ended: Vec<_> = stored.map(|(id, ended_at)| EndedTask { id, ended_at }).collect();
        let mut selection = Selection::of(filter);
        ended.extend(changed.values().filter(|record| selection.contains(record)).filter_map(ended_task));
        Ok(ended)
    }
}

/// The task, if it has ended and may be removed.
fn ended_task(record: &TaskRecord) -> Option<EndedTask> {
    let ended_at = record.completed_at().unwrap_or(record.start.started_at);
    (record.is_final() && !record.is_original()).then(|| EndedTask { id: record.id.clone(), ended_at })
}

#[cfg(test)]
mod tests {
    use std::{cmp::Reverse, fs};

    use super::*;
    use crate::{
        store::tests::{claimed, index, record, upkeep, write},
        task::TaskStatus,
    };

    #[test]
    fn a_place_is_the_same_with_the_catalog_and_without_it() {
        let (_dir, upkeep) = upkeep();
        let mut all: Vec<_> = (0..9).map(|second| record(second, TaskStatus::Completed)).collect();
        for record in &all {
            write(&upkeep, record);
            index(&upkeep, record);
        }
        // This one is only in its record.
        let running = record(4, TaskStatus::Running);
        let task = claimed(&upkeep, &running.id);
        task.write_record(&running).expect("it is writable");
        all.push(running);
        all.sort_by_key(|record| (Reverse(record.start.started_at), record.id.clone()));
        let places = || {
            let place = |row| upkeep.reader().at_place(&Filter::default(), row).expect("it is readable");
            (1..=11).map(place).collect::<Vec<_>>()
        };
        let expected = |row: usize| ListPlace { id: all.get(row).map(|record| record.id.clone()), total: 10 };
        let expected: Vec<_> = (0..11).map(expected).collect();
        assert_eq!(places(), expected);
        fs::remove_file(upkeep.layout().catalog()).expect("it exists");
        assert_eq!(places(), expected);
    }

    #[test]
    fn ended_tasks_are_found_with_the_catalog_and_without_it() {
        let (_dir, upkeep) = upkeep();
        let completed = record(0, TaskStatus::Completed);
        let failed = record(1, TaskStatus::Failed);
        let running = record(2, TaskStatus::Running);
        for record in [&completed, &failed, &running] {
            write(&upkeep, record);
            index(&upkeep, record);
        }
        let ended = |repository| {
            let mut found = upkeep.reader().ended(repository).expect("it is readable");
            found.sort_by_key(|task| task.ended_at);
            found.into_iter().map(|task| task.id).collect::<Vec<_>>()
        };
        for _ in 0..2 {
            assert_eq!(ended(None), [completed.id.clone(), failed.id.clone()]);
            assert_eq!(ended(Some("/another")), []);
            let _ = fs::remove_file(upkeep.layout().catalog());
        }
    }
}
