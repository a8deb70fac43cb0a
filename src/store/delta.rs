//! Tasks that are in `tasks.json` but not in the catalog, because a version without a catalog ran them.

use std::collections::BTreeMap;

use super::{
    archive,
    catalog::{Catalog, CatalogError},
    entries::{IndexEntries, IndexEntryHead},
    error::StoreError,
};
use crate::task::{TaskId, TaskRecord, TaskStatus};

/// The index or the catalog could not be read.
#[derive(Debug)]
pub(super) enum IndexesError {
    Store(StoreError),
    Catalog(CatalogError),
}

impl From<StoreError> for IndexesError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<CatalogError> for IndexesError {
    fn from(error: CatalogError) -> Self {
        Self::Catalog(error)
    }
}

/// Tasks of one edition of `tasks.json` that the catalog lacks, or still shows as running although they have ended.
#[derive(Debug, Default)]
pub(super) struct IndexDelta {
    /// The tasks, as read from their entries.
    pub(super) records: BTreeMap<TaskId, TaskRecord>,
    /// Whether more tasks may have been dropped from the file since the catalog last matched it.
    pub(super) may_lack: bool,
}

impl IndexDelta {
    /// Compares the entries with the catalog. Empty if the catalog already knows this edition.
    pub(super) fn of(
        entries: &IndexEntries<'_>,
        edition: &str,
        is_damaged: bool,
        catalog: &Catalog,
    ) -> Result<Self, CatalogError> {
        if catalog.sources()?.edition.as_deref() == Some(edition) && !is_damaged {
            return Ok(Self::default());
        }
        let heads: Vec<_> = entries
            .iter()
            .filter_map(|(id, raw)| {
                let has_ended = match serde_json::from_str::<IndexEntryHead>(raw.get()) {
                    Ok(head) => head.status.is_none_or(TaskStatus::is_final),
                    // The original program wrote some fields differently.
                    Err(_) => archive::understand(id, raw)?.is_final(),
                };
                Some((TaskId::parse(id).ok()?, has_ended))
            })
            .collect();
        let behind = catalog.behind(heads.iter().map(|(id, has_ended)| (id, *has_ended)))?;
        // When the catalog last matched the file, the newest ended tasks were in both. At least one of them is still in
        // the file, unless newer ends have replaced them all.
        let has_known = heads.iter().any(|(id, has_ended)| *has_ended && !behind.contains(id));
        let understand = |id: &TaskId| archive::understand(id.as_str(), entries.get(id.as_str())?);
        let records = behind.iter().filter_map(understand).map(|record| (record.id.clone(), record)).collect();
        Ok(Self { records, may_lack: is_damaged || !has_known })
    }
}
