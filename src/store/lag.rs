//! Finds tasks that are missing or outdated in the catalog.
//!
//! This version writes each change to the catalog. A change is missing there if the catalog was locked, or if it was
//! made by version 2.0.0, which knows only the records and `tasks.json` and may share the data directory. Each such
//! change leaves a trace:
//!
//! | change | trace |
//! |---|---|
//! | to a task that is running or not finalized | its run directory, and its row, which says that it is running |
//! | that could not be written to the catalog | `index.pending` |
//! | by 2.0.0 | `tasks.json` has another *edition* than the catalog knows; its entries are compared |
//! | by 2.0.0, which has since dropped the entry | the catalog knows no ended task of `tasks.json`; the *names* of all records are compared |
//! | by 2.0.0, which could not lock `tasks.json` | `tasks.dirty` exists; the names of all records are compared |
//! | by the original program | its index, which is an edition of `tasks.json` or was archived as `tasks-archive-*` |
//!
//! A reader shows these tasks from their records. A writer stores them in the catalog, together with the edition and
//! the names of the archives that the catalog then contains. All checks stay fast as the history grows, except
//! comparing names, which takes about a second for 100,000 tasks.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    archive,
    catalog::{Catalog, CatalogSources, marked},
    delta::{IndexDelta, IndexesError},
    index::Index,
    layout::Layout,
    notices::Notices,
    records,
};
use crate::task::{TaskId, TaskRecord};

/// How many records are compared per query.
const RECORDS_PER_QUERY: usize = 1_000;

/// Changes that the catalog lacks.
#[derive(Debug, Default)]
pub(super) struct Lag {
    /// The newest records of tasks, some of which the catalog may have.
    pub(super) records: BTreeMap<TaskId, TaskRecord>,
    /// The sources that the catalog fully contains once these records are stored.
    pub(super) sources: CatalogSources,
}

/// Finds the tasks that the catalog lags behind on.
#[derive(Debug)]
pub(super) struct LagFinder<'a> {
    pub(super) layout: &'a Arc<Layout>,
    pub(super) index: &'a Index,
    pub(super) notices: &'a Notices,
    pub(super) catalog: &'a Catalog,
}

impl LagFinder<'_> {
    /// Finds all changes. `sweeps`: always compare the names of all records.
    pub(super) fn find_all(&self, sweeps: bool) -> Result<Lag, IndexesError> {
        // Read the marks first: a task whose mark disappears after this is in the catalog.
        let mut ids = marked(&self.layout.catalog_pending())?;
        let open = records::open(self.layout)?;
        ids.extend(self.catalog.behind(open.iter().map(|id| (id, true)))?);
        ids.extend(self.catalog.running()?);
        let (edition, delta) = self.index.delta(self.catalog)?;
        let mut lag = self.find_beyond_index(edition, delta, None, sweeps)?;
        self.read(ids, &mut lag)?;
        Ok(lag)
    }

    /// Finds the changes in `tasks.json` and in archives, and tasks that `tasks.json` may have dropped. `archive` is
    /// already covered by `delta`.
    pub(super) fn find_beyond_index(
        &self,
        edition: String,
        delta: IndexDelta,
        archive: Option<String>,
        sweeps: bool,
    ) -> Result<Lag, IndexesError> {
        let IndexDelta { records, may_lack } = delta;
        let mut lag = Lag { records, ..Lag::default() };
        lag.sources.archives.extend(archive);
        self.read_archives(&mut lag)?;
        lag.sources.edition = Some(edition);
        if sweeps || may_lack || self.index.is_dirty() {
            let unknown = self.unknown_records()?;
            self.read(unknown, &mut lag)?;
        }
        Ok(lag)
    }

    /// Reads the records of tasks.
    fn read(&self, ids: BTreeSet<TaskId>, lag: &mut Lag) -> Result<(), IndexesError> {
        let entries: OnceCell<BTreeMap<TaskId, TaskRecord>> = OnceCell::new();
        // Tasks of the original program, and tasks with a damaged record, exist only as index entries.
        let entry = |id: &TaskId| {
            let read = || self.index.each().into_iter().flatten().map(|record| (record.id.clone(), record));
            entries.get_or_init(|| read().collect()).get(id).cloned()
        };
        for id in ids {
            match records::own_or_reported(self.layout, self.notices, &id) {
                Ok(record) => {
                    if let Some(record) = record.or_else(|| entry(&id)) {
                        lag.records.insert(id, record);
                    }
                }
                // One unreadable task must not hide the others; it is listed from the index.
                Err(error) => self.notices.add_unreadable(&id, &error),
            }
        }
        Ok(())
    }

    /// The tasks with a record but without a row.
    fn unknown_records(&self) -> Result<BTreeSet<TaskId>, IndexesError> {
        let mut unknown = BTreeSet::new();
        let mut some = Vec::new();
        for id in records::all(self.layout)? {
            some.push(id);
            if some.len() == RECORDS_PER_QUERY {
                unknown.extend(self.catalog.behind(some.iter().map(|id| (id, false)))?);
                some.clear();
            }
        }
        unknown.extend(self.catalog.behind(some.iter().map(|id| (id, false)))?);
        Ok(unknown)
    }

    /// Reads the archives that are not in the catalog yet.
    fn read_archives(&self, lag: &mut Lag) -> Result<(), IndexesError> {
        let names = archive::names(self.layout);
        if names.is_empty() {
            return Ok(());
        }
        let mut known = self.catalog.sources()?.archives;
        known.extend(lag.sources.archives.iter().cloned());
        for name in names.into_iter().filter(|name| !known.contains(name)) {
            let archived: Vec<_> = archive::of(self.layout, &name).collect();
            let behind = self.catalog.behind(archived.iter().map(|record| (&record.id, false)))?;
            for record in archived.into_iter().filter(|record| behind.contains(&record.id)) {
                lag.records.entry(record.id.clone()).or_insert(record);
            }
            lag.sources.archives.insert(name);
        }
        Ok(())
    }
}
