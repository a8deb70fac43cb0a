//! Tasks that `tasks.json` has and the catalog lacks, because a version that does not know the catalog ran them.

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

/// Tasks of an edition of `tasks.json` that the catalog lacks, or has as running although they have ended.
#[derive(Debug, Default)]
pub(super) struct IndexDelta {
    /// The tasks, as their entries have them.
    pub(super) records: BTreeMap<TaskId, TaskRecord>,
    /// Whether more tasks may have fallen out of the file since the catalog last knew all of it.
    pub(super) may_lack: bool,
}

impl IndexDelta {
    /// The tasks in these entries that the catalog lacks, if this is an edition that it does not know.
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
                    // The original program wrote some fields in other ways.
                    Err(_) => archive::understand(id, raw)?.is_final(),
                };
                Some((TaskId::parse(id).ok()?, has_ended))
            })
            .collect();
        let behind = catalog.behind(heads.iter().map(|(id, has_ended)| (id, *has_ended)))?;
        // The newest of the ended tasks that were in the file when the catalog knew all of it are still there, unless at least
        // as many others ended since.
        let has_known = heads.iter().any(|(id, has_ended)| *has_ended && !behind.contains(id));
        let understand = |id: &TaskId| archive::understand(id.as_str(), entries.get(id.as_str())?);
        let records = behind.iter().filter_map(understand).map(|record| (record.id.clone(), record)).collect();
        Ok(Self { records, may_lack: is_damaged || !has_known })
    }
}
