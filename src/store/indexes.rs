//! Writing both lists of tasks: the catalog, from which this version lists tasks, and `tasks.json`, for other programs.
//!
//! Both can be rebuilt from the records, so a failure here never fails a task. A change that cannot be written to the
//! catalog is noted in `index.pending`. A writer that finds the catalog unusable sets it aside and rebuilds it.

use std::{collections::BTreeSet, iter, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    all_tasks::AllTasks,
    archive,
    catalog::{Catalog, CatalogError, CatalogSources, Check, Row, mark, marked, rebuild},
    delta::IndexesError,
    entry::{MAX_TEXT_CHARS, record_of, row},
    error::StoreError,
    index::{Index, IndexUpdate},
    lag::{Lag, LagFinder},
    layout::Layout,
    notices::Notices,
    records,
    repository::Repositories,
};
use crate::task::{IndexLimits, TaskId, TaskRecord};

/// How often the names of all records are compared with the catalog.
const SWEEP_INTERVAL: TimeDelta = TimeDelta::hours(1);

/// The lists of one data directory.
#[derive(Debug, Clone)]
pub(super) struct Indexes {
    layout: Arc<Layout>,
    newest: Index,
    notices: Notices,
}

impl Indexes {
    pub(super) fn new(layout: Arc<Layout>, notices: Notices) -> Self {
        Self { newest: Index::new(Arc::clone(&layout), notices.clone()), layout, notices }
    }

    /// `tasks.json`.
    pub(super) fn newest(&self) -> &Index {
        &self.newest
    }

    /// Whether either list contains this ID. A catalog that cannot be read counts as empty.
    pub(super) fn mention(&self, id: &TaskId) -> Result<bool, StoreError> {
        let catalog = Catalog::open_to_read(&self.layout.catalog());
        let stored = catalog.and_then(|catalog| catalog.get(id)).ok().flatten();
        Ok(stored.is_some() || self.newest.mentions(id)?)
    }

    /// Adds a record to both lists, or replaces the task's older entry.
    ///
    /// Fails only if a list cannot be written and marking the task as missing from it fails too.
    pub(super) fn upsert(&self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        let catalog = self.open();
        let written = self.newest.upsert(record, limits, catalog.as_ref().ok());
        let (written, failed) = match written {
            Ok(written) => (written, None),
            Err(error) => (IndexUpdate::default(), Some(error)),
        };
        let also = written.dropped.clone();
        if let Err(error) = self.learn(catalog, Some((record, limits.text)), written) {
            self.defer(&error, iter::once(&record.id).chain(&also))?;
        }
        failed.map_or(Ok(()), Err)
    }

    /// Removes tasks whose files are gone from both lists. Returns `false` if a list could not be changed now; the
    /// caller should try again later.
    pub(super) fn remove(&self, ids: &[TaskId]) -> Result<bool, StoreError> {
        let catalog = self.open();
        let Some(written) = self.newest.remove(ids, catalog.as_ref().ok())? else { return Ok(false) };
        let removed = match catalog {
            // A rebuild skips tasks without files.
            Err(error) if error.needs_rebuild() => return Ok(true),
            Err(error) => Err(error),
            Ok(mut catalog) => catalog.remove(ids).and_then(|()| self.learn(Ok(catalog), None, written)),
        };
        match removed {
            Ok(()) => Ok(true),
            Err(error) => {
                tracing::warn!(%error, "removed tasks stay in index.sqlite for now");
                Ok(false)
            }
        }
    }

    /// Brings the catalog up to date: creates it if it cannot be used, and stores changes by other programs. The names
    /// of all records are compared if that was not done within the last hour.
    pub(super) fn catch_up(&self, now: DateTime<Utc>) -> Result<Catalog, IndexesError> {
        match self.opened_or_rebuilt().map_err(IndexesError::from).and_then(|catalog| self.caught_up(catalog, now)) {
            Err(IndexesError::Catalog(error)) if error.needs_rebuild() => {
                let catalog = self.rebuild(Check::Full(record_of))?;
                self.caught_up(catalog, now)
            }
            // Another process has just replaced it.
            Err(IndexesError::Catalog(CatalogError::Moved)) => self.caught_up(self.opened_or_rebuilt()?, now),
            caught_up => caught_up,
        }
    }

    fn caught_up(&self, mut catalog: Catalog, now: DateTime<Utc>) -> Result<Catalog, IndexesError> {
        let known = catalog.sources()?;
        let sweeps = known.swept_at.is_none_or(|at| (now - at).abs() >= SWEEP_INTERVAL);
        let mut lag = self.lag_finder(&catalog).find_all(sweeps)?;
        if sweeps {
            lag.sources.swept_at = Some(now);
        }
        let behind = catalog.behind(lag.records.values().map(|record| (&record.id, record.is_final())))?;
        lag.records.retain(|id, _| behind.contains(id));
        let is_known = lag.sources.edition == known.edition && lag.sources.archives.is_empty() && !sweeps;
        if !lag.records.is_empty() || !is_known {
            self.store(&mut catalog, Vec::new(), lag)?;
        }
        self.clear_marks(&mut catalog)?;
        Ok(catalog)
    }

    /// Sets the catalog aside if any part of it is unreadable, and creates a new one.
    pub(super) fn repair(&self) -> Result<(), CatalogError> {
        self.rebuild(Check::Full(record_of)).map(drop)
    }

    /// Stores the marked tasks, if there are any. Adds a notice if the catalog is still locked.
    pub(super) fn retry_marked(&self) {
        if marked(&self.layout.catalog_pending()).map_or(true, |marked| marked.is_empty()) {
            return;
        }
        let opened = Catalog::open_to_write_soon(&self.layout.catalog());
        match opened.and_then(|mut catalog| self.clear_marks(&mut catalog)) {
            Err(error @ CatalogError::Locked) => self.notices.add(deferred(&error)),
            Err(error) => tracing::debug!(%error, "marked tasks are not in index.sqlite yet"),
            Ok(()) => {}
        }
    }

    fn open(&self) -> Result<Catalog, CatalogError> {
        Catalog::open_to_write(&self.layout.catalog())
    }

    fn opened_or_rebuilt(&self) -> Result<Catalog, CatalogError> {
        match self.open() {
            Err(error) if error.needs_rebuild() => self.rebuild(Check::Opens),
            opened => opened,
        }
    }

    /// Stores a record, and the tasks of `tasks.json` that the catalog lacks.
    fn learn(
        &self,
        catalog: Result<Catalog, CatalogError>,
        record: Option<(&TaskRecord, usize)>,
        written: IndexUpdate,
    ) -> Result<(), CatalogError> {
        let IndexUpdate { edition, delta, archive, dropped: _ } = written;
        let attempt = |mut catalog: Catalog, lag: Lag| {
            let own = record.map(|(record, text)| self.row_of(&catalog, record, text, &mut Repositories::default()));
            self.store(&mut catalog, own.into_iter().collect(), lag)?;
            self.clear_marks(&mut catalog)
        };
        let first = catalog.and_then(|catalog| {
            let lag = match edition {
                Some(edition) => self.lag_finder(&catalog).find_beyond_index(edition, delta, archive, false),
                None => Ok(Lag::default()),
            };
            attempt(catalog, lag.map_err(of_catalog)?)
        });
        match first {
            // A rebuilt catalog contains everything else.
            Err(error) if error.needs_rebuild() => {
                let check = if matches!(error, CatalogError::Missing) { Check::Opens } else { Check::Full(record_of) };
                attempt(self.rebuild(check)?, Lag::default())
            }
            Err(CatalogError::Moved) => attempt(self.opened_or_rebuilt()?, Lag::default()),
            learned => learned,
        }
    }

    fn store(&self, catalog: &mut Catalog, mut rows: Vec<Row>, lag: Lag) -> Result<(), CatalogError> {
        let mut repositories = Repositories::default();
        for record in lag.records.values() {
            rows.push(self.row_of(catalog, record, MAX_TEXT_CHARS, &mut repositories));
        }
        let is_current = || self.newest.edition().ok() == lag.sources.edition;
        catalog.store(&rows, &lag.sources, is_current)
    }

    /// The row of a record. It keeps a known repository, because the directory may be gone when the task ends.
    fn row_of(&self, catalog: &Catalog, record: &TaskRecord, text: usize, repositories: &mut Repositories) -> Row {
        let known = catalog.get(&record.id).ok().flatten().map(|known| known.row);
        let directory = &record.progress.working_directory;
        if let Some(known) = known.filter(|known| *known.directory == directory.to_string_lossy()) {
            repositories.learn(directory, known.repository);
        }
        row(record, text, repositories)
    }

    fn clear_marks(&self, catalog: &mut Catalog) -> Result<(), CatalogError> {
        let mut repositories = Repositories::default();
        let find = |id: &TaskId| {
            let own = records::own(&self.layout, id).ok().flatten();
            let record = own.or_else(|| self.newest.entry(id).ok().flatten())?;
            Some(row(&record, MAX_TEXT_CHARS, &mut repositories))
        };
        catalog.catch_up(&self.layout.catalog_pending(), find).map(drop)
    }

    /// Builds the catalog from all sources. Holds one task at a time.
    fn rebuild(&self, check: Check) -> Result<Catalog, CatalogError> {
        let (path, lock) = (self.layout.catalog(), self.layout.catalog_lock());
        let was_there = lock.symlink_metadata().is_ok();
        // The new catalog will contain these sources, unless they are replaced in the meantime.
        let archives = archive::names(&self.layout);
        let sources = CatalogSources { edition: self.newest.edition().ok(), archives, swept_at: Some(Utc::now()) };
        // If the records cannot be listed, there is nothing to build from.
        drop(records::all(&self.layout).map_err(CatalogError::of_other_file)?);
        let mut repositories = Repositories::default();
        let all = AllTasks { layout: &self.layout, index: &self.newest, notices: &self.notices };
        let mut count = 0;
        let rows = all.each().map(|record| row(&record, MAX_TEXT_CHARS, &mut repositories));
        let mut rebuilt = rebuild(&path, &lock, check, rows.inspect(|_| count += 1))?;
        if rebuilt.is_new {
            let is_current = || self.newest.edition().ok() == sources.edition;
            rebuilt.catalog.store(&[], &sources, is_current)?;
        }
        match &rebuilt.aside {
            Some(aside) => self.notices.add(format!(
                "index.sqlite was damaged or from a later version. It was rebuilt from the task records; the old file is kept as {}",
                aside.display()
            )),
            // The lock file is never removed, so it shows that there was a catalog before.
            None if rebuilt.is_new && was_there && count > 0 => {
                self.notices.add("index.sqlite was missing; it was rebuilt from the task records");
            }
            None => {}
        }
        Ok(rebuilt.catalog)
    }

    /// Marks tasks that could not be written to the catalog, so that the next writer adds them.
    fn defer<'a>(&self, error: &CatalogError, ids: impl Iterator<Item = &'a TaskId>) -> Result<(), StoreError> {
        self.notices.add(deferred(error));
        let ids: BTreeSet<_> = ids.collect();
        ids.into_iter().try_for_each(|id| mark(&self.layout.catalog_pending(), id))
    }

    fn lag_finder<'a>(&'a self, catalog: &'a Catalog) -> LagFinder<'a> {
        LagFinder { layout: &self.layout, index: &self.newest, notices: &self.notices, catalog }
    }
}

fn deferred(error: &CatalogError) -> String {
    format!("{error}; until it can be written, changes are read from the task records")
}

/// Errors of other files are not the catalog's, and are passed on as such.
fn of_catalog(error: IndexesError) -> CatalogError {
    match error {
        IndexesError::Catalog(error) => error,
        IndexesError::Store(error) => CatalogError::of_other_file(error),
    }
}

#[cfg(test)]
#[path = "indexes_damage_tests.rs"]
mod damage_tests;
#[cfg(test)]
#[path = "indexes_rebuild_tests.rs"]
mod rebuild_tests;
#[cfg(test)]
#[path = "indexes_tests.rs"]
mod tests;
