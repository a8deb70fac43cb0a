//! Maintaining the data directory as a whole.
//!
//! An [`Upkeep`] creates the directory and checks its owner. It lists the tasks that may have lost their supervisor,
//! repairs damage that readers reported, removes leftovers of killed writers, and removes old tasks. It writes the
//! files of a task only through an [`OpenTask`], which requires the task's lease. Any number of processes can do this
//! at the same time: each file is replaced under its task's lease or under the lock of the index.

mod locks;
mod removal;
mod retention;

pub use removal::Removal;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use chrono::{DateTime, Utc};

use super::{
    atomic,
    error::StoreError,
    files,
    indexes::Indexes,
    layout::{Layout, TIMELINE_SUFFIX},
    notices::{Damage, Notices},
    old_reports,
    open_task::{Claim, OpenTask},
    reader::Reader,
    records, workspace_file,
};
use crate::{present::notices, task::TaskId};

/// Maintains one data directory. Clones share their paths and notices.
#[derive(Debug, Clone)]
pub struct Upkeep {
    layout: Arc<Layout>,
    indexes: Indexes,
    notices: Notices,
    reader: Reader,
    /// The newest rebuild of the catalog, unless someone already waits for it.
    rebuild: Arc<Mutex<Option<Rebuild>>>,
}

/// A rebuild of the catalog on another thread.
type Rebuild = JoinHandle<Result<(), StoreError>>;

impl Upkeep {
    /// Opens the data directory, and creates it (mode 0700) if it does not exist.
    ///
    /// Both paths must be absolute. Fails if a directory cannot be created, is owned by another user, or is writable
    /// for everyone.
    pub fn open(data_dir: &Path, log_dir: &Path) -> Result<Self, StoreError> {
        let layout = Arc::new(Layout::new(data_dir, log_dir));
        for dir in [layout.data.clone(), layout.logs.clone(), layout.run_root()] {
            files::make_private_dir(&dir)?;
            files::check_owner(&dir)?;
        }
        // The original program created its directory with access for everyone. The mode of the log directory is left
        // alone, because it may be the user's choice.
        let _ = fs::set_permissions(&layout.data, Permissions::from_mode(0o700));
        let notices = Notices::default();
        let indexes = Indexes::new(Arc::clone(&layout), notices.clone());
        let reader = Reader::of(Arc::clone(&layout), notices.clone());
        Ok(Self { layout, indexes, notices, reader, rebuild: Arc::default() })
    }

    /// A reader of the same directory, with the same notices.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The problems that were found, and their repairs.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Begins a task: claims the ID, if no task has or had it, and takes the lease.
    pub fn claim(&self, id: &TaskId) -> Result<Claim, StoreError> {
        OpenTask::claim(&self.layout, &self.notices, id)
    }

    /// Opens a task whose supervisor is gone. Returns `None` if another process holds its lease.
    pub fn take_over(&self, id: &TaskId) -> Result<Option<OpenTask>, StoreError> {
        OpenTask::take_over(&self.layout, &self.notices, id)
    }

    /// The tasks with a run directory. Any of them may have lost its supervisor.
    pub fn candidates(&self) -> Result<Vec<TaskId>, StoreError> {
        self.reader.running_ids()
    }

    /// Sets aside the damaged files that readers reported since the last call, and adds notices with their new paths.
    /// Stores tasks that could not be written to the catalog, or adds a notice that it is still locked.
    pub fn repair(&self) {
        self.indexes.retry_marked();
        for damage in self.notices.take_damage() {
            match &damage {
                Damage::Index => self.indexes.newest().repair(),
                Damage::Catalog(_) => {
                    self.notices.add(damage.notice());
                    self.rebuild_in_background();
                }
                Damage::Record(id) => {
                    if let Err(error) = self.repair_record(id) {
                        // A full disk must not prevent an answer.
                        self.notices
                            .add(format!("the record of task {id} is damaged and cannot be set aside: {error}"));
                    }
                }
                Damage::Workspace(id) => match workspace_file::set_damaged_aside(&self.layout, id) {
                    Ok(Some(kept_as)) => {
                        self.notices.add_repaired(&damage, notices::workspace_set_aside(id, &kept_as));
                    }
                    Ok(None) | Err(_) => self.notices.add(damage.notice()),
                },
            }
        }
    }

    /// Rebuilds the catalog on another thread, because a long history takes long and nobody should wait for it. If this
    /// process exits first, the next writer rebuilds the catalog.
    fn rebuild_in_background(&self) {
        let mut newest = self.rebuild.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.as_ref().is_some_and(|rebuild| !rebuild.is_finished()) {
            return;
        }
        let (indexes, layout) = (self.indexes.clone(), Arc::clone(&self.layout));
        let rebuild = move || {
            let rebuilt = indexes.repair();
            rebuilt
                .inspect_err(|error| tracing::warn!(%error, "index.sqlite could not be rebuilt"))
                .map_err(|error| error.about(&layout.catalog()))
        };
        match thread::Builder::new().name("rebuild".to_owned()).spawn(rebuild) {
            Ok(rebuild) => *newest = Some(rebuild),
            Err(error) => tracing::warn!(%error, "index.sqlite could not be rebuilt"),
        }
    }

    /// Begins to rebuild the catalog on another thread if there are tasks but no usable catalog. If the
    /// catalog is usable, this is quick. For commands that list tasks once; servers call [`catch_up`](Self::catch_up).
    pub fn rebuild_if_needed(&self) -> Result<(), StoreError> {
        if self.reader.lacks_catalog()? {
            atomic::remove_leftovers(&self.layout.data);
            self.rebuild_in_background();
        }
        Ok(())
    }

    /// Waits for the rebuild of the catalog that this process has begun, which can take a minute with a long history.
    /// Returns its result, or `None` if there is none or if another thread waits for it.
    pub fn finish_rebuild(&self) -> Option<Result<(), StoreError>> {
        let rebuild = self.rebuild.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        Some(rebuild.join().unwrap_or_else(|panic| resume_unwind(panic)))
    }

    /// Whether this process has begun to rebuild the catalog, and nobody waits for it yet.
    pub fn has_rebuild(&self) -> bool {
        self.rebuild.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Creates the catalog if it does not exist, and stores changes by other programs. Servers call this in the
    /// background when they start.
    pub fn catch_up(&self, now: DateTime<Utc>) {
        if let Err(error) = self.indexes.catch_up(now) {
            tracing::warn!(?error, "index.sqlite is not up to date");
        }
    }

    /// Sets a damaged record aside, unless another process holds the task's lease and is about to replace the record.
    fn repair_record(&self, id: &TaskId) -> Result<(), StoreError> {
        let Some(task) = self.take_over(id)? else { return Ok(()) };
        task.set_damaged_record_aside()?;
        task.release_unused()
    }

    /// Removes temporary files of killed writers, files of old reports, and timelines of tasks that version 2.0.0 removed, because it does
    /// not know about timelines.
    pub fn remove_leftovers(&self) {
        for dir in [&self.layout.data, &self.layout.logs] {
            atomic::remove_leftovers(dir);
        }
        old_reports::remove(&self.layout);
        for file in fs::read_dir(&self.layout.logs).into_iter().flatten().flatten() {
            let name = file.file_name();
            let id = name.to_str().and_then(|name| name.strip_suffix(TIMELINE_SUFFIX)).map(TaskId::parse);
            let Some(Ok(id)) = id else { continue };
            if self.has_only_a_timeline(&id) {
                let _ = files::remove(&self.layout.timeline(&id));
            }
        }
    }

    fn has_only_a_timeline(&self, id: &TaskId) -> bool {
        // Almost every task has a record, so look for that first.
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        let timeline = self.layout.timeline(id);
        !records::files_of(&self.layout, id).iter().rev().filter(|path| **path != timeline).any(is_there)
            && !self.layout.run(id).exists()
            && self.indexes.newest().mentions(id).is_ok_and(|mentioned| !mentioned)
    }

    pub(super) fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    pub(super) fn indexes(&self) -> &Indexes {
        &self.indexes
    }
}
