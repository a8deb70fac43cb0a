//! Listing tasks without the catalog.
//!
//! | why the catalog is not used | how tasks are listed |
//! |---|---|
//! | it is being built, or will be | a short history completely; of a long one the newest tasks, as a partial listing |
//! | it is locked or cannot be read now | completely, from all records, which takes seconds for a long history |
//!
//! Either way, only the listed tasks are in memory.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    time::SystemTime,
};

use super::{
    Reader,
    newest::NewestTasks,
    selection::{Selection, has_session},
};
use crate::{
    store::{
        all_tasks::AllTasks,
        archive,
        catalog::{CatalogError, Filter, marked},
        error::StoreError,
        records,
    },
    task::{Listing, Page, TaskId, TaskRecord},
};

/// Maximum number of records, and of entries of `tasks.json`, that are read for a listing while the catalog is being
/// built. Tests use a shorter history.
const MAX_TASKS_READ: usize = if cfg!(test) { 50 } else { 1_000 };

/// Maximum size, in bytes, of all archives that are read for such a listing.
const MAX_ARCHIVE_BYTES: u64 = 1 << 20;

impl Reader {
    /// Lists a page of the tasks that `filter` selects. `error` is why the catalog cannot be used.
    pub(super) fn find_without_catalog(
        &self,
        error: &CatalogError,
        filter: &Filter,
        page: Page,
    ) -> Result<Listing, StoreError> {
        let mut newest = NewestTasks::new(page.end());
        let is_partial = self.each_without_catalog(error, filter, |task| newest.add(task))?;
        let mut listing = newest.listing(is_partial);
        listing.records.drain(..page.skip.min(listing.records.len()));
        Ok(listing)
    }

    /// Calls `add` for each task that `filter` selects. `error` is why the catalog cannot be used. Returns whether older
    /// tasks may be missing.
    pub(super) fn each_without_catalog(
        &self,
        error: &CatalogError,
        filter: &Filter,
        mut add: impl FnMut(TaskRecord),
    ) -> Result<bool, StoreError> {
        let mut selection = Selection::of(filter);
        let is_partial = error.needs_rebuild() && self.is_history_long()?;
        let tasks: Box<dyn Iterator<Item = TaskRecord>> = match is_partial {
            true => Box::new(self.newest_tasks()?.into_values()),
            false => Box::new(self.all_tasks()?),
        };
        tasks.filter(|task| selection.contains(task)).for_each(&mut add);
        Ok(is_partial)
    }

    /// The newest tasks whose IDs begin with `prefix`. Reads only the records of these tasks, so it is quick even with
    /// a long history.
    pub(super) fn with_prefix_without_catalog(&self, prefix: &str, limit: usize) -> Result<Listing, StoreError> {
        let has_prefix = |id: &TaskId| id.as_str().starts_with(prefix);
        let (_, entries) = self.index.newest_entries(usize::MAX)?;
        let listed = archive::all_archived(&self.layout).chain(entries);
        let mut tasks: BTreeMap<_, _> =
            listed.filter(|task| has_prefix(&task.id)).map(|task| (task.id.clone(), task)).collect();
        for id in records::all(&self.layout)?.filter(has_prefix) {
            let read = records::own_or_reported(&self.layout, &self.notices, &id);
            if let Ok(Some(record)) = read.inspect_err(|error| self.notices.add_unreadable(&id, error)) {
                tasks.insert(id, record);
            }
        }
        let mut newest = NewestTasks::new(limit);
        tasks.into_values().for_each(|task| newest.add(task));
        Ok(newest.listing(false))
    }

    /// The newest tasks with this session, from all records.
    pub(super) fn newest_of_session_without_catalog(
        &self,
        session: &str,
        limit: usize,
    ) -> Result<Vec<TaskRecord>, StoreError> {
        let mut newest = NewestTasks::new(limit);
        self.all_tasks()?.filter(|task| has_session(task, session)).for_each(|task| newest.add(task));
        Ok(newest.listing(false).records)
    }

    /// All tasks, one at a time.
    pub(super) fn all_tasks(&self) -> Result<impl Iterator<Item = TaskRecord>, StoreError> {
        // If the directory cannot be read, fail instead of showing no tasks.
        drop(records::all(&self.layout)?);
        Ok(AllTasks { layout: &self.layout, index: &self.index, notices: &self.notices }.each())
    }

    /// Whether reading all tasks would take too long for a listing.
    fn is_history_long(&self) -> Result<bool, StoreError> {
        Ok(records::all(&self.layout)?.nth(MAX_TASKS_READ).is_some()
            || archive::bytes(&self.layout) > MAX_ARCHIVE_BYTES
            || self.index.newest_entries(0)?.0 > MAX_TASKS_READ)
    }

    /// The open tasks, the tasks that the catalog would lack, and the newest tasks of `tasks.json`. Without a usable
    /// `tasks.json`, the tasks whose records were written last.
    fn newest_tasks(&self) -> Result<BTreeMap<TaskId, TaskRecord>, StoreError> {
        let (_, entries) = self.index.newest_entries(MAX_TASKS_READ)?;
        let mut tasks: BTreeMap<_, _> = entries.into_iter().map(|task| (task.id.clone(), task)).collect();
        let mut ids: Vec<_> = tasks.keys().cloned().collect();
        if ids.is_empty() {
            ids = self.last_written()?;
        }
        ids.extend(records::open(&self.layout)?);
        ids.extend(marked(&self.layout.catalog_pending())?);
        for id in ids {
            let read = records::own_or_reported(&self.layout, &self.notices, &id);
            if let Ok(Some(record)) = read.inspect_err(|error| self.notices.add_unreadable(&id, error)) {
                tasks.insert(id, record);
            }
        }
        Ok(tasks)
    }

    /// The tasks whose records were written last, up to [`MAX_TASKS_READ`].
    fn last_written(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut last: BinaryHeap<Reverse<(SystemTime, TaskId)>> = BinaryHeap::new();
        for id in records::all(&self.layout)? {
            let found = self.layout.record(&id).symlink_metadata();
            let Ok(written) = found.and_then(|found| found.modified()) else { continue };
            last.push(Reverse((written, id)));
            if last.len() > MAX_TASKS_READ {
                last.pop();
            }
        }
        Ok(last.into_iter().map(|Reverse((_, id))| id).collect())
    }
}

#[cfg(test)]
#[path = "without_catalog_tests.rs"]
mod tests;
