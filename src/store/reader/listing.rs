//! Listing and finding tasks.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::Reader;
use crate::{
    store::{
        archive,
        catalog::{Catalog, Filter},
        delta::IndexesError,
        entry::{MAX_TEXT_CHARS, record_of, row},
        error::StoreError,
        lag::LagFinder,
        repository::Repositories,
    },
    task::{Listing, TaskId, TaskRecord, TaskStatus},
};

impl Reader {
    /// The newest tasks with this status, or with any, up to `limit`. Running tasks are read from their records.
    ///
    /// If the catalog cannot be used, the records are listed, and a notice reports that.
    pub fn list(&self, status: Option<TaskStatus>, limit: usize) -> Result<Listing, StoreError> {
        self.find(&Filter { state: status, ..Filter::default() }, limit)
    }

    /// The newest tasks that a filter selects, up to `limit`.
    pub fn find(&self, filter: &Filter, limit: usize) -> Result<Listing, StoreError> {
        match self.catalog.query(|catalog| self.find_in(catalog, filter, limit)) {
            Ok(listing) => Ok(listing),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let tasks = self.all_without_catalog()?;
                Ok(Self::listing(selected(tasks, filter), limit))
            }
        }
    }

    /// The newest tasks whose IDs begin with `prefix`, up to `limit`, and the number of all of them.
    pub fn with_prefix(&self, prefix: &str, limit: usize) -> Result<Listing, StoreError> {
        let found = self.catalog.query(|catalog| {
            let changed = self.changed(catalog)?;
            let mut tasks: Vec<_> =
                changed.iter().filter(|(id, _)| id.as_str().starts_with(prefix)).map(|(_, it)| it.clone()).collect();
            for stored in catalog.with_prefix(prefix)? {
                if !changed.contains_key(&stored.row.id) {
                    tasks.push(record_of(&stored.row)?);
                }
            }
            Ok(Self::listing(tasks, limit))
        });
        match found {
            Ok(listing) => Ok(listing),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                let tasks = self.all_without_catalog()?.into_values();
                Ok(Self::listing(tasks.filter(|task| task.id.as_str().starts_with(prefix)).collect(), limit))
            }
        }
    }

    /// The newest task with this session of the agent.
    pub fn newest_of_session(&self, session: &str) -> Result<Option<TaskRecord>, StoreError> {
        let has_it = |record: &TaskRecord| record.progress.session_id.as_ref().is_some_and(|its| its == session);
        let newest = self.catalog.query(|catalog| {
            let stored = catalog.newest_of_session(session)?.map(|found| record_of(&found.row)).transpose()?;
            let changed = self.changed(catalog)?;
            // Changed records take precedence over rows.
            let stored = stored.filter(|stored| !changed.contains_key(&stored.id));
            Ok(changed.into_values().filter(has_it).chain(stored).max_by_key(start_order))
        });
        match newest {
            Ok(newest) => Ok(newest),
            Err(IndexesError::Store(error)) => Err(error),
            Err(IndexesError::Catalog(error)) => {
                self.report(&error);
                Ok(self.all_without_catalog()?.into_values().filter(has_it).max_by_key(start_order))
            }
        }
    }

    fn find_in(&self, catalog: &Catalog, filter: &Filter, limit: usize) -> Result<Listing, IndexesError> {
        let changed = self.changed(catalog)?;
        let ids: BTreeSet<_> = changed.keys().cloned().collect();
        let page = catalog.newest(filter, limit, &ids)?;
        let mut tasks = selected(changed, filter);
        let count = tasks.len();
        for found in &page.tasks {
            tasks.push(record_of(&found.row)?);
        }
        let stored = usize::try_from(page.total).unwrap_or(usize::MAX);
        Ok(Listing { total: stored.saturating_add(count), ..Self::listing(tasks, limit) })
    }

    /// The tasks that are missing or may be outdated in the catalog.
    pub(super) fn changed(&self, catalog: &Catalog) -> Result<BTreeMap<TaskId, TaskRecord>, IndexesError> {
        let finder = LagFinder { layout: &self.layout, index: &self.index, notices: &self.notices, catalog };
        Ok(finder.find_all(false)?.records)
    }

    /// All tasks, from all sources except the catalog.
    pub(super) fn all_without_catalog(&self) -> Result<BTreeMap<TaskId, TaskRecord>, StoreError> {
        let mut records = self.index.list()?;
        for record in archive::all_archived(&self.layout) {
            records.entry(record.id.clone()).or_insert(record);
        }
        Ok(records)
    }

    fn listing(mut records: Vec<TaskRecord>, limit: usize) -> Listing {
        records.sort_by(|a, b| (b.start.started_at, &a.id).cmp(&(a.start.started_at, &b.id)));
        let total = records.len();
        records.truncate(limit);
        Listing { records, total }
    }
}

/// The tasks that a filter selects.
fn selected(records: BTreeMap<TaskId, TaskRecord>, filter: &Filter) -> Vec<TaskRecord> {
    let is_cheap = *filter == Filter { state: filter.state, ..Filter::default() };
    if is_cheap {
        return records
            .into_values()
            .filter(|record| filter.state.is_none_or(|state| state == record.status()))
            .collect();
    }
    let mut repositories = Repositories::default();
    let mut is_selected = |record: &TaskRecord| filter.selects(&row(record, MAX_TEXT_CHARS, &mut repositories));
    records.into_values().filter(|record| is_selected(record)).collect()
}

fn start_order(record: &TaskRecord) -> impl Ord + use<> {
    (record.start.started_at, Reverse(record.id.clone()))
}
