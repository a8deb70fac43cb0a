//! Follows the timeline of a task while it is written.
//!
//! Everything that shows a task's current activity reads its timeline through a [`Follower`]: progress messages,
//! `wait`, and every live view. A follower is a loop of two steps:
//!
//! ```text
//!        ┌───────────── entries ──────────────▶ the caller
//!   ┌────┴───┐   nothing more    ┌───────────┐
//!   │  read  │ ────────────────▶ │  changed  │
//!   └────▲───┘                   └─────┬─────┘
//!        └── written (inotify), or 1 s ┘
//! ```
//!
//! [`read`](Follower::read) returns the new entries since the last call, each exactly once and in order; see
//! [`TimelineReader`]. [`changed`](Follower::changed) waits for the next write if the system reports writes, but for at
//! most a second in any case. So a follower never spins, costs almost nothing while the task is silent, and also works
//! on file systems that report nothing.
//!
//! Failures and their effects:
//!
//! - *The timeline does not exist.* The task has just begun, or an older version runs it. `read` returns `None`. The
//!   caller shows the live view in the meantime, and calls `read` again after a second.
//! - *Too many files are watched*, by this process or on this machine. The follower polls once a second instead.
//! - *The directory does not respond.* `read` fails after a deadline. Entries that it finds later are not lost.
//! - *The caller drops a call while it waits.* The next call returns the entries that were read meanwhile.

mod directory;
#[cfg(target_os = "linux")]
mod inotify;
mod log;
#[cfg(test)]
mod tests;
mod watches;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, TryLockError},
    time::Duration,
};

use tokio::time::timeout;

pub use directory::DirectoryWatch;
pub use log::{LogEnd, LogFollower};
pub use watches::Watches;

use crate::{
    blocking::{BlockingTimeout, Lane},
    store::{FileIdentity, StoreError, TimelineReader},
    task::TimelineEntry,
};
use watches::Watch;

/// How often a timeline is read if no write is reported.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Threads for reading timelines.
static TIMELINES: Lane = Lane::new(16);

/// How long a timeline may take to respond.
const READ_DEADLINE: Duration = Duration::from_secs(20);

/// Follows one timeline.
#[derive(Debug)]
pub struct Follower {
    state: Arc<Mutex<FollowState>>,
    path: PathBuf,
    watches: Watches,
    watch: Watch,
}

/// State shared with the thread that reads, which may outlive a call.
#[derive(Debug)]
struct FollowState {
    reader: TimelineReader,
    /// The file that is watched.
    watched: Option<FileIdentity>,
    /// Entries that have not been returned yet.
    entries: Vec<TimelineEntry>,
    /// Whether the timeline exists.
    has_timeline: bool,
    has_more: bool,
}

/// The timeline cannot be read now.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The file cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The file does not respond.
    #[error("the timeline {path} {problem}", path = path.display())]
    TimedOut {
        /// The file.
        path: PathBuf,
        /// The problem.
        #[source]
        problem: BlockingTimeout,
    },
}

/// Entries that [`Follower::read`] returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewEntries {
    /// The entries, oldest first.
    pub entries: Vec<TimelineEntry>,
    /// Whether more entries can be read immediately.
    pub has_more: bool,
}

impl Follower {
    /// Follows the timeline of `reader`, from the reader's position.
    pub fn new(reader: TimelineReader, watches: &Watches) -> Self {
        let path = reader.path().to_owned();
        let state = FollowState { reader, watched: None, entries: Vec::new(), has_timeline: false, has_more: false };
        Self { state: Arc::new(Mutex::new(state)), path, watches: watches.clone(), watch: Watch::default() }
    }

    /// The new entries since the last call. `None` if the timeline does not exist (yet).
    ///
    /// Cancel-safe: if this is dropped, the next call returns the entries that it has read.
    pub async fn read(&mut self) -> Result<Option<NewEntries>, FollowError> {
        let (state, watch) = (Arc::clone(&self.state), self.watch.clone());
        self.watches.begin();
        let watches = self.watches.clone();
        let read = move || match state.try_lock() {
            Ok(mut state) => state.read(&watches, &watch),
            // The thread of an earlier call is still reading.
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Poisoned(state)) => state.into_inner().read(&watches, &watch),
        };
        let read = TIMELINES.run(READ_DEADLINE, read).await;
        read.map_err(|problem| FollowError::TimedOut { path: self.path.clone(), problem })??;
        Ok(self.take())
    }

    /// Waits until there may be new entries: until a write is reported, for at most a second.
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
            // Read again: the file may have been written to before it was watched.
            watches.watch(self.reader.path(), watch);
            self.watched = now;
        }
    }

    fn take(&mut self) -> Option<NewEntries> {
        let entries = std::mem::take(&mut self.entries);
        self.has_timeline.then_some(NewEntries { entries, has_more: self.has_more })
    }
}
