//! The files of the data directory that belong to no task and matter to one.

use crate::store::{ProbeCache, Reader};

/// Other files of the data directory that matter to the task.
pub(super) struct DataDirectory {
    pub(super) reader: Reader,
    pub(super) probes: ProbeCache,
}
