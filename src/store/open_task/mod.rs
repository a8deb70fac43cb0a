//! Writing the files of one task.
//!
//! An [`OpenTask`] holds the task's lease: a lock on a file in the task's run directory. The kernel releases it however
//! its holder dies. The file is closed on exec, so agents never inherit it. So each task has at most one writer, and
//! other processes can tell from the lock whether there is one.
//!
//! ```text
//!              claim (new ID)                        write_record, write_result, open_log, ...
//!   Upkeep ──────────────────────────▶ OpenTask ◀──┐
//!          take_over (supervisor gone)    │  │  └──┘
//!                                         │  ├─ abandon: the task could not begin; its files are removed
//!                                         │  ├─ close: everything is written; the run directory is removed
//!                                         │  └─ dropped: another process takes the task over
//!                                         └─ release ──▶ Released ─ clean_up: update the lists, remove the run
//! directory
//! ```
//!
//! For every reader, a task has ended once its record is final and its lease is free. A supervisor calls `release`
//! before it updates the lists, so nobody has to wait while another process has them locked.

mod claim;
mod queue;
mod work_tree;

use std::{
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::Utc;

pub use claim::Claim;
pub use queue::{Admission, RunSlot};
pub use work_tree::{WorkTreeWriter, WorkTrees};

use super::{
    aside::set_aside,
    atomic::{Durability, replace},
    error::{StoreError, if_exists},
    fault, files,
    indexes::Indexes,
    layout::Layout,
    lock_file::LockFile,
    log::{EventsWriter, LogWriter},
    notices::{Damage, Notices},
    reader::Reader,
    records,
    timeline::{self, TimelineWriter},
};
use crate::task::{IndexLimits, LiveView, Policy, TaskId, TaskRecord, TimelineEvent};

/// The right to write the files of one task. It ends when this value is dropped.
#[derive(Debug)]
pub struct OpenTask {
    id: TaskId,
    layout: Arc<Layout>,
    indexes: Indexes,
    notices: Notices,
    /// The lease.
    _locked: LockFile,
}

impl OpenTask {
    fn new(id: &TaskId, layout: &Arc<Layout>, notices: &Notices, locked: LockFile) -> Self {
        let indexes = Indexes::new(Arc::clone(layout), notices.clone());
        Self { id: id.clone(), layout: Arc::clone(layout), indexes, notices: notices.clone(), _locked: locked }
    }

    /// The task's ID.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// A reader of the same data directory.
    pub fn reader(&self) -> Reader {
        Reader::of(Arc::clone(&self.layout), self.notices.clone())
    }

    /// Writes the task's record durably. This also makes the names of files durable that were written to the same
    /// directory before.
    pub fn write_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Durable)
    }

    /// Updates the record of a running task. After a power cut, the file may hold the previous version. Both say that
    /// the task was running, and no process is left that would know more.
    pub fn update_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Whole)
    }

    fn put_record(&self, record: &TaskRecord, durability: Durability) -> Result<(), StoreError> {
        debug_assert_eq!(record.id, self.id, "each task has its own record");
        let content = serde_json::to_vec_pretty(record).expect("a record has only string keys");
        replace(&self.layout.record(&self.id), &content, durability)
    }

    /// Sets a damaged record aside, and adds a notice with its new path.
    pub fn set_damaged_record_aside(&self) -> Result<(), StoreError> {
        let path = self.layout.record(&self.id);
        if let Some(content) = records::read_raw(&path)?
            && records::parse(&self.id, &content).is_none()
            && records::is_ours(&content)
        {
            let aside = set_aside(&path)?;
            let problem = match content.as_slice() {
                [] => "damaged or too large",
                content if records::is_from_later_version(content) => "from a later version",
                _ => "damaged",
            };
            let notice = format!("the record of task {} was {problem}; it is kept as {}", self.id, aside.display());
            self.notices.add_repaired(&Damage::Record(self.id.clone()), notice);
        }
        Ok(())
    }

    /// Writes the agent's complete final message. Its name becomes durable when the record is
    /// [written](Self::write_record) to the same directory afterwards.
    pub fn write_result(&self, answer: &str) -> Result<(), StoreError> {
        replace(&self.layout.result(&self.id), answer.as_bytes(), Durability::Whole)
    }

    /// Opens the log for appending. Beyond `max` bytes, it loses its middle.
    pub fn open_log(&self, max: Option<u64>) -> Result<LogWriter, StoreError> {
        LogWriter::open(self.layout.log(&self.id), max)
    }

    /// Opens the file of raw events for appending. Beyond `max` bytes, it loses its middle.
    pub fn open_events(&self, max: Option<u64>) -> Result<EventsWriter, StoreError> {
        EventsWriter::open(self.layout.events(&self.id), max)
    }

    /// Opens the timeline for appending. Beyond 16 MiB, it loses its middle.
    pub fn open_timeline(&self) -> Result<TimelineWriter, StoreError> {
        TimelineWriter::open(self.layout.timeline(&self.id), timeline::MAX_BYTES)
    }

    /// Appends the task's end to its timeline, unless the task has no timeline or the end is already there.
    pub fn end_timeline(&self, record: &TaskRecord) -> Result<(), StoreError> {
        let path = self.layout.timeline(&self.id);
        let (Some(end), Some(mut timeline)) = (TimelineEvent::ended(record), timeline::open_existing(&path)?) else {
            return Ok(());
        };
        if timeline.has_ended() {
            return Ok(());
        }
        timeline.append(Utc::now(), end);
        timeline.flush().map_err(StoreError::at("write", path))
    }

    /// Opens the supervisor's own log.
    pub fn open_supervisor_log(&self) -> Result<File, StoreError> {
        let path = self.layout.supervisor_log(&self.id);
        files::append(&path).map_err(StoreError::at("open", path))
    }

    /// The writer of the live view.
    pub fn live_view(&self) -> LiveWriter {
        LiveWriter { path: self.layout.live(&self.id) }
    }

    /// Stores the path of the log directory in the run directory.
    pub fn write_log_dir(&self) -> Result<(), StoreError> {
        let logs = self.layout.logs.as_os_str().as_bytes();
        replace(&self.layout.log_dir_of(&self.id), logs, Durability::Volatile)
    }

    /// Stores the policy in the run directory, for processes that need its grace periods. The complete spec is not
    /// stored, because it may contain secrets.
    pub fn write_policy(&self, policy: &Policy) -> Result<(), StoreError> {
        let content = serde_json::to_vec(policy).expect("a policy has only string keys");
        replace(&self.layout.policy(&self.id), &content, Durability::Volatile)
    }

    /// Stores the path of the task's cgroup, for the process that cleans up if the supervisor dies.
    pub fn write_cgroup(&self, dir: &Path) -> Result<(), StoreError> {
        replace(&self.layout.cgroup(&self.id), dir.as_os_str().as_bytes(), Durability::Volatile)
    }

    /// Whether a process has requested that the task be stopped.
    pub fn is_cancel_requested(&self) -> bool {
        self.layout.cancel(&self.id).exists()
    }

    /// Adds the record to the lists of tasks. If a list cannot be written now, the task is marked, and the next writer
    /// adds the record.
    pub fn index(&self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        self.indexes.upsert(record, limits)
    }

    /// Like [`index`](Self::index), as a function that can run on another thread.
    pub fn indexing(
        &self,
        record: TaskRecord,
        limits: IndexLimits,
    ) -> impl FnOnce() -> Result<(), StoreError> + Send + use<> {
        let indexes = self.indexes.clone();
        move || indexes.upsert(&record, limits)
    }

    /// Releases the lease. If the record is final, the task has now ended for every reader; the remaining work needs no
    /// lease.
    pub fn release(self) -> Released {
        Released { id: self.id, layout: self.layout, indexes: self.indexes }
    }

    /// Removes the run directory, and then releases the lease.
    pub fn close(self) -> Result<(), StoreError> {
        clear(&self.layout, &self.id)
    }

    /// Undoes the claim of a task that could not begin, as if it had never existed.
    pub fn abandon(self) -> Result<(), StoreError> {
        let record = self.layout.record(&self.id);
        // The record may exist even if writing it durably failed.
        let removed = files::remove(&record).map_err(StoreError::at("remove", record));
        removed.and(self.close())
    }

    /// Releases a lease that was only taken to repair a file. If the run directory contains nothing else, it was
    /// created for the lease, and is removed.
    pub(super) fn release_unused(self) -> Result<(), StoreError> {
        let files = fs::read_dir(self.layout.run(&self.id)).map(|files| files.flatten().count());
        // No supervisor can be claiming this ID now: it would have found the file that we repaired.
        if files.is_ok_and(|files| files <= 1) { self.close() } else { Ok(()) }
    }
}

/// A task whose record is final and whose lease is free. Any process that finds its run directory can do the remaining
/// work.
#[derive(Debug)]
pub struct Released {
    id: TaskId,
    layout: Arc<Layout>,
    indexes: Indexes,
}

impl Released {
    /// Adds the record to the lists of tasks, and removes the run directory.
    pub fn clean_up(self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        self.indexes.upsert(record, limits)?;
        clear(&self.layout, &self.id)
    }
}

/// Writes the live view of a running task.
#[derive(Debug)]
pub struct LiveWriter {
    path: PathBuf,
}

impl LiveWriter {
    /// Replaces the live view. Not durable, because it is outdated a second later anyway.
    pub fn write(&self, live: &LiveView) -> Result<(), StoreError> {
        let content = serde_json::to_vec(live).expect("a live view has only string keys");
        replace(&self.path, &content, Durability::Volatile)
    }
}

/// Removes the run directory of an ended task.
fn clear(layout: &Layout, id: &TaskId) -> Result<(), StoreError> {
    let run = layout.run(id);
    let remove = || if_exists(fault::point("clear").and_then(|()| fs::remove_dir_all(&run)));
    // Another process may have added a cancel request while the directory was being emptied.
    remove().or_else(|_| remove()).map_err(StoreError::at("remove", &run))?;
    Ok(())
}
