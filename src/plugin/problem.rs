//! Errors of this module.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// Why the plugin cannot be unpacked or removed.
#[derive(Debug, thiserror::Error)]
pub enum PluginProblem {
    /// A shell script cannot contain the path of the program, or one of its arguments.
    #[error("the path of the program, {}, or an argument cannot be written into a shell script", program.display())]
    Program {
        /// The program.
        program: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("cannot write the plugin to {}", path.display())]
    File {
        /// The file or directory.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// A link or something that this program has not created is in the way. It is left unchanged.
    #[error("{} is a symbolic link, or was not created by codex-connector", path.display())]
    NotOurs {
        /// Its path.
        path: PathBuf,
    },
    /// Another process does not release the lock.
    #[error("another process has been writing the plugin to {} for {} s", path.display(), waited.as_secs())]
    Locked {
        /// The directory.
        path: PathBuf,
        /// How long this process has waited.
        waited: Duration,
    },
}

impl PluginProblem {
    pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |source| Self::File { path: path.clone(), source }
    }
}
