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
    pub(super) fn ask<T, E: From<CatalogError> + IsMoved>(
        &self,
        question: impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        // A panic cannot leave a broken value here: the catalog is either open or not.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.ask_once(&mut opened, &question);
        match asked {
            Err(error) if error.is_moved() => self.ask_once(&mut opened, &question),
            asked => asked,
        }
    }

    fn ask_once<T, E: From<CatalogError>>(
        &self,
        opened: &mut Option<Catalog>,
        question: &impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        let catalog = match opened.take() {
            Some(catalog) => catalog,
            None => Catalog::open_to_read(&self.path)?,
        };
        let answer = question(&catalog);
        // A catalog that returned an error is opened again next time.
        if answer.is_ok() {
            *opened = Some(catalog);
        }
        answer
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
