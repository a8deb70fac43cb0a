//! Reports of the ends of tasks: each end is reported once, by exactly one process.
//!
//! The file `reports/<task-id>` belongs to one end. Its lock is the right to report it, and its content says that it
//! was reported. Both are independent of the catalog, so a rebuilt catalog changes nothing.
//!
//! ```text
//!                claim                      confirm: the content is written
//! unreported ───────────▶ claimed (locked) ─────────────────────────────────▶ reported
//!     ▲                      │
//!     └──────────────────────┘ the claim is dropped, or its process ends in any way
//! ```
//!
//! | state | the file |
//! |---|---|
//! | unreported | is missing, or is empty and not locked |
//! | claimed | is locked |
//! | reported | has content |
//!
//! A reporter claims the end, writes its output, and then confirms. So of several processes exactly one reports the
//! end. If a process is killed between its output and the confirmation, another one reports the end again: an end can
//! be repeated after a crash, but it is never lost.
//!
//! A claim can be taken before the task ends. A call that waits for a task does this, because its answer is the report:
//! meanwhile no one else announces the end. If the call is abandoned, the end is unreported again.
//!
//! Ends older than a few days are not announced, so their files are removed later.

use std::{
    fs::{self, TryLockError},
    io::{ErrorKind, Write},
    path::PathBuf,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{error::StoreError, fault, files, layout::Layout, lock_file::LockFile, upkeep::Upkeep};
use crate::task::TaskId;

/// The format of the content that this version writes.
const FORMAT: u32 = 1;

/// The reports of one data directory.
#[derive(Debug, Clone)]
pub struct Reports {
    layout: Arc<Layout>,
}

/// The result of an attempt to claim the report of an end.
#[derive(Debug)]
pub enum ClaimedReport {
    /// This process reports the end.
    Ours(ReportClaim),
    /// Another process has claimed it, or is just finding out whether it can.
    Theirs,
    /// It was reported.
    Done,
}

/// The right to report the end of a task. It is given back when this is dropped without a confirmation.
#[derive(Debug)]
pub struct ReportClaim {
    id: TaskId,
    path: PathBuf,
    /// The locked file.
    file: LockFile,
}

/// The way in which an end was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ReportedBy {
    /// The answer of a call that waited for the task.
    Call,
    /// The final state of a task handle.
    Handle,
    /// A message of the channel.
    Channel,
    /// The output of `wait`.
    Wait,
    /// The output of `watch`.
    Watch,
    /// The output of `cancel`.
    Cancel,
    /// The output of `notify`.
    Hook,
    /// A line of `notify --follow`.
    Monitor,
}

/// The content of a file, for people who want to know where a report went.
#[derive(Debug, Serialize)]
struct ReportFile<'a> {
    format: u32,
    by: ReportedBy,
    session: Option<&'a str>,
    at: DateTime<Utc>,
}

impl Reports {
    /// The reports in this data directory.
    pub fn of(upkeep: &Upkeep) -> Self {
        Self { layout: Arc::clone(upkeep.layout()) }
    }

    /// Claims the report of this task's end. The task need not have ended.
    pub fn claim(&self, id: &TaskId) -> Result<ClaimedReport, StoreError> {
        let dir = self.layout.reports();
        files::make_private_dir(&dir)?;
        let path = self.layout.report(id);
        loop {
            let file = LockFile::from(files::mark(&path)?);
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(ClaimedReport::Theirs),
                Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", path)(error)),
            }
            let found = file.metadata().map_err(StoreError::at("inspect", &path))?;
            if found.len() > 0 {
                return Ok(ClaimedReport::Done);
            }
            if files::is_at(&path, &file) {
                return Ok(ClaimedReport::Ours(ReportClaim { id: id.clone(), path, file }));
            }
            // Its previous owner has just removed it.
        }
    }

    /// Whether some process has claimed the report of this task's end. Creates nothing.
    pub fn is_claimed(&self, id: &TaskId) -> Result<bool, StoreError> {
        let path = self.layout.report(id);
        let file = match files::open(&path) {
            Ok(file) => LockFile::from(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(StoreError::at("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::at("lock", path)(error)),
        }
    }

    /// Whether the end of this task was reported.
    pub fn is_reported(&self, id: &TaskId) -> bool {
        fs::symlink_metadata(self.layout.report(id)).is_ok_and(|found| found.len() > 0)
    }
}

impl ReportClaim {
    /// The task.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Records that the end was reported to `session`, or to a client that has none.
    pub fn confirm(self, by: ReportedBy, session: Option<&str>, now: DateTime<Utc>) -> Result<(), StoreError> {
        let content = ReportFile { format: FORMAT, by, session, at: now };
        let mut content = serde_json::to_vec(&content).expect("it contains only strings and numbers");
        content.push(b'\n');
        let written = fault::point("report").and_then(|()| (&*self.file).write_all(&content));
        written.map_err(StoreError::at("write", &self.path))
    }
}

impl Drop for ReportClaim {
    fn drop(&mut self) {
        // Only the holder of the lock removes the file, and only while it is at its path, so no other claim is lost.
        let is_unused =
            self.file.metadata().is_ok_and(|found| found.len() == 0) && files::is_at(&self.path, &self.file);
        if is_unused && let Err(error) = files::remove(&self.path) {
            tracing::debug!(%error, task = %self.id, "an unused claim stays as an empty file");
        }
    }
}

#[cfg(test)]
#[path = "reports_tests.rs"]
mod tests;
