//! Listing and finding tasks in the catalog.

use std::collections::BTreeMap;

use super::{
    Reader,
    newest::NewestTasks,
    selection::{Selection, has_session},
};
use crate::{
    store::{
        catalog::{Catalog, ChangedTasks, Filter, ListedTask, TaskPage},
        delta::IndexesError,
        entry::record_of,
        error::StoreError,
        lag::LagFinder,
    },
    task::{Listing, Page, TaskId, TaskRecord, TaskStatus},
};

impl Reader {
    /// The newest tasks with this status, or with any, up to `limit`. Running tasks are read from their records.
    ///
    /// If the catalog cannot be used, the records are listed, and a notice reports that. While the catalog of a long
    /// history is being built, only its newest tasks are listed, and the listing is partial.
    pub fn list(&self, status: Option<TaskStatus>, limit: usize) -> Result<Listing, StoreError> {
        self.find(&Filter { state: status, ..Filter::default() }, limit)
    }

    /// The newest tasks that a filter selects, up to `limit`.
    pub fn find(&self, filter: &Filter, limit: usize) -> Result<Listing, StoreError> {
        self.find_page(filter, Page::first(limit))
    }

    /// A page of the list of all tasks that a filter selects, newest first.
    pub fn find_page(&self, filter: &Filter, page: Page) -> Result<Listing, StoreError> {
        match self.catalog.query(|catalog| self.find_in(catalog, filter, page)) {
            Ok(listing) => Ok(listing),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                self.find_without_catalog(&error, filter, page)
            }
        }
    }

    /// The newest tasks whose IDs begin with `prefix`, up to `limit`, and the number of all of them.
    pub fn with_prefix(&self, prefix: &str, limit: usize) -> Result<Listing, StoreError> {
        let found = self.catalog.query(|catalog| {
            let changed = self.changed(catalog)?;
            let mut newest = NewestTasks::new(limit);
            for stored in catalog.with_prefix(prefix)? {
                if !changed.contains_key(&stored.row.id) {
                    newest.add(record_of(&stored.row)?);
                }
            }
            let has_prefix = |task: &TaskRecord| task.id.as_str().starts_with(prefix);
            changed.into_values().filter(has_prefix).for_each(|task| newest.add(task));
            Ok(newest.listing(false))
        });
        match found {
            Ok(listing) => Ok(listing),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                self.with_prefix_without_catalog(prefix, limit)
            }
        }
    }

    /// The tasks with this session of the agent, newest first, at most `limit`.
    pub fn newest_of_session(&self, session: &str, limit: usize) -> Result<Vec<TaskRecord>, StoreError> {
        let newest = self.catalog.query(|catalog| {
            let mut newest = NewestTasks::new(limit);
            for found in catalog.newest_of_session(session, limit)? {
                newest.add(record_of(&found.row)?);
            }
            // Changed records take precedence over rows.
            let changed = self.changed(catalog)?;
            let mut records = newest.listing(false).records;
            records.retain(|stored| !changed.contains_key(&stored.id));
            let mut newest = NewestTasks::new(limit);
            let changed = changed.into_values().filter(|record| has_session(record, session));
            changed.chain(records).for_each(|record| newest.add(record));
            Ok(newest.listing(false).records)
        });
        match newest {
            Ok(newest) => Ok(newest),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                self.newest_of_session_without_catalog(session, limit)
            }
        }
    }

    fn find_in(&self, catalog: &Catalog, filter: &Filter, page: Page) -> Result<Listing, IndexesError> {
        let mut records = self.changed(catalog)?;
        let changed = changed_tasks(&records, filter);
        let TaskPage { tasks, total } = catalog.page(filter, page, &changed)?;
        let mut listed = Vec::with_capacity(tasks.len());
        for task in tasks {
            match task {
                ListedTask::Stored(stored) => listed.push(record_of(&stored.row)?),
                ListedTask::Changed(id) => listed.extend(records.remove(&id)),
            }
        }
        let total = usize::try_from(total).unwrap_or(usize::MAX);
        Ok(Listing { records: listed, total, is_partial: false, waiting: BTreeMap::new() })
    }

    /// The tasks that are missing or may be outdated in the catalog.
    pub(super) fn changed(&self, catalog: &Catalog) -> Result<BTreeMap<TaskId, TaskRecord>, IndexesError> {
        let finder = LagFinder { layout: &self.layout, index: &self.index, notices: &self.notices, catalog };
        Ok(finder.find_all(false)?.records)
    }
}

/// The tasks whose records changed, for a query of the catalog.
pub(super) fn changed_tasks(records: &BTreeMap<TaskId, TaskRecord>, filter: &Filter) -> ChangedTasks {
    let mut selection = Selection::of(filter);
    let selected = records.values().filter(|record| selection.contains(record));
    let selected = selected.map(|record| (record.start.started_at.timestamp_millis(), record.id.clone())).collect();
    ChangedTasks { ids: records.keys().cloned().collect(), selected }
}
