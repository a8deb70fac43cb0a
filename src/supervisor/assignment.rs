//! The command line of a supervisor.

use std::path::PathBuf;

use crate::task::TaskId;

/// The arguments of a supervisor. Everything else is in the spec.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The task's ID. The spec contains it too.
    pub id: TaskId,
    /// The data directory.
    pub data_dir: PathBuf,
    /// The directory for logs, results and records.
    pub log_dir: PathBuf,
}
