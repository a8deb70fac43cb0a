//! The kit's temporary directory: a data directory, projects, and a directory outside of them.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A new directory for one run of the kit. Dropping it removes the files.
#[derive(Debug)]
pub(super) struct KitDirectory {
    dir: TempDir,
}

/// How long supervisors may take to exit.
const SUPERVISOR_EXIT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl KitDirectory {
    /// Creates the directory in `parent`, which must exist.
    pub(super) fn in_dir(parent: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("kit-").tempdir_in(parent.canonicalize()?)?;
        let directory = Self { dir };
        fs::create_dir(directory.outside())?;
        repository(&directory.project())?;
        fs::write(directory.project().join("README.md"), "A project for trying out a coding agent.\n")?;
        Ok(directory)
    }

    /// The data directory for the kit's tasks.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The project in which agents work.
    pub(super) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// The project whose settings try to widen the sandbox.
    pub(super) fn hostile(&self) -> PathBuf {
        self.dir.path().join("hostile")
    }

    /// A directory outside the projects, where agents may write only in `danger-full-access`.
    pub(super) fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    /// Whether the directory is in the system's temporary directory, which some sandboxes leave open.
    pub(super) fn is_temporary(&self) -> bool {
        let temporary = [std::env::temp_dir(), PathBuf::from("/tmp")];
        let real = temporary.iter().filter_map(|dir| dir.canonicalize().ok());
        real.into_iter().any(|dir| self.dir.path().starts_with(dir))
    }

    /// Keeps the files, and returns their directory.
    pub(super) fn keep(self) -> PathBuf {
        self.dir.keep()
    }

    /// Removes the files after all supervisors have finished. The last action of a supervisor is to remove its run
    /// directory.
    pub(super) async fn remove(self) {
        let until = Instant::now() + SUPERVISOR_EXIT_TIMEOUT;
        let runs = self.data_dir().join("run");
        let is_empty = || fs::read_dir(&runs).map_or(true, |mut entries| entries.next().is_none());
        while !is_empty() && Instant::now() < until {
            sleep(POLL_INTERVAL).await;
        }
        // If files cannot be removed, the user finds them in `kit-…` in the data directory.
        let _ = self.dir.close();
    }
}

/// Creates the minimum that git and the agents accept as a repository.
pub(super) fn repository(dir: &Path) -> io::Result<()> {
    for part in ["objects", "refs"] {
        fs::create_dir_all(dir.join(".git").join(part))?;
    }
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n")
}
