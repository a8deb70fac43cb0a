//! Follows the log of a task while it is written.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, TryLockError},
};

use tokio::time::timeout;

use super::{FollowError, POLL_INTERVAL, READ_DEADLINE, TIMELINES, Watch, Watches};
use crate::store::{FileIdentity, LogLines, LogReader, StoreError};

/// Follows one log, in the same way as a [`Follower`](super::Follower).
#[derive(Debug)]
pub struct LogFollower {
    state: Arc<Mutex<LogState>>,
    path: PathBuf,
    watches: Watches,
    watch: Watch,
}

#[derive(Debug)]
struct LogState {
    reader: LogReader,
    /// The file that is watched.
    watched: Option<FileIdentity>,
    /// Lines that have not been returned yet.
    lines: LogLines,
}

/// Whether the writer may still write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogEnd {
    /// It may, so an incomplete line is not read yet.
    Open,
    /// It has finished, so an incomplete line is the last one.
    Closed,
}

impl LogFollower {
    /// Follows the log of `reader`, from the reader's start.
    pub fn new(reader: LogReader, watches: &Watches) -> Self {
        let path = reader.path().to_owned();
        let state = LogState { reader, watched: None, lines: LogLines::default() };
        Self { state: Arc::new(Mutex::new(state)), path, watches: watches.clone(), watch: Watch::default() }
    }

    /// The new lines since the last call; none if the log does not exist (yet).
    ///
    /// Cancel-safe: if this is dropped, the next call returns the lines that it has read.
    pub async fn read(&mut self, end: LogEnd) -> Result<LogLines, FollowError> {
        let (state, watch) = (Arc::clone(&self.state), self.watch.clone());
        self.watches.begin();
        let watches = self.watches.clone();
        let read = move || match state.try_lock() {
            Ok(mut state) => state.read(&watches, &watch, end),
            // The thread of an earlier call is still reading.
            Err(TryLockError::WouldBlock) => Ok(()),
            Err(TryLockError::Poisoned(state)) => state.into_inner().read(&watches, &watch, end),
        };
        let read = TIMELINES.run(READ_DEADLINE, read).await;
        read.map_err(|problem| FollowError::TimedOut { path: self.path.clone(), problem })??;
        Ok(match self.state.try_lock() {
            Ok(mut state) => std::mem::take(&mut state.lines),
            Err(TryLockError::WouldBlock) => LogLines::default(),
            Err(TryLockError::Poisoned(state)) => std::mem::take(&mut state.into_inner().lines),
        })
    }

    /// Waits until there may be new lines: until a write is reported, for at most a second.
    pub async fn changed(&self) {
        let _ = timeout(POLL_INTERVAL, self.watch.reported()).await;
    }
}

impl LogState {
    fn read(&mut self, watches: &Watches, watch: &Watch, end: LogEnd) -> Result<(), StoreError> {
        loop {
            let read = match end {
                LogEnd::Open => self.reader.read()?,
                LogEnd::Closed => self.reader.read_to_end()?,
            };
            let read = read.unwrap_or_default();
            self.lines.lines.extend(read.lines);
            self.lines.has_more = read.has_more;
            let now = self.reader.identity();
            if now.is_none() || now == self.watched {
                return Ok(());
            }
            // Read again: the file may have been written to before it was watched.
            watches.watch(self.reader.path(), watch);
            self.watched = now;
        }
    }
}
