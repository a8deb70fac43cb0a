//! Anonymous pipes that the runtime polls, without a thread between the client and the server.
//!
//! Other processes may share the file description of a pipe, so it is not made non-blocking. Instead, the pipe is
//! reopened as a separate description. This does not work for sockets and named pipes: a socket cannot be reopened, and
//! a named pipe that is reopened after its writers have closed it never reports its end (observed on Linux 6.18).

use std::os::fd::AsFd;

use tokio::net::unix::pipe::{Receiver, Sender};

/// Reopens the pipe `fd` for reading. Call it inside a runtime. `None` if a thread must read `fd` instead.
pub(super) fn receiver(fd: impl AsFd) -> Option<Receiver> {
    Receiver::from_owned_fd_unchecked(platform::reopen(fd.as_fd(), platform::RECEIVE)?).ok()
}

/// Reopens the pipe `fd` for writing. Call it inside a runtime. `None` if a thread must write to `fd` instead.
pub(super) fn sender(fd: impl AsFd) -> Option<Sender> {
    Sender::from_owned_fd_unchecked(platform::reopen(fd.as_fd(), platform::SEND)?).ok()
}

#[cfg(target_os = "linux")]
mod platform {
    use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

    use rustix::fs::{Mode, OFlags, fstatfs, open};

    pub(super) const RECEIVE: OFlags = OFlags::RDONLY;
    pub(super) const SEND: OFlags = OFlags::WRONLY;

    /// Magic number of the file system of anonymous pipes, from linux/magic.h.
    const PIPEFS_MAGIC: u64 = 0x5049_5045;

    /// A new, non-blocking description of an anonymous pipe. `None` for anything else, and if the system refuses it,
    /// for example because the pipe belongs to another user.
    pub(super) fn reopen(fd: BorrowedFd<'_>, end: OFlags) -> Option<OwnedFd> {
        if u64::try_from(fstatfs(fd).ok()?.f_type) != Ok(PIPEFS_MAGIC) {
            return None;
        }
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        open(path, end | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
    }
}

/// Other systems cannot reopen a pipe.
#[cfg(not(target_os = "linux"))]
mod platform {
    use std::os::fd::{BorrowedFd, OwnedFd};

    pub(super) const RECEIVE: () = ();
    pub(super) const SEND: () = ();

    pub(super) fn reopen(_: BorrowedFd<'_>, _: ()) -> Option<OwnedFd> {
        None
    }
}
