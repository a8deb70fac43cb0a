//! Checks whether the data directory's file system supports file locks.
//!
//! File locks determine who may write a task's record and whether its supervisor is alive. Some network and user-space
//! file systems do not support them, and no task could begin there. This check finds that out once, instead of in every
//! call.

use std::{
    fs::TryLockError,
    io::{self, ErrorKind},
};

use rustix::io::Errno;

use super::Upkeep;
use crate::store::{error::StoreError, fault};

impl Upkeep {
    /// Fails with [`ErrorKind::Unsupported`] if files in the data directory cannot be locked. Leaves nothing behind.
    ///
    /// Ignores other problems of the directory, which are reported where they matter.
    pub fn check_locks(&self) -> Result<(), StoreError> {
        match self.lock_something() {
            Err(error) if is_unsupported(&error) => {
                let why = format!("its file system does not support file locks ({error})");
                let dir = self.reader().data_dir();
                Err(StoreError::at("use", dir)(io::Error::new(ErrorKind::Unsupported, why)))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn lock_something(&self) -> io::Result<()> {
        fault::point("lock")?;
        match tempfile::tempfile_in(self.reader().data_dir())?.try_lock() {
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

fn is_unsupported(error: &io::Error) -> bool {
    let errno = error.raw_os_error().map(Errno::from_raw_os_error);
    matches!(errno, Some(Errno::NOLCK | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::tests::upkeep;

    #[test]
    fn an_ordinary_directory_supports_locks_and_is_unchanged() {
        let (_dir, upkeep) = upkeep();
        let files = || std::fs::read_dir(upkeep.reader().data_dir()).map(Iterator::count).unwrap_or_default();
        let before = files();
        upkeep.check_locks().expect("the test's directory supports locks");
        assert_eq!(files(), before);
    }

    #[test]
    fn only_errors_about_unsupported_locks_count() {
        for (errno, counts) in [
            (Errno::NOLCK, true),
            (Errno::OPNOTSUPP, true),
            (Errno::NOSYS, true),
            (Errno::NOSPC, false),
            (Errno::MFILE, false),
        ] {
            assert_eq!(is_unsupported(&errno.into()), counts, "{errno}");
        }
    }
}
