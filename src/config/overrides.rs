//! Settings of the command line, before they are read.

use std::path::PathBuf;

/// Settings from the command line.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config FILE`: the user's file, which must exist. A leading `~/` is the home directory.
    pub config_file: Option<PathBuf>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
    /// `--set KEY=VALUE`, each as it was written.
    pub set: Vec<String>,
}
