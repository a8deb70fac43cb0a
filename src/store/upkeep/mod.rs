//! Looking after the data directory as a whole.
//!
//! An [`Upkeep`] creates the directory and checks that it is ours. It lists the tasks that may have lost their supervisor,
//! repairs what readers reported as damaged, removes what killed writers left behind, and removes old tasks. It writes the
//! files of a task only through an [`OpenTask`], which it makes of a free lease. Any number of processes can run one at a
//! time: each file is replaced under its task's lease or under the lock of the index.

mod locks;
mod retention;

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    thread,
};

use chrono::{DateTime, Utc};

use super::{
    atomic,
    error::StoreError,
    files,
    indexes::Indexes,
    layout::{Layout, TIMELINE_SUFFIX},
    notices::{Damage, Notices},
    open_task::{Claim, OpenTask},
    reader::Reader,
    records,
};
use crate::task::TaskId;

/// Maintains one data directory. Clones share their paths and notices.
#[derive(Debug, Clone)]
pub struct Upkeep {
    layout: Arc<Layout>,
    indexes: Indexes,
    notices: Notices,
    reader: Reader,
}

impl Upkeep {
    /// Opens the data directory, and makes it (0700) when it is not there.
    ///
    /// Both paths are absolute. Fails with [`StoreError`] when a directory cannot be made, is another user's, or may be
    /// written to by everyone.
    pub fn open(data_dir: &Path, log_dir: &Path) -> Result<Self, StoreError> {
        let layout = Arc::new(Layout::new(data_dir, log_dir));
        for dir in [layout.data.clone(), layout.logs.clone(), layout.run_root()] {
            files::make_private_dir(&dir)?;
            files::check_owner(&dir)?;
        }
        // The original program left its directory open to all. Where the logs are may be the user's own choice.
        let _ = fs::set_permissions(&layout.data, Permissions::from_mode(0o700));
        let notices = Notices::default();
        let indexes = Indexes::new(Arc::clone(&layout), notices.clone());
        let reader = Reader::of(Arc::clone(&layout), notices.clone());
        Ok(Self { layout, indexes, notices, reader })
    }

    /// A reader of the same directory, with the same notices.
    pub fn reader(&self) -> &Reader {
        &self.reader
    }

    /// The problems that were found, and what was done about them.
    pub fn notices(&self) -> &Notices {
        &self.notices
    }

    /// Begins a task: takes its id, if no task has or had it, and its lease.
    pub fn claim(&self, id: &TaskId) -> Result<Claim, StoreError> {
        OpenTask::claim(&self.layout, &self.notices, id)
    }

    /// Opens a task whose supervisor is gone. `None`: somebody holds its lease.
    pub fn take_over(&self, id: &TaskId) -> Result<Option<OpenTask>, StoreError> {
        OpenTask::take_over(&self.layout, &self.notices, id)
    }

    /// The tasks that may have lost their supervisor: all that have a run directory.
    pub fn candidates(&self) -> Result<Vec<TaskId>, StoreError> {
        self.reader.running_ids()
    }

    /// Sets aside the damaged files that readers reported since the last call, and leaves notices of where they are kept.
    pub fn repair(&self) {
        for damage in self.notices.take_damage() {
            match &damage {
                Damage::Index => self.indexes.newest().repair(),
                Damage::Catalog(_) => {
                    self.notices.add(damage.notice());
                    self.rebuild_in_background();
                }
                Damage::Record(id) => {
                    if let Err(error) = self.repair_record(id) {
                        // A full disk is no reason not to answer.
                        self.notices
                            .add(format!("the record of task {id} is damaged, and cannot be set aside: {error}"));
                    }
                }
            }
        }
    }

    /// Rebuilds the catalog on a thread of its own: nobody waits for it, and with a long history it takes long. If the process
    /// ends before that, the next writer does it.
    fn rebuild_in_background(&self) {
        let indexes = self.indexes.clone();
        let rebuild = move || {
            if let Err(error) = indexes.repair() {
                tracing::warn!(%error, "index.sqlite is not rebuilt");
            }
        };
        if let Err(error) = thread::Builder::new().name("rebuild".to_owned()).spawn(rebuild) {
            tracing::warn!(%error, "index.sqlite is not rebuilt");
        }
    }

    /// Makes the catalog if there is none, and stores what others changed. Called when a server starts, off its start path.
    pub fn catch_up(&self, now: DateTime<Utc>) {
        if let Err(error) = self.indexes.catch_up(now) {
            tracing::warn!(?error, "index.sqlite is not up to date");
        }
    }

    /// Sets a damaged record aside, unless somebody holds the task's lease and is about to write a good one.
    fn repair_record(&self, id: &TaskId) -> Result<(), StoreError> {
        let Some(task) = self.take_over(id)? else { return Ok(()) };
        task.set_damaged_record_aside()?;
        task.release_unused()
    }

    /// Removes what killed writers left half-written, and timelines of tasks that a server of version 2.0.0 removed: it does
    /// not know that they have one.
    pub fn remove_leftovers(&self) {
        for dir in [&self.layout.data, &self.layout.logs] {
            atomic::remove_leftovers(dir);
        }
        // There may be very many tasks, so that only names are compared at first.
        let (mut timelines, mut others) = (BTreeSet::new(), BTreeSet::new());
        for file in fs::read_dir(&self.layout.logs).into_iter().flatten().flatten() {
            let name = file.file_name();
            let Some((id, ending)) = name.to_str().and_then(|name| name.split_at_checked(name.find('.')?)) else {
                continue;
            };
            let Ok(id) = TaskId::parse(id) else { continue };
            if ending == TIMELINE_SUFFIX {
                timelines.insert(id)
            } else {
                others.insert(id)
            };
        }
        for id in timelines.difference(&others).filter(|id| self.has_only_a_timeline(id)) {
            let _ = files::remove(&self.layout.timeline(id));
        }
    }

    fn has_only_a_timeline(&self, id: &TaskId) -> bool {
        let is_there = |path: &PathBuf| path.symlink_metadata().is_ok();
        let timeline = self.layout.timeline(id);
        !records::files_of(&self.layout, id).iter().filter(|path| **path != timeline).any(is_there)
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
