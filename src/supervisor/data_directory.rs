//! The shared files of the data directory that a task needs.

use std::path::PathBuf;

use crate::store::{ProbeCache, Reader, Workspaces};

/// Access to shared files of the data directory.
pub(super) struct DataDirectory {
    /// Its path.
    pub(super) path: PathBuf,
    pub(super) reader: Reader,
    pub(super) probes: ProbeCache,
    pub(super) workspaces: Workspaces,
}
