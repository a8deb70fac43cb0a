//! Rebuilding the catalog for processes that list tasks once and exit. A server does this in the background instead: see
//! [`Broker::run_maintenance`].

use super::{Broker, Refusal};

impl Broker {
    /// Begins to rebuild the catalog if there are tasks but no usable catalog. Returns whether this process has a rebuild
    /// to wait for, with [`finish_rebuild`](Self::finish_rebuild).
    pub async fn rebuild_lists_if_needed(&self) -> Result<bool, Refusal> {
        self.on_disk(|broker| broker.upkeep.rebuild_if_needed()).await??;
        Ok(self.has_rebuild())
    }

    /// Whether this process has a rebuild of the catalog to wait for. A query that finds damage begins one too.
    pub fn has_rebuild(&self) -> bool {
        self.upkeep.has_rebuild()
    }

    /// Waits for the rebuild of the catalog, which can take a minute with a long history. Fails if it failed.
    pub async fn finish_rebuild(&self) -> Result<(), Refusal> {
        let done = self.in_background(|broker| broker.upkeep.finish_rebuild()).await;
        done.flatten().unwrap_or(Ok(())).map_err(Refusal::Store)
    }
}
