//! The lock that `init` and `init --undo` hold from their beginning to their end.

use std::{
    fs::{File, TryLockError},
    path::Path,
    thread,
    time::{Duration, Instant},
};

use super::{apply::SetupProblem, user_file::UserFileProblem};

/// Name of the lock file in the data directory. It is outside of `init/`, because `undo` removes that directory.
const NAME: &str = "init.lock";

/// How long to wait for another process. Claude Code needs a few seconds for a plugin.
const TIMEOUT: Duration = Duration::from_secs(30);

/// How long to wait between two attempts.
const INTERVAL: Duration = Duration::from_millis(50);

/// The right to change the setup, until it is dropped.
#[derive(Debug)]
pub struct SetupLock {
    _file: File,
}

impl SetupLock {
    /// Waits until no other process changes the setup. Fails if that takes too long.
    pub fn acquire(data_dir: &Path) -> Result<Self, SetupProblem> {
        Self::acquire_within(TIMEOUT, data_dir)
    }

    fn acquire_within(timeout: Duration, data_dir: &Path) -> Result<Self, SetupProblem> {
        let path = data_dir.join(NAME);
        let inaccessible = |source| UserFileProblem::Inaccessible { action: "lock", path: path.clone(), source };
        let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(inaccessible)?;
        let deadline = Instant::now() + timeout;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(INTERVAL),
                Err(TryLockError::WouldBlock) => return Err(SetupProblem::Locked { waited: timeout }),
                Err(TryLockError::Error(error)) => return Err(inaccessible(error).into()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_process_has_the_lock() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let first = SetupLock::acquire(dir.path()).expect("nobody has the lock");
        let second = SetupLock::acquire_within(Duration::ZERO, dir.path());
        assert!(matches!(second, Err(SetupProblem::Locked { .. })), "{second:?}");
        drop(first);
        assert!(SetupLock::acquire_within(Duration::ZERO, dir.path()).is_ok());
    }
}
