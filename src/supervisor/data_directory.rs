//! The shared files of the data directory that a task needs.

use crate::store::{ProbeCache, Reader};

/// Access to shared files of the data directory.
pub(super) struct DataDirectory {
    pub(super) reader: Reader,
    pub(super) probes: ProbeCache,
}
