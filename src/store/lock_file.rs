//! Files whose locks end exactly when they are dropped.
//!
//! A lock belongs to the open file, not to the process. If another thread starts a program, the new process shares all
//! open files until it executes that program, even those that are closed on exec. If the lock were released only by
//! closing the file, it could therefore outlast its owner for a moment, and others would find it held. So it is released
//! explicitly, which applies to every process that shares the file.

use std::{fs::File, ops::Deref};

/// A file that may be locked. Dropping it releases the lock.
#[derive(Debug)]
pub(super) struct LockFile(File);

impl From<File> for LockFile {
    fn from(file: File) -> Self {
        Self(file)
    }
}

impl Deref for LockFile {
    type Target = File;

    fn deref(&self) -> &File {
        &self.0
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        // It fails only on file systems that cannot lock, where nothing was locked.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    use std::fs::TryLockError;

    use super::*;

    #[test]
    fn a_lock_ends_although_another_process_still_shares_the_file() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("lock");
        let file = LockFile::from(File::create(&path).expect("it is writable"));
        file.try_lock().expect("nobody else has it");
        // A copy, like that of a process that was forked and has not executed its program yet.
        let shared = file.try_clone().expect("it is open");
        let other = File::open(&path).expect("it exists");
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(file);
        other.try_lock().expect("the lock was released");
        drop(shared);
    }
}
