//! All tasks.

use super::Reader;
use crate::{
    store::{archive, error::StoreError},
    task::{Listing, TaskId, TaskRecord, TaskStatus},
};

impl Reader {
    /// The newest `limit` tasks with this status, or with any. Running tasks are read from their records.
    ///
    /// Where the index is damaged or out of date, the records are listed, and a notice says so.
    pub fn list(&self, status: Option<TaskStatus>, limit: usize) -> Result<Listing, StoreError> {
        let mut records = self.index.list()?;
        let unsettled: Vec<TaskId> =
            records.values().filter(|record| !record.is_final()).map(|record| record.id.clone()).collect();
        for id in self.running_ids()?.into_iter().chain(unsettled) {
            match self.record(&id) {
                Ok(Some(record)) => {
                    records.insert(id, record);
                }
                Ok(None) => {}
                // The others are listed all the same, and this one as the index knows it.
                Err(error) => self.notices.add(format!("task {id} is listed as the index knows it: {error}")),
            }
        }
        let wanted = |record: &TaskRecord| status.is_none_or(|status| record.status() == status);
        for record in archive::all_archived(&self.layout) {
            records.entry(record.id.clone()).or_insert(record);
        }
        let mut records: Vec<_> = records.into_values().filter(wanted).collect();
        records.sort_by_key(|record| std::cmp::Reverse(record.start.started_at));
        let total = records.len();
        records.truncate(limit);
        Ok(Listing { records, total })
    }
}
