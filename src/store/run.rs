//! What lies in a task's run directory besides its lease.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::{
    Store, StoreError,
    atomic::{Durability, replace},
    files, if_there,
};
use crate::task::{LiveView, Policy, TaskId};

impl Store {
    /// Keeps the rules of a task that begins, for those who want to know how patiently it is stopped. Not the whole
    /// spec, in which there may be secrets.
    pub fn write_policy(&self, id: &TaskId, policy: &Policy) -> Result<(), StoreError> {
        let content = serde_json::to_vec(policy).expect("a policy has only string keys");
        replace(&self.layout.policy(id), &content, Durability::Volatile)
    }

    /// The rules of a task that lives.
    pub fn read_policy(&self, id: &TaskId) -> Option<Policy> {
        serde_json::from_slice(&files::read(&self.layout.policy(id)).ok()?).ok()
    }

    /// Keeps where the task's control group is, for whoever has to clear up after its supervisor.
    pub fn write_group(&self, id: &TaskId, dir: &Path) -> Result<(), StoreError> {
        replace(&self.layout.group(id), dir.as_os_str().as_bytes(), Durability::Volatile)
    }

    /// Where the task's control group is, or was.
    pub fn read_group(&self, id: &TaskId) -> Option<PathBuf> {
        Some(PathBuf::from(OsString::from_vec(files::read(&self.layout.group(id)).ok()?)))
    }

    /// Where the supervisor of a task writes its own log.
    pub fn supervisor_log(&self, id: &TaskId) -> Result<File, StoreError> {
        let path = self.layout.supervisor_log(id);
        files::append(&path).map_err(StoreError::at("open", path))
    }

    /// What a supervisor that is gone wrote in its own log last: a fault of ours, most likely.
    pub fn last_words(&self, id: &TaskId) -> Option<String> {
        const MOST: usize = 2_000;
        // A character has four bytes at most.
        const REACH: u64 = 4 * MOST as u64;
        let mut file = files::open(&self.layout.supervisor_log(id)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(REACH))).ok()?;
        let mut end = Vec::new();
        file.take(REACH).read_to_end(&mut end).ok()?;
        let log = String::from_utf8_lossy(&end).into_owned();
        let begin = log.char_indices().rev().nth(MOST).map_or(0, |(at, _)| at);
        Some(log[begin..].trim().to_owned()).filter(|words| !words.is_empty())
    }

    /// Shows readers where a running task stands. Not durable: it is true for a second.
    pub fn write_live(&self, id: &TaskId, live: &LiveView) -> Result<(), StoreError> {
        let content = serde_json::to_vec(live).expect("a live view has only string keys");
        replace(&self.layout.live(id), &content, Durability::Volatile)
    }

    /// Where a running task stands; `None` when it does not run, or has not said yet.
    pub fn read_live(&self, id: &TaskId) -> Option<LiveView> {
        serde_json::from_slice(&files::read(&self.layout.live(id)).ok()?).ok()
    }

    /// Asks the task's supervisor to stop it, durably. A task without a run directory has ended.
    pub fn request_cancel(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.cancel(id);
        if_there(files::write(&path).and_then(|file| file.sync_all())).map_err(StoreError::at("write", path))?;
        Ok(())
    }

    /// Whether somebody asked for the task to be stopped.
    pub fn cancel_requested(&self, id: &TaskId) -> bool {
        self.layout.cancel(id).exists()
    }

    /// Puts down that the task's time limit has passed and its supervisor did not end it. A task without a run directory has
    /// ended.
    pub fn mark_overdue(&self, id: &TaskId) -> Result<(), StoreError> {
        let path = self.layout.overdue(id);
        if_there(files::write(&path)).map_err(StoreError::at("write", path))?;
        Ok(())
    }

    /// Whether that was put down.
    pub fn is_overdue(&self, id: &TaskId) -> bool {
        self.layout.overdue(id).exists()
    }

    /// The tasks that have a run directory: those that live, and those whose supervisor died.
    pub fn running_ids(&self) -> Result<Vec<TaskId>, StoreError> {
        let root = self.layout.run_root();
        let names = if_there(fs::read_dir(&root)).map_err(StoreError::at("read", &root))?;
        Ok(names
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| TaskId::parse(entry.file_name().to_str()?).ok())
            .collect())
    }

    /// How long ago the run directory was made or last changed; `None` when there is none.
    pub fn run_age(&self, id: &TaskId) -> Option<Duration> {
        let modified: io::Result<_> = fs::metadata(self.layout.run(id)).and_then(|meta| meta.modified());
        modified.ok()?.elapsed().ok()
    }
}
