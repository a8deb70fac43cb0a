//! Settings from the command line, before they are parsed.

use std::path::PathBuf;

/// Settings from the command line.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `--config FILE`: the user's file, which must exist. A leading `~/` means the home directory.
    pub config_file: Option<PathBuf>,
    /// `--data-dir DIR`.
    pub data_dir: Option<PathBuf>,
    /// The arguments of `--set KEY=VALUE`, unparsed.
    pub set: Vec<String>,
}
