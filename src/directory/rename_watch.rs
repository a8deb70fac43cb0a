//! Whether a directory, or one above it, is moved: what an open directory cannot tell by itself.
//!
//! The kernel reports every rename, also one that is taken back at once, which a look at the path from time to time misses.

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

/// The renames of one directory and of those above it, from the moment at which this was made.
#[derive(Debug)]
pub struct RenameWatch {
    inotify: OwnedFd,
}

impl RenameWatch {
    /// Begins to watch. A directory above that this user may not read is left out.
    ///
    /// Fails when the kernel has no room for another watch.
    pub(super) fn of(directory: &OwnedFd) -> Result<Self> {
        let inotify = inotify::init(inotify::CreateFlags::NONBLOCK | inotify::CreateFlags::CLOEXEC)?;
        let watch = |watched: &OwnedFd| {
            // The descriptor, and not its name: that may lead elsewhere by now.
            let link = format!("/proc/self/fd/{}", watched.as_raw_fd());
            inotify::add_watch(&inotify, link, inotify::WatchFlags::MOVE_SELF | inotify::WatchFlags::DELETE_SELF)
        };
        let mut watched = openat(directory, ".", OPEN_FLAGS, Mode::empty())?;
        watch(&watched)?;
        // Above the root is the root again.
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

    /// Waits until something has moved since the last [`take`](Self::take), for at most `max_wait`.
    pub fn wait(&self, max_wait: Duration) {
        let max_wait = Timespec::try_from(max_wait).ok();
        // An interrupted wait is a short one.
        let _ = poll(&mut [PollFd::new(&self.inotify, PollFlags::IN)], max_wait.as_ref());
    }

    /// Whether something has moved since the last call.
    pub fn take(&self) -> bool {
        let mut events = [0; 4096];
        let mut has_moved = false;
        while rustix::io::read(&self.inotify, &mut events).is_ok_and(|length| length > 0) {
            has_moved = true;
        }
        has_moved
    }
}
