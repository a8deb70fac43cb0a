//! Writing the files of one task.
//!
//! An [`OpenTask`] holds the task's lease: a lock on a file in the task's run directory. The kernel frees it however its
//! holder dies, and it is closed on exec, so that no agent ever holds one. So there is one writer at a time, and all
//! others know by the lock whether there is one.
//!
//! ```text
//!              claim (new id)                        write_record, write_result, open_log, ...
//!   Upkeep ──────────────────────────▶ OpenTask ◀──┐
//!          take_over (supervisor gone)    │  │  └──┘
//!                                         │  ├─ abandon: it never began
//!                                         │  ├─ close: everything is written, the run directory goes
//!                                         │  └─ dropped: the next one to look takes it over
//!                                         └─ release ──▶ Released ─ clear_up: lists, run directory
//! ```
//!
//! A task has ended for every reader once its record is final and its lease is free. A supervisor uses `release`, so that
//! nobody waits for the lists of tasks, which another process may have locked.

mod claim;
mod queue;

use std::{
    fs::{self, File},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::Utc;

pub use claim::Claim;
pub use queue::{Admission, RunSlot};

use super::{
    aside::set_aside,
    atomic::{Durability, replace},
    error::{StoreError, if_exists},
    fault, files,
    indexes::Indexes,
    layout::Layout,
    log::{EventsWriter, LogWriter},
    notices::{Damage, Notices},
    reader::Reader,
    records,
    timeline::{self, TimelineWriter},
};
use crate::task::{IndexLimits, LiveView, Policy, TaskId, TaskRecord, TimelineEvent};

/// The right to write the files of one task, for as long as this value lives.
#[derive(Debug)]
pub struct OpenTask {
    id: TaskId,
    layout: Arc<Layout>,
    indexes: Indexes,
    notices: Notices,
    /// The lease.
    _locked: File,
}

impl OpenTask {
    fn new(id: &TaskId, layout: &Arc<Layout>, notices: &Notices, locked: File) -> Self {
        let indexes = Indexes::new(Arc::clone(layout), notices.clone());
        Self { id: id.clone(), layout: Arc::clone(layout), indexes, notices: notices.clone(), _locked: locked }
    }

    /// The task's id.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// A reader of the same data directory.
    pub fn reader(&self) -> Reader {
        Reader::of(Arc::clone(&self.layout), self.notices.clone())
    }

    /// Writes the task's record, durably, and with it the names of all files beside it that were written before.
    pub fn write_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Durable)
    }

    /// Brings the record of a running task up to date. After a power cut it is this one or the one before: either says
    /// that the task ran, and there is no process left to know more about.
    pub fn update_record(&self, record: &TaskRecord) -> Result<(), StoreError> {
        self.put_record(record, Durability::Whole)
    }

    fn put_record(&self, record: &TaskRecord, durability: Durability) -> Result<(), StoreError> {
        debug_assert_eq!(record.id, self.id, "each task has its own record");
        let content = serde_json::to_vec_pretty(record).expect("a record has only string keys");
        replace(&self.layout.record(&self.id), &content, durability)
    }

    /// Moves a damaged record out of the way, and leaves a notice of where it is kept.
    pub fn set_damaged_record_aside(&self) -> Result<(), StoreError> {
        let path = self.layout.record(&self.id);
        if let Some(content) = records::read_raw(&path)?
            && records::parse(&self.id, &content).is_none()
            && records::is_ours(&content)
        {
            let aside = set_aside(&path)?;
            let what = match content.as_slice() {
                [] => "damaged, or too large",
                content if records::is_from_later_version(content) => "of a later version",
                _ => "damaged",
            };
            let notice = format!("the record of task {} was {what}; it is kept as {}", self.id, aside.display());
            self.notices.add_repaired(&Damage::Record(self.id.clone()), notice);
        }
        Ok(())
    }

    /// Writes the agent's final message, whole. The record that is [written](Self::write_record) after it, in the same
    /// directory, makes its name durable.
    pub fn write_result(&self, answer: &str) -> Result<(), StoreError> {
        replace(&self.layout.result(&self.id), answer.as_bytes(), Durability::Whole)
    }

    /// Opens the log, to append to it, until it has `max` bytes. A longer one loses its middle.
    pub fn open_log(&self, max: Option<u64>) -> Result<LogWriter, StoreError> {
        LogWriter::open(self.layout.log(&self.id), max)
    }

    /// Opens the file of raw events, to append to it, until it has `max` bytes.
    pub fn open_events(&self, max: Option<u64>) -> Result<EventsWriter, StoreError> {
        EventsWriter::open(self.layout.events(&self.id), max)
    }

    /// Opens the timeline, to append to it. It may grow to 16 MiB, and then loses its middle.
    pub fn open_timeline(&self) -> Result<TimelineWriter, StoreError> {
        TimelineWriter::open(self.layout.timeline(&self.id), timeline::MAX_BYTES)
    }

    /// Ends the timeline with the end of the task, if the task has a timeline that does not say so yet.
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

    /// Notes in the run directory which log directory has the task's files.
    pub fn write_log_dir(&self) -> Result<(), StoreError> {
        let logs = self.layout.logs.as_os_str().as_bytes();
        replace(&self.layout.log_dir_of(&self.id), logs, Durability::Volatile)
    }

    /// Keeps the rules of a task that begins, for those who need its grace periods. Not the whole
    /// spec, in which there may be secrets.
    pub fn write_policy(&self, policy: &Policy) -> Result<(), StoreError> {
        let content = serde_json::to_vec(policy).expect("a policy has only string keys");
        replace(&self.layout.policy(&self.id), &content, Durability::Volatile)
    }

    /// Keeps where the task's cgroup is, for whoever has to clear up after its supervisor.
    pub fn write_cgroup(&self, dir: &Path) -> Result<(), StoreError> {
        replace(&self.layout.cgroup(&self.id), dir.as_os_str().as_bytes(), Durability::Volatile)
    }

    /// Whether somebody asked for the task to be stopped.
    pub fn is_cancel_requested(&self) -> bool {
        self.layout.cancel(&self.id).exists()
    }

    /// Puts the record into the lists of tasks. One that cannot be written now leaves a mark, and the next writer adds the
    /// record.
    pub fn index(&self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        self.indexes.upsert(record, limits)
    }

    /// The same, as work for a thread of its own.
    pub fn indexing(
        &self,
        record: TaskRecord,
        limits: IndexLimits,
    ) -> impl FnOnce() -> Result<(), StoreError> + Send + use<> {
        let indexes = self.indexes.clone();
        move || indexes.upsert(&record, limits)
    }

    /// Frees the lease. If the record is final, the task has ended for every reader; what is left to do needs no lease.
    pub fn release(self) -> Released {
        Released { id: self.id, layout: self.layout, indexes: self.indexes }
    }

    /// Removes the run directory, and then frees the lease.
    pub fn close(self) -> Result<(), StoreError> {
        clear(&self.layout, &self.id)
    }

    /// Takes back a task that could not be begun: there is none, and never was.
    pub fn abandon(self) -> Result<(), StoreError> {
        let record = self.layout.record(&self.id);
        // It may be there although it could not be written durably.
        let removed = files::remove(&record).map_err(StoreError::at("remove", record));
        removed.and(self.close())
    }

    /// Frees a lease that was only taken to repair a file. A run directory that holds nothing else was made for it, and is
    /// removed with it.
    pub(super) fn release_unused(self) -> Result<(), StoreError> {
        let files = fs::read_dir(self.layout.run(&self.id)).map(|files| files.flatten().count());
        // A supervisor that is about to claim the id cannot be there: it sees the files that we looked after.
        if files.is_ok_and(|files| files <= 1) { self.close() } else { Ok(()) }
    }
}

/// A task whose record is final and whose lease is free. Whoever finds its run directory can do the rest as well.
#[derive(Debug)]
pub struct Released {
    id: TaskId,
    layout: Arc<Layout>,
    indexes: Indexes,
}

impl Released {
    /// Puts the record into the lists of tasks, and removes the run directory.
    pub fn clean_up(self, record: &TaskRecord, limits: IndexLimits) -> Result<(), StoreError> {
        self.indexes.upsert(record, limits)?;
        clear(&self.layout, &self.id)
    }
}

/// Shows readers where a running task stands.
#[derive(Debug)]
pub struct LiveWriter {
    path: PathBuf,
}

impl LiveWriter {
    /// Replaces the live view. Not durable: it is true for a second.
    pub fn write(&self, live: &LiveView) -> Result<(), StoreError> {
        let content = serde_json::to_vec(live).expect("a live view has only string keys");
        replace(&self.path, &content, Durability::Volatile)
    }
}

/// Removes the run directory of a task that has ended.
fn clear(layout: &Layout, id: &TaskId) -> Result<(), StoreError> {
    let run = layout.run(id);
    let remove = || if_exists(fault::point("clear").and_then(|()| fs::remove_dir_all(&run)));
    // Someone may have left a request to cancel while the directory was being emptied.
    remove().or_else(|_| remove()).map_err(StoreError::at("remove", &run))?;
    Ok(())
}
