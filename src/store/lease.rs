//! Who may write a task's record.
//!
//! A lease is a lock on a file in the task's run directory. The kernel frees it however its holder dies, and it is
//! closed on exec, so that no agent ever holds one.

use std::{
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    thread,
    time::{Duration, Instant},
};

use super::{Store, StoreError, fault, files, if_there};
use crate::task::TaskId;

/// The right to write a task's record, for as long as this value lives.
#[derive(Debug)]
pub struct Lease {
    _locked: File,
}

/// What came of trying to begin a task under an id.
#[derive(Debug)]
pub enum Claim {
    /// The id is ours, and so is the lease.
    Taken(Lease),
    /// Another task has, or had, this id.
    InUse,
}

/// A reader that asks whether a lease is held holds it for a moment itself; a claim outwaits that.
const CLAIM_PATIENCE: Duration = Duration::from_secs(1);

impl Store {
    /// Begins a task: makes its run directory, exclusively, and takes its lease.
    pub fn claim(&self, id: &TaskId) -> Result<Claim, StoreError> {
        let run = self.layout.run(id);
        match files::make_new_dir(&run) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Ok(Claim::InUse),
            made => made.map_err(StoreError::at("make", &run))?,
        }
        if self.knows(id)? {
            files::remove_dir(&run).map_err(StoreError::at("remove", &run))?;
            return Ok(Claim::InUse);
        }
        let path = self.layout.lease(id);
        let file = files::write(&path).map_err(StoreError::at("make", &path))?;
        let patience = Instant::now() + CLAIM_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Claim::Taken(Lease { _locked: file })),
                Err(TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(Duration::from_millis(5)),
                Err(TryLockError::WouldBlock) => return Ok(Claim::InUse),
                Err(TryLockError::Error(error)) => return Err(StoreError::at("lock", &path)(error)),
            }
        }
    }

    /// Takes over the lease of a task whose holder is gone. `None`: somebody holds it.
    ///
    /// A task without a run directory gets one, so that two processes never close the same books at once.
    pub fn take_over(&self, id: &TaskId) -> Result<Option<Lease>, StoreError> {
        let path = self.layout.lease(id);
        let run = self.layout.run(id);
        files::make_private_dir(&run)?;
        // Another closer may have removed the directory meanwhile: then it holds the lease, or did.
        let Some(file) = if_there(files::write(&path)).map_err(StoreError::at("open", &path))? else { return Ok(None) };
        match file.try_lock() {
            // Whoever held it may have removed it between our opening and our locking.
            Ok(()) if file.metadata().is_ok_and(|lease| lease.nlink() > 0) => Ok(Some(Lease { _locked: file })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(StoreError::at("lock", &path)(error)),
        }
    }

    /// Whether somebody holds the task's lease at this moment.
    pub fn is_leased(&self, id: &TaskId) -> Result<bool, StoreError> {
        let path = self.layout.lease(id);
        let file = match if_there(files::open(&path)) {
            Ok(Some(file)) => file,
            Ok(None) => return Ok(false),
            // Whatever it is, it is nothing that a supervisor locks.
            Err(error) if files::is_foreign(&error) => return Ok(false),
            Err(error) => return Err(StoreError::at("open", path)(error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(false),
            Err(TryLockError::WouldBlock) => Ok(true),
            Err(TryLockError::Error(error)) => Err(StoreError::at("lock", &path)(error)),
        }
    }

    /// Removes the run directory, and gives up the lease.
    pub fn close(&self, id: &TaskId, lease: Lease) -> Result<(), StoreError> {
        let cleared = self.clear(id);
        drop(lease);
        cleared
    }

    /// Gives back a lease that was only taken to look after a file. A run directory that holds nothing else was made for
    /// it, and goes with it.
    pub(super) fn hand_back(&self, id: &TaskId, lease: Lease) -> Result<(), StoreError> {
        let files = fs::read_dir(self.layout.run(id)).map(|files| files.flatten().count());
        // A supervisor that is about to claim the id cannot be there: it sees the files that we looked after.
        if files.is_ok_and(|files| files <= 1) { self.close(id, lease) } else { Ok(()) }
    }

    /// Takes back a task that could not be begun: there is none, and never was.
    pub fn abandon(&self, id: &TaskId, lease: Lease) -> Result<(), StoreError> {
        let record = self.layout.record(id);
        // It may be there although it could not be written durably.
        let removed = files::remove(&record).map_err(StoreError::at("remove", record));
        removed.and(self.close(id, lease))
    }

    /// Removes the run directory of a task that has ended.
    pub fn clear(&self, id: &TaskId) -> Result<(), StoreError> {
        let run = self.layout.run(id);
        let remove = || if_there(fault::point("clear").and_then(|()| fs::remove_dir_all(&run)));
        // Someone may have left a request to cancel while the directory was being emptied.
        remove().or_else(|_| remove()).map_err(StoreError::at("remove", &run))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::store;

    #[test]
    fn an_id_is_claimed_once_and_leased_until_it_is_closed() {
        let (_dir, store) = store();
        let id = TaskId::random();
        let Ok(Claim::Taken(lease)) = store.claim(&id) else { panic!("a new id is free") };
        assert!(matches!(store.claim(&id), Ok(Claim::InUse)));
        assert!(store.is_leased(&id).expect("the lease can be read"));
        assert!(store.take_over(&id).expect("the lease can be tried").is_none());
        store.close(&id, lease).expect("the run directory can be removed");
        assert!(!store.is_leased(&id).expect("a missing lease is free"));
    }

    #[test]
    fn a_lease_whose_holder_is_gone_can_be_taken_over() {
        let (_dir, store) = store();
        let id = TaskId::random();
        drop(store.claim(&id).expect("a new id is free"));
        assert!(store.take_over(&id).expect("the lease can be tried").is_some());
    }
}
