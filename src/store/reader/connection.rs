//! The reader's connection to the catalog.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::store::{
    catalog::{Catalog, CatalogError},
    delta::IndexesError,
};

/// How long a query fails at once after another one waited in vain for a lock. The holder is probably suspended.
const LOCKED_MEMORY: Duration = Duration::from_secs(5);

/// Opens the catalog for the first query and keeps it open, because opening takes most of a query's time. Clones share
/// the connection. Queries at the same time wait for each other only as long as SQLite requires, so each opens its own.
#[derive(Debug, Clone)]
pub(super) struct CatalogConnection {
    path: Arc<PathBuf>,
    state: Arc<Mutex<ConnectionState>>,
}

#[derive(Debug, Default)]
struct ConnectionState {
    /// The open catalog, unless a query is using it.
    opened: Option<Catalog>,
    /// When a query last waited in vain for a lock.
    locked_at: Option<Instant>,
}

impl CatalogConnection {
    pub(super) fn to(path: PathBuf) -> Self {
        Self { path: Arc::new(path), state: Arc::default() }
    }

    /// Runs a query. If the catalog was replaced since it was opened, the query runs again, so it must not keep
    /// anything from a failed run. If the catalog was locked a few seconds ago, fails without waiting again.
    pub(super) fn query<T, E: From<CatalogError> + CatalogFailure>(
        &self,
        query: impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        if self.state().locked_at.is_some_and(|at| at.elapsed() < LOCKED_MEMORY) {
            return Err(CatalogError::Locked.into());
        }
        let is_moved = |error: &E| matches!(error.catalog_error(), Some(CatalogError::Moved));
        let result = match self.query_once(&query) {
            Err(error) if is_moved(&error) => self.query_once(&query),
            result => result,
        };
        let is_locked = |error: &E| matches!(error.catalog_error(), Some(CatalogError::Locked));
        if result.as_ref().is_err_and(is_locked) {
            self.state().locked_at = Some(Instant::now());
        }
        result
    }

    /// Opens the catalog, unless the open one is still the current one. See
    /// [`Reader::keep_catalog_open`](super::Reader::keep_catalog_open).
    pub(super) fn keep_open(&self) {
        let (opened, was_locked) = {
            let mut state = self.state();
            (state.opened.take(), state.locked_at.is_some_and(|at| at.elapsed() < LOCKED_MEMORY))
        };
        let opened = opened.filter(|opened| opened.check_path().is_ok());
        let opened = match opened {
            None if !was_locked => Catalog::open_to_read(&self.path)
                .inspect_err(|error| tracing::debug!(%error, "index.sqlite is not kept open"))
                .ok(),
            opened => opened,
        };
        if opened.is_some() {
            self.state().opened = opened;
        }
    }

    fn query_once<T, E: From<CatalogError>>(&self, query: &impl Fn(&Catalog) -> Result<T, E>) -> Result<T, E> {
        // Do not hold the mutex while the query runs, because it may wait for a lock.
        let opened = self.state().opened.take();
        let catalog = match opened {
            Some(catalog) => catalog,
            None => Catalog::open_to_read(&self.path)?,
        };
        let result = query(&catalog);
        // A catalog that returned an error is opened again next time.
        if result.is_ok() {
            self.state().opened = Some(catalog);
        }
        result
    }

    /// A panic cannot leave a broken value here: the catalog is either open or not.
    fn state(&self) -> MutexGuard<'_, ConnectionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error that may be the catalog's.
pub(super) trait CatalogFailure {
    /// The catalog's error.
    fn catalog_error(&self) -> Option<&CatalogError>;
}

impl CatalogFailure for CatalogError {
    fn catalog_error(&self) -> Option<&CatalogError> {
        Some(self)
    }
}

impl CatalogFailure for IndexesError {
    fn catalog_error(&self) -> Option<&CatalogError> {
        match self {
            Self::Catalog(error) => Some(error),
            Self::Store(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{
        store::tests::{index, record, upkeep},
        task::TaskStatus,
    };

    fn is_open(connection: &CatalogConnection) -> bool {
        connection.state().opened.is_some()
    }

    #[test]
    fn a_catalog_that_is_kept_open_blocks_neither_a_writer_nor_a_rebuild() {
        let (_dir, upkeep) = upkeep();
        index(&upkeep, &record(0, TaskStatus::Completed));
        let path = upkeep.reader().data_dir().join("index.sqlite");
        let kept = CatalogConnection::to(path.clone());
        kept.keep_open();
        assert!(is_open(&kept));
        index(&upkeep, &record(1, TaskStatus::Completed));
        assert_eq!(kept.query(Catalog::running).expect("the catalog is usable").len(), 0);
        Catalog::open_to_write(&path).expect("it exists").empty_log(0);
        assert_eq!(fs::metadata(path.with_extension("sqlite-wal")).expect("it exists").len(), 0, "it was emptied");
        fs::write(&path, "garbage").expect("it is writable");
        upkeep.indexes().repair().expect("it can be rebuilt");
        let mut later = record(2, TaskStatus::Running);
        later.start.started_at += chrono::TimeDelta::seconds(1);
        index(&upkeep, &later);
        assert!(upkeep.notices().take().iter().any(|notice| notice.contains("index.sqlite was damaged")));
    }

    #[test]
    fn a_replaced_catalog_is_no_longer_kept_open() {
        let (_dir, upkeep) = upkeep();
        index(&upkeep, &record(0, TaskStatus::Completed));
        let path = upkeep.reader().data_dir().join("index.sqlite");
        let kept = CatalogConnection::to(path.clone());
        kept.keep_open();
        let generation = || kept.state().opened.as_ref().map(|catalog| catalog.generation().to_owned());
        let before = generation();
        assert!(before.is_some());
        fs::rename(&path, path.with_extension("old")).expect("it exists");
        kept.keep_open();
        assert!(!is_open(&kept), "there is no catalog");
        upkeep.indexes().repair().expect("it can be rebuilt");
        kept.keep_open();
        assert!(generation().is_some_and(|generation| Some(generation) != before));
    }
}
