//! Taking a task's lease.

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::OpenTask;
use crate::{
    store::{
        error::{StoreError, if_exists},
        files,
        indexes::Indexes,
        layout::Layout,
        lock_file::LockFile,
        notices::Notices,
        records,
    },
    task::TaskId,
};

/// The result of claiming an ID for a new task.
#[derive(Debug)]
pub enum Claim {
    /// We have the ID and the lease.
    Claimed(OpenTask),
    /// Another task has or had this ID.
    InUse,
}

/// How long to wait for a lease. A reader that checks whether a lease is held locks it briefly.
const LEASE_TIMEOUT: Duration = Duration::from_secs(1);

impl OpenTask {
    /// Begins a task: creates its run directory, exclusively, and takes its lease.
    pub(in crate::store) fn claim(layout: &Arc<Layout>, notices: &Notices, id: &TaskId) -> Result<Claim, StoreError> {
        let run = layout.run(id);
        match files::make_new_dir(&run) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Claim::InUse),
            made => made.map_err(StoreError::at("create", &run))?,
        }
        if is_known(layout, notices, id)? {
            files::remove_dir(&run).map_err(StoreError::at("remove", &run))?;
            return Ok(Claim::InUse);
        }
        let path = layout.lease(id);
        let file = LockFile::from(files::write(&path).map_err(StoreError::at("create", &path))?);
        match lock(&file).map_err(StoreError::at("lock", &path))? {
            Locked::ByUs => Ok(Claim::Claimed(Self::new(id, layout, notices, file))),
            Locked::ByAnother => Ok(Claim::InUse),
        }
    }

    /// Takes over the lease of a task whose previous holder is gone. Returns `None` if another process holds it.
    ///
    /// If the task has no run directory, one is created, so that two processes cannot finalize the same task at once.
    pub(in crate::store) fn take_over(
        layout: &Arc<Layout>,
        notices: &Notices,
        id: &TaskId,
    ) -> Result<Option<Self>, StoreError> {
        let path = layout.lease(id);
        let run = layout.run(id);
        files::make_private_dir(&run)?;
        // If the directory has disappeared, another process holds the lease or has just finalized the task.
        let Some(file) = if_exists(files::write(&path)).map_err(StoreError::at("open", &path))? else {
            return Ok(None);
        };
        let file = LockFile::from(file);
        match lock(&file).map_err(StoreError::at("lock", &path))? {
            // The previous holder may have removed the file after we opened it and before we locked it.
            Locked::ByUs if file.metadata().is_ok_and(|lease| lease.nlink() > 0) => {
                Ok(Some(Self::new(id, layout, notices, file)))
            }
            Locked::ByUs | Locked::ByAnother => Ok(None),
        }
    }
}

/// The holder of a lease.
enum Locked {
    ByUs,
    ByAnother,
}

/// Locks a lease. If only readers hold it, to check it, waits for them.
fn lock(file: &File) -> io::Result<Locked> {
    let deadline = Instant::now() + LEASE_TIMEOUT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Locked::ByUs),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline && is_shared(file)? => {
                thread::sleep(Duration::from_millis(5));
            }
            Err(TryLockError::WouldBlock) => return Ok(Locked::ByAnother),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether the lock is not held exclusively.
fn is_shared(file: &File) -> io::Result<bool> {
    match file.try_lock_shared() {
        Ok(()) => file.unlock().map(|()| true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether any file or list mentions a task with this ID.
fn is_known(layout: &Arc<Layout>, notices: &Notices, id: &TaskId) -> Result<bool, StoreError> {
    // Anything with that name counts, whatever it is.
    let has = |path: PathBuf| path.symlink_metadata().is_ok();
    let indexes = Indexes::new(Arc::clone(layout), notices.clone());
    Ok(records::files_of(layout, id).into_iter().any(has) || indexes.mention(id)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::{claimed, upkeep};

    #[test]
    fn an_id_is_claimed_once_and_leased_until_it_is_closed() {
        let (_dir, upkeep) = upkeep();
        let id = TaskId::random();
        let task = claimed(&upkeep, &id);
        assert!(matches!(upkeep.claim(&id), Ok(Claim::InUse)));
        let is_leased = || upkeep.reader().is_leased(&id).expect("the lease can be read");
        assert!(is_leased());
        assert!(upkeep.take_over(&id).expect("the lease can be tried").is_none());
        task.close().expect("the run directory can be removed");
        assert!(!is_leased());
    }

    #[test]
    fn a_reader_does_not_prevent_taking_over_a_lease() {
        let (_dir, upkeep) = upkeep();
        let id = TaskId::random();
        drop(claimed(&upkeep, &id));
        let reader_lock = File::open(upkeep.layout().lease(&id)).expect("it exists");
        reader_lock.lock_shared().expect("no process holds the lease");
        thread::scope(|scope| {
            let taken = scope.spawn(|| upkeep.take_over(&id).expect("the lease can be tried"));
            thread::sleep(Duration::from_millis(50));
            reader_lock.unlock().expect("it is locked");
            assert!(taken.join().expect("it does not panic").is_some());
        });
    }

    #[test]
    fn a_lease_whose_holder_is_gone_can_be_taken_over() {
        let (_dir, upkeep) = upkeep();
        let id = TaskId::random();
        drop(claimed(&upkeep, &id));
        assert!(upkeep.take_over(&id).expect("the lease can be tried").is_some());
    }

    #[test]
    fn a_released_task_keeps_its_run_directory_until_clean_up() {
        let (_dir, upkeep) = upkeep();
        let record = crate::store::tests::record(0, crate::task::TaskStatus::Completed);
        let task = claimed(&upkeep, &record.id);
        task.write_record(&record).expect("it is writable");
        let released = task.release();
        assert!(!upkeep.reader().is_leased(&record.id).expect("the lease can be read"));
        assert_eq!(upkeep.reader().running_ids().expect("it is readable"), std::slice::from_ref(&record.id));
        released.clean_up(&record, crate::store::tests::LIMITS).expect("it is writable");
        assert_eq!(upkeep.reader().running_ids().expect("it is readable"), []);
    }
}
