//! The command line of a supervisor.

use std::path::PathBuf;

use crate::task::TaskId;

/// The arguments of a supervisor. Everything else is in the spec.
#[derive(Debug, Clone)]
pub struct Assignment {
    /// The task's id, which is also in the spec.
    pub id: TaskId,
    /// The data directory.
    pub data_dir: PathBuf,
    /// Where logs, results and records go.
    pub log_dir: PathBuf,
}
