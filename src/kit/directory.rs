//! The kit's temporary directory: a data directory, projects, and a directory outside of them.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// A new directory for one run of the kit. Dropping it removes the files.
#[derive(Debug)]
pub(super) struct KitDirectory {
    dir: TempDir,
    /// Locked while this process exists, so that the next run knows whether it may remove the directory.
    _lock: File,
}

const PREFIX: &str = "kit-";
const LOCK: &str = "lock";
/// Marks a directory whose files the user wants to keep.
const KEPT: &str = "kept";
/// Directories without a lock, from version 2.0.0, are removed when they are older than this.
const OLD: Duration = Duration::from_secs(24 * 3600);

/// How long supervisors may take to exit.
const SUPERVISOR_EXIT_TIMEOUT: Duration = Duration::from_secs(5);
const POLL_INTERVAL: Duration = Duration::from_millis(20);

impl KitDirectory {
    /// Creates the directory in `parent`, which must exist.
    pub(super) fn in_dir(parent: &Path) -> io::Result<Self> {
        let parent = parent.canonicalize()?;
        remove_abandoned(&parent);
        let dir = tempfile::Builder::new().prefix(PREFIX).tempdir_in(parent)?;
        let lock = File::create(dir.path().join(LOCK))?;
        // On a file system without locks, the directory is at worst removed by another run that begins now.
        let _ = lock.try_lock();
        let directory = Self { dir, _lock: lock };
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
        let path = self.dir.keep();
        // Without this mark, the next run removes the directory.
        let _ = File::create(path.join(KEPT));
        path
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

/// Removes the directories in `parent` that runs left behind because they were killed.
fn remove_abandoned(parent: &Path) {
    let entries = fs::read_dir(parent).into_iter().flatten().flatten();
    for entry in entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(PREFIX)) {
        let path = entry.path();
        // Not a symbolic link, and not a directory of something else.
        let is_ours = entry.file_type().is_ok_and(|kind| kind.is_dir()) && path.join("outside").is_dir();
        if is_ours && !path.join(KEPT).exists() && is_abandoned(&path) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

fn is_abandoned(directory: &Path) -> bool {
    match File::open(directory.join(LOCK)) {
        Ok(lock) => lock.try_lock().is_ok(),
        Err(_) => {
            let age = directory.metadata().and_then(|metadata| metadata.modified()).map(|at| at.elapsed());
            age.is_ok_and(|age| age.is_ok_and(|age| age > OLD))
        }
    }
}

/// Creates the minimum that git and the agents accept as a repository.
pub(super) fn repository(dir: &Path) -> io::Result<()> {
    for part in ["objects", "refs"] {
        fs::create_dir_all(dir.join(".git").join(part))?;
    }
    fs::write(dir.join(".git/HEAD"), "ref: refs/heads/main\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_of_runs_that_were_killed_are_removed_by_the_next_one() {
        let parent = tempfile::tempdir().expect("a temporary directory can be created");
        let new = || KitDirectory::in_dir(parent.path()).expect("the directory can be created");
        let (running, killed, kept) = (new(), new(), new());
        let (running_path, killed_path) = (running.dir.path().to_owned(), killed.dir.path().to_owned());
        let kept = kept.keep();
        let KitDirectory { dir, _lock } = killed;
        // As if the process had been killed: the lock is free, and the files are still there.
        let (_, _) = (dir.keep(), drop(_lock));
        let foreign = parent.path().join("kit-of-the-user");
        fs::create_dir(&foreign).expect("it is writable");
        std::os::unix::fs::symlink(&running_path, parent.path().join("kit-link")).expect("it is writable");
        let _next = new();
        assert!(!killed_path.exists(), "nobody uses it any more");
        assert!(running_path.exists() && kept.exists() && foreign.exists());
    }
}
