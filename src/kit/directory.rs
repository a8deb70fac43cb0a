//! The directory in which everything happens.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A data directory, a project, and what lies outside of it.
#[derive(Debug)]
pub(super) struct KitDirectory {
    dir: TempDir,
}

/// How long supervisors may take to leave.
const SUPERVISOR_EXIT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl KitDirectory {
    /// A new one in `parent`, which is there.
    pub(super) fn in_dir(parent: &Path) -> io::Result<Self> {
        let dir = tempfile::Builder::new().prefix("kit-").tempdir_in(parent.canonicalize()?)?;
        let directory = Self { dir };
        fs::create_dir(directory.outside())?;
        repository(&directory.project())?;
        fs::write(directory.project().join("README.md"), "A project for trying out a coding agent.\n")?;
        Ok(directory)
    }

    /// Where the tasks of the kit are kept.
    pub(super) fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Where agents work.
    pub(super) fn project(&self) -> PathBuf {
        self.dir.path().join("project")
    }

    /// Where they work among settings that try to widen the sandbox.
    pub(super) fn hostile(&self) -> PathBuf {
        self.dir.path().join("hostile")
    }

    /// Where they may write in no sandbox but the widest.
    pub(super) fn outside(&self) -> PathBuf {
        self.dir.path().join("outside")
    }

    /// Whether it is in a temporary directory, which some sandboxes leave open.
    pub(super) fn is_temporary(&self) -> bool {
        let temporary = [std::env::temp_dir(), PathBuf::from("/tmp")];
        let real = temporary.iter().filter_map(|dir| dir.canonicalize().ok());
        real.into_iter().any(|dir| self.dir.path().starts_with(dir))
    }

    pub(super) fn keep(self) -> PathBuf {
        self.dir.keep()
    }

    /// The last thing that a supervisor does is to remove its run directory.
    pub(super) async fn remove(self) {
        let until = Instant::now() + SUPERVISOR_EXIT_TIMEOUT;
        let runs = self.data_dir().join("run");
        let is_empty = || fs::read_dir(&runs).map_or(true, |mut entries| entries.next().is_none());
        while !is_empty() && Instant::now() < until {
            sleep(POLL_INTERVAL).await;
        }
        // What cannot be removed is found under its name in the data directory.
        let _ = self.dir.close();
    }
}

/// Makes as much as git and the agents take for a repository.
pub(super) fn repository(dir: &Path) -> io::Result<()> {
    for part in ["objects", "refs"] {
        fs::create_dir_all(dir.join(".git").join(part))?;
    }
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n")
}
