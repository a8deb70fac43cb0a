//! Watches for renames of a directory and of those above it, with inotify.
//!
//! The kernel reports every rename, even one that is reverted at once. Checking the path from time to time would miss
//! that.

use std::{
    os::fd::{AsRawFd, OwnedFd},
    time::Duration,
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, fstat, inotify, openat},
    io::Result,
};

use super::opening::OPEN_FLAGS;

/// Watches one directory and those above it for renames, from the moment of its creation.
#[derive(Debug)]
pub struct RenameWatch {
    inotify: OwnedFd,
}

impl RenameWatch {
    /// Starts watching. Skips directories above that this user may not read.
    ///
    /// Fails if the user has too many watches already.
    pub(super) fn of(directory: &OwnedFd) -> Result<Self> {
        let inotify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let watch = |watched: &OwnedFd| {
            // By descriptor: its path may lead elsewhere by now.
            let link = format!("/proc/self/fd/{}", watched.as_raw_fd());
            inotify::add_watch(&inotify, link, inotify::WatchFlags::MOVE_SELF | inotify::WatchFlags::DELETE_SELF)
        };
        let mut watched = openat(directory, ".", OPEN_FLAGS, Mode::empty())?;
        watch(&watched)?;
        // The parent of the root is the root itself.
        while let Ok(above) = openat(&watched, "..", OPEN_FLAGS, Mode::empty()) {
            let (here, there) = (fstat(&watched)?, fstat(&above)?);
            if (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino) {
                break;
            }
            let _ = watch(&above);
            watched = above;
        }
        Ok(Self { inotify })
    }

    /// Waits, for at most `max_wait`, until something has been renamed since the last [`take`](Self::take).
    pub fn wait(&self, max_wait: Duration) {
        let max_wait = Timespec::try_from(max_wait).ok();
        // An interrupted wait is merely shorter.
        let _ = poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], max_wait.as_ref());
    }

    /// Whether something has been renamed since the last call.
    pub fn take(&self) -> bool {
        let mut events = [0; 4096];
        let mut has_moved = false;
        while rustix::io::read(&self.inotify, &mut events).is_ok_and(|length| length > 0) {
            has_moved = true;
        }
        has_moved
    }
}
