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
