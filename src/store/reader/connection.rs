//! The reader's connection to the catalog.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::store::{
    catalog::{Catalog, CatalogError},
    delta::IndexesError,
};

/// Opens the catalog for the first query and keeps it open, because opening takes most of a query's time. Clones share
/// the connection.
#[derive(Debug, Clone)]
pub(super) struct CatalogConnection {
    path: Arc<PathBuf>,
    opened: Arc<Mutex<Option<Catalog>>>,
}

impl CatalogConnection {
    pub(super) fn to(path: PathBuf) -> Self {
        Self { path: Arc::new(path), opened: Arc::default() }
    }

    /// Runs a query. If the catalog was replaced since it was opened, the query runs again, so it must not keep
    /// anything from a failed run.
    pub(super) fn query<T, E: From<CatalogError> + IsMoved>(
        &self,
        query: impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic cannot leave a broken value here: the catalog is either open or not.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.query_once(&mut opened, &query);
        match result {
            Err(error) if error.is_moved() => self.query_once(&mut opened, &query),
            result => result,
        }
    }

    fn query_once<T, E: From<CatalogError>>(
        &self,
        opened: &mut Option<Catalog>,
        query: &impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        let catalog = match opened.take() {
            Some(catalog) => catalog,
            None => Catalog::open_to_read(&self.path)?,
        };
        let result = query(&catalog);
        // A catalog that returned an error is opened again next time.
        if result.is_ok() {
            *opened = Some(catalog);
        }
        result
    }
}

/// Whether an error says that the catalog was replaced while it was open.
pub(super) trait IsMoved {
    fn is_moved(&self) -> bool;
}

impl IsMoved for CatalogError {
    fn is_moved(&self) -> bool {
        matches!(self, Self::Moved)
    }
}

impl IsMoved for IndexesError {
    fn is_moved(&self) -> bool {
        matches!(self, Self::Catalog(CatalogError::Moved))
    }
}
