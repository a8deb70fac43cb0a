//! Workspace files: where a task works in git, its snapshots, and what was done with them since.
//!
//! `workspaces/<id>.json` outlives the task's record, because the task's refs and its worktree are removed with it. The
//! supervisor writes it while the task runs; afterwards, only a process that holds the lock of the repository writes it.
//!
//! | file | holds |
//! |---|---|
//! | `workspaces/<id>.json` | the workspace of one task |
//! | `workspaces/locks/<key>` | locked while a process changes a work tree of this repository, or our refs in it; names that process |
//! | `workspaces/tmp/<random>/` | the shadow repository of one command; locked while the command runs |

use std::{
    fs::{self, Permissions, TryLockError},
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::{
    atomic::{self, Durability},
    error::{StoreError, if_exists},
    files,
    layout::{Layout, WORKSPACE_SUFFIX},
    lock_file::LockFile,
    notices::Notices,
    repository_key::repository_key,
    upkeep::Upkeep,
    workspace_file,
};
use crate::task::{TaskId, TaskWorkspace};

/// How long to wait between two attempts to lock a repository.
const LOCK_INTERVAL: Duration = Duration::from_millis(20);

/// The age from which a temporary directory is a leftover, if no process has locked it.
const LEFTOVER_AGE: Duration = Duration::from_secs(600);

/// Name of the lock file in a temporary directory.
const IN_USE: &str = "in-use";

/// The workspace files of one data directory. Clones share their paths.
#[derive(Debug, Clone)]
pub struct Workspaces {
    layout: Arc<Layout>,
    notices: Notices,
}

/// The process that holds the lock of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LockHolder {
    /// Its process ID.
    pub pid: u32,
    /// The task that it works for.
    pub task: TaskId,
}

/// The result of [`Workspaces::lock`].
#[derive(Debug)]
pub enum RepositoryLocking {
    /// This process has the lock.
    Locked(RepositoryLock),
    /// Another process has it. `None` if it is unknown which one.
    Busy(Option<LockHolder>),
}

/// The right to change the work trees of a repository and our refs in it, until it is dropped.
#[derive(Debug)]
pub struct RepositoryLock {
    _file: LockFile,
}

/// A private temporary directory, removed when it is dropped.
#[derive(Debug)]
pub struct WorkspaceTemp {
    path: PathBuf,
    _dir: TempDir,
    _lock: LockFile,
}

impl WorkspaceTemp {
    /// Its path, on the file system of the data directory. It is empty at first.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Workspaces {
    /// The workspace files in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()), notices: upkeep.notices().clone() }
    }

    /// The workspace of a task; `None` if it has none. A damaged file counts as missing, and a notice reports it.
    pub fn read(&self, id: &TaskId) -> Result<Option<TaskWorkspace>, StoreError> {
        workspace_file::read(&self.layout, &self.notices, id)
    }

    /// Writes the workspace of the task that it names, atomically and durably.
    pub fn write(&self, workspace: &TaskWorkspace) -> Result<(), StoreError> {
        files::make_private_dir(&self.layout.workspaces())?;
        let json = serde_json::to_vec_pretty(workspace).expect("it has string keys only");
        atomic::replace(&self.layout.workspace(&workspace.task), &json, Durability::Durable)
    }

    /// Removes the workspace file of a task, if it exists.
    pub fn remove(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.workspace(id);
        files::remove(&path).map_err(StoreError::at("remove", path))
    }

    /// The tasks that have a workspace file, in no order; empty if the directory does not exist.
    pub fn ids(&self) -> Result<Vec<TaskId>, StoreError> {
        let dir = self.layout.workspaces();
        let found = if_exists(fs::read_dir(&dir)).map_err(StoreError::at("read", &dir))?;
        let names = found.into_iter().flatten().flatten().map(|file| file.file_name());
        Ok(names.filter_map(|name| TaskId::parse(name.to_str()?.strip_suffix(WORKSPACE_SUFFIX)?).ok()).collect())
    }

    /// Locks the repository with this common directory for `task`. Waits at most `max_wait` for another process.
    pub fn lock(&self, common_dir: &Path, task: &TaskId, max_wait: Duration) -> Result<RepositoryLocking, StoreError> {
        let dir = self.layout.workspace_locks();
        files::make_private_dir(&dir)?;
        let path = dir.join(repository_key(common_dir));
        let Some(file) = lock_existing(&path, Instant::now() + max_wait)? else {
            let holder = files::read(&path, files::MAX_SMALL_FILE_BYTES).ok();
            return Ok(RepositoryLocking::Busy(holder.and_then(|holder| serde_json::from_slice(&holder).ok())));
        };
        let holder = LockHolder { pid: std::process::id(), task: task.clone() };
        let json = serde_json::to_vec(&holder).expect("it has string keys only");
        // Only for messages: a full disk must not prevent an undo.
        let _ = file.set_len(0).and_then(|()| (&*file).write_all(&json));
        Ok(RepositoryLocking::Locked(RepositoryLock { _file: file }))
    }

    /// Creates a private temporary directory (mode 0700) for a shadow repository.
    pub fn temp_dir(&self) -> Result<WorkspaceTemp, StoreError> {
        let root = self.layout.workspace_temp();
        files::make_private_dir(&root)?;
        let make = || {
            let private = Permissions::from_mode(0o700);
            let dir = tempfile::Builder::new().prefix("shadow-").permissions(private.clone()).tempdir_in(&root)?;
            // The umask does not apply to this.
            fs::set_permissions(dir.path(), private)?;
            let lock = LockFile::from(files::write(&dir.path().join(IN_USE))?);
            lock.lock()?;
            let path = dir.path().join("shadow");
            files::make_new_dir(&path)?;
            Ok(WorkspaceTemp { path, _dir: dir, _lock: lock })
        };
        make().map_err(StoreError::at("create a directory in", &root))
    }

    /// Removes temporary directories and files of killed processes, and the lock files of repositories that no process
    /// uses.
    pub fn remove_leftovers(&self) {
        atomic::remove_leftovers(&self.layout.workspaces());
        for dir in old_entries(&self.layout.workspace_temp()) {
            let is_free = |file: LockFile| file.try_lock().is_ok();
            if files::open(&dir.join(IN_USE)).map(LockFile::from).map_or(true, is_free) {
                let _ = fs::remove_dir_all(&dir);
            }
        }
        for path in old_entries(&self.layout.workspace_locks()) {
            let Ok(file) = files::open(&path).map(LockFile::from) else { continue };
            if file.try_lock().is_ok() && files::is_at(&path, &file) {
                let _ = files::remove(&path);
            }
        }
    }
}

/// Locks the file at `path`, which is created if necessary. Returns `None` if another process has it at the deadline.
fn lock_existing(path: &Path, deadline: Instant) -> Result<Option<LockFile>, StoreError> {
    loop {
        let file = LockFile::from(files::mark(path)?);
        match file.try_lock() {
            Ok(()) if files::is_at(path, &file) => return Ok(Some(file)),
            // It was removed as a leftover.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_INTERVAL),
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
        }
    }
}

/// The entries of a directory that were last changed before [`LEFTOVER_AGE`].
fn old_entries(dir: &Path) -> Vec<PathBuf> {
    let is_old = |entry: &fs::DirEntry| {
        let modified = entry.metadata().and_then(|entry| entry.modified());
        modified.is_ok_and(|modified| modified.elapsed().is_ok_and(|age| age > LEFTOVER_AGE))
    };
    fs::read_dir(dir).into_iter().flatten().flatten().filter(is_old).map(|entry| entry.path()).collect()
}

#[cfg(test)]
#[path = "workspaces_tests.rs"]
mod tests;
