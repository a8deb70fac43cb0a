//! Paths of a repository on the command line.

use std::{env, path::PathBuf};

use crate::broker::PathSelection;

/// The selected paths, of which relative ones begin at the current directory.
pub(super) fn selection(paths: Vec<PathBuf>) -> PathSelection {
    // The real path, because the task's repository has one too.
    let here = env::current_dir().ok().map(|here| here.canonicalize().unwrap_or(here));
    PathSelection { paths, base: here }
}
