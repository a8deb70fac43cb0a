//! Requests to a task's supervisor, left as files in the task's run directory. Anyone may leave one.

use std::sync::Arc;

use super::{error::StoreError, error::if_exists, files, layout::Layout, upkeep::Upkeep};
use crate::task::TaskId;

/// Writes requests. A task without a run directory has ended, so a request for it is dropped.
#[derive(Debug, Clone)]
pub struct Requests {
    layout: Arc<Layout>,
}

impl Requests {
    /// Requests in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()) }
    }

    /// Durably requests that the task's supervisor stop it.
    pub fn cancel(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.cancel(id);
        if_exists(files::write(&path).and_then(|file| file.sync_all())).map_err(StoreError::at("write", path))?;
        Ok(())
    }

    /// Records that the task's time limit has passed and its supervisor did not end it.
    pub fn mark_overdue(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.overdue(id);
        if_exists(files::write(&path)).map_err(StoreError::at("write", path))?;
        Ok(())
    }
}
