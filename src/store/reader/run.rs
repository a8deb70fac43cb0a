//! Reading a task's run directory: who runs the task, what it is doing, and what was requested.

use std::{
    ffi::OsString,
    fs::{self, TryLockError},
    io::{self, ErrorKind, Read, Seek, SeekFrom},
    os::unix::ffi::OsStringExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Reader;
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
        lock_file::LockFile,
        records,
    },
    task::{LiveView, Policy, TaskId},
};

impl Reader {
    /// The tasks with a run directory: running ones, and those whose supervisor died.
    pub fn running_ids(&self) -> Result<Vec<TaskId>, StoreError> {
        records::open(&self.layout)
    }

    /// Whether a process holds the task's lease now.
    pub fn is_leased(&self, id: &TaskId) -> Result<bool, StoreError> {
        let path = self.layout.lease(id);
        let file = match if_exists(files::open(&path)) {
            Ok(Some(file)) => LockFile::from(file),
            Ok(None) => return Ok(false),
            // Not a lease: a supervisor locks only regular files.
            Err(error) if files::is_foreign(&error) => return Ok(false),
            Err(error) => return Err(StoreError::at("open", path)(error)),
        };
        // The only way to check is to try to lock. The lock is released on return, and a claim waits that long.
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::at("lock", &path)(error)),
        }
    }

    /// The tasks in the queue, in order.
    pub fn waiting(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut tickets: Vec<(i64, TaskId)> = Vec::new();
        for id in self.running_ids()? {
            let since = self.small(&self.layout.ticket(&id)).and_then(|ticket| String::from_utf8(ticket).ok());
            // The ticket of a dead task does not count.
            if let Some(since) = since.and_then(|since| since.parse().ok())
                && self.is_leased(&id)?
            {
                tickets.push((since, id));
            }
        }
        tickets.sort();
        Ok(tickets.into_iter().map(|(_, id)| id).collect())
    }

    /// The tasks that wait for others: those in the queue, and those that wait for a work tree.
    pub fn queued(&self) -> Result<Vec<TaskId>, StoreError> {
        let mut queued = self.waiting()?;
        for id in self.running_ids()? {
            if self.layout.waits_for_tree(&id).exists() && self.is_leased(&id)? && !queued.contains(&id) {
                queued.push(id);
            }
        }
        Ok(queued)
    }

    /// The content of a small file in a run directory, if it is readable. If it is too large, a notice reports that.
    pub(super) fn small(&self, path: &Path) -> Option<Vec<u8>> {
        match files::read(path, files::MAX_SMALL_FILE_BYTES) {
            Ok(content) => Some(content),
            Err(error) => {
                if error.kind() == ErrorKind::FileTooLarge {
                    self.notices.add_ignored(path, &error);
                }
                None
            }
        }
    }

    /// The policy of an unfinished task.
    pub fn policy(&self, id: &TaskId) -> Option<Policy> {
        serde_json::from_slice(&self.small(&self.layout.policy(id))?).ok()
    }

    /// The path of the task's cgroup, which may no longer exist.
    pub fn cgroup(&self, id: &TaskId) -> Option<PathBuf> {
        Some(PathBuf::from(OsString::from_vec(self.small(&self.layout.cgroup(id))?)))
    }

    /// The live view of a running task; `None` if it is not running, or has not written one yet.
    pub fn live(&self, id: &TaskId) -> Option<LiveView> {
        serde_json::from_slice(&self.small(&self.layout.live(id))?).ok()
    }

    /// The end of the supervisor's own log. If the supervisor died, this most likely shows a bug in codex-connector.
    pub fn last_words(&self, id: &TaskId) -> Option<String> {
        const MAX_CHARS: usize = 2_000;
        // A character has at most four bytes.
        const MAX_BYTES: u64 = 4 * MAX_CHARS as u64;
        let mut file = files::open(&self.layout.supervisor_log(id)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(MAX_BYTES))).ok()?;
        let mut end = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut end).ok()?;
        let log = String::from_utf8_lossy(&end).into_owned();
        let begin = log.char_indices().rev().nth(MAX_CHARS).map_or(0, |(at, _)| at);
        Some(log[begin..].trim().to_owned()).filter(|words| !words.is_empty())
    }

    /// Whether a process has requested that the task be stopped.
    pub fn is_cancel_requested(&self, id: &TaskId) -> bool {
        self.layout.cancel(id).exists()
    }

    /// Whether a process has recorded that the task's time limit has passed and its supervisor did not end it.
    pub fn is_overdue(&self, id: &TaskId) -> bool {
        self.layout.overdue(id).exists()
    }

    /// Whether the task is being removed. Its files are disappearing, and it must not be finalized.
    pub fn is_being_removed(&self, id: &TaskId) -> bool {
        self.layout.removing(id).exists()
    }

    /// How long ago the run directory was created or last changed; `None` if it does not exist.
    pub fn run_age(&self, id: &TaskId) -> Option<Duration> {
        let modified: io::Result<_> = fs::metadata(self.layout.run(id)).and_then(|meta| meta.modified());
        modified.ok()?.elapsed().ok()
    }
}
