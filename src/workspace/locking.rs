//! Waiting for the lock of a repository.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    process::Deadline,
    store::{RepositoryLocking, StoreError, Workspaces},
    task::TaskId,
};

/// How often to look whether the work was cancelled.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);

/// Locks the repository with this common directory for `task`. Waits for another process at most `max_wait`, and not
/// beyond the deadline.
pub(super) fn lock_within(
    files: &Workspaces,
    common_dir: &Path,
    task: &TaskId,
    max_wait: Duration,
    deadline: &Deadline,
) -> Result<RepositoryLocking, StoreError> {
    let end = Instant::now() + max_wait;
    loop {
        let left = end.saturating_duration_since(Instant::now()).min(deadline.remaining());
        match files.lock(common_dir, task, left.min(CHECK_INTERVAL))? {
            RepositoryLocking::Busy(_) if left > CHECK_INTERVAL => {}
            locking => return Ok(locking),
        }
    }
}
