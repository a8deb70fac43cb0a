//! Following the timeline of a task while it is written.
//!
//! Everything that shows what a task is doing reads its timeline through a [`Follower`]: progress messages, `wait`, and
//! whatever shows a task live. A follower is a loop of two steps:
//!
//! ```text
//!        ┌───────────── entries ──────────────▶ the caller
//!   ┌────┴───┐   nothing more    ┌───────────┐
//!   │  read  │ ────────────────▶ │  changed  │
//!   └────▲───┘                   └─────┬─────┘
//!        └── written (inotify), or 1 s ┘
//! ```
//!
//! [`read`](Follower::read) returns the entries that came since the last call, each exactly once and in order; see
//! [`TimelineReader`] for how. [`changed`](Follower::changed) waits for more: where the system reports writes, until the
//! next one, and in any case for at most a second. So a follower never spins, costs next to nothing while the task is
//! silent, and works on file systems that report nothing.
//!
//! Failures and their effects:
//!
//! - *There is no timeline.* The task has just begun, or an older version runs it. `read` returns `None`; the caller shows
//!   the live view in the meantime, and calls `read` again after a second.
//! - *Too many files are watched*, by this process or on this machine. The follower looks once a second instead.
//! - *The directory does not answer.* `read` fails after a deadline. Entries that it finds later are not lost.
//! - *The caller drops a call while it waits.* What was read meanwhile is returned by the next call.

#[cfg(target_os = "linux")]
mod inotify;
#[cfg(test)]
mod tests;
mod watches;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, TryLockError},
    time::Duration,
};

use tokio::time::timeout;

pub use watches::Watches;

use crate::{
    blocking::{BlockingTimeout, Lane},
    store::{FileIdentity, StoreError, TimelineReader},
    task::TimelineEntry,
};
use watches::Watch;

/// How often a timeline is looked at when nothing is reported.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Threads for reading timelines.
static TIMELINES: Lane = Lane::new(16);

/// How long a timeline may take to answer.
const READ_DEADLINE: Duration = Duration::from_secs(20);

/// Follows one timeline.
#[derive(Debug)]
pub struct Follower {
    state: Arc<Mutex<FollowState>>,
    path: PathBuf,
    watches: Watches,
    watch: Watch,
}

/// Shared with the thread that reads, which may outlive a call.
#[derive(Debug)]
struct FollowState {
    reader: TimelineReader,
    /// The file that is watched.
    watched: Option<FileIdentity>,
    /// Entries that were not returned yet.
    entries: Vec<TimelineEntry>,
    /// Whether there is a timeline.
    has_timeline: bool,
    has_more: bool,
}

/// Why a timeline cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The file is in trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It does not answer.
    #[error("the timeline {path} {problem}", path = path.display())]
    TimedOut {
        /// The file.
        path: PathBuf,
        /// The problem.
        #[source]
        problem: BlockingTimeout,
    },
}

/// Entries that were read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEntries {
    /// The entries, the oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether there are more to read at once.
    pub has_more: bool,
}

impl Follower {
    /// Follows what `reader` reads, from where it begins.
    pub fn new(reader: TimelineReader, watches: &Watches) -> Self {
        let path = reader.path().to_owned();
        let state = FollowState { reader, watched: None, entries: Vec::new(), has_timeline: false, has_more: false };
        Self { state: Arc::new(Mutex::new(state)), path, watches: watches.clone(), watch: Watch::default() }
    }

    /// The entries that came since the last call. `None`: there is no timeline, at least not yet.
    ///
    /// Can be dropped while it waits: the next call returns what was read.
    pub async fn read(&mut self) -> Result<Option<NewEntries>, FollowError> {
        let (state, watch) = (Arc::clone(&self.state), self.watch.clone());
        self.watches.begin();
        let watches = self.watches.clone();
        let read = move || match state.try_lock() {
            Ok(mut state) => state.read(&watches, &watch),
            // An earlier call is still at it.
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Poisoned(state)) => state.into_inner().read(&watches, &watch),
        };
        let read = TIMELINES.run(READ_DEADLINE, read).await;
        read.map_err(|problem| FollowError::TimedOut { path: self.path.clone(), problem })??;
        Ok(self.take())
    }

    /// Returns when there may be new entries: at once after a write where those are reported, and after a second in any
    /// case.
    pub async fn changed(&self) {
        let _ = timeout(POLL_INTERVAL, self.watch.reported()).await;
    }

    /// Waits for new entries.
    pub async fn next(&mut self) -> Result<Vec<TimelineEntry>, FollowError> {
        loop {
            if let Some(NewEntries { entries, .. }) = self.read().await?
                && !entries.is_empty()
            {
                return Ok(entries);
            }
            self.changed().await;
        }
    }

    fn take(&self) -> Option<NewEntries> {
        match self.state.try_lock() {
            Ok(mut state) => state.take(),
            Err(TryLockError::WouldBlock) => None,
            Err(TryLockError::Poisoned(state)) => state.into_inner().take(),
        }
    }
}

impl FollowState {
    fn read(&mut self, watches: &Watches, watch: &Watch) -> Result<(), StoreError> {
        loop {
            let read = self.reader.read()?;
            self.has_timeline = read.is_some();
            let read = read.unwrap_or_default();
            self.entries.extend(read.entries);
            self.has_more = read.has_more;
            let now = self.reader.identity();
            if now.is_none() || now == self.watched {
                return Ok(());
            }
            // It is read again, because it may have been written to before it was watched.
            watches.watch(self.reader.path(), watch);
            self.watched = now;
        }
    }

    fn take(&mut self) -> Option<NewEntries> {
        let entries = std::mem::take(&mut self.entries);
        self.has_timeline.then_some(NewEntries { entries, has_more: self.has_more })
    }
}
