//! The reader's connection to the catalog.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use crate::store::{
    catalog::{Catalog, CatalogError},
    delta::IndexesError,
};

/// Opens the catalog at the first question and keeps it open, which saves most of the time of the next. Clones share it.
#[derive(Debug, Clone)]
pub(super) struct CatalogConnection {
    path: Arc<PathBuf>,
    opened: Arc<Mutex<Option<Catalog>>>,
}

impl CatalogConnection {
    pub(super) fn to(path: PathBuf) -> Self {
        Self { path: Arc::new(path), opened: Arc::default() }
    }

    /// Asks the catalog. The question is asked again if the catalog was replaced since it was opened, so it must not keep
    /// anything of an answer that failed.
    pub(super) fn ask<T, E: From<CatalogError> + IsMoved>(
        &self,
        question: impl Fn(&Catalog) -> Result<T, E>,
    ) -> Result<T, E> {
        // Between any two questions there is a whole catalog or none.
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
        // One that failed is not asked again.
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
