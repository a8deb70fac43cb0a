//! Pipes for which the runtime itself waits, so that no thread stands between the client and a request.
//!
//! Others may share the file description of a pipe, so it is not made non-blocking. The pipe is opened again instead, as a
//! description of our own. Sockets and named pipes cannot be: opening a socket fails, and a named pipe that is opened again
//! after its writers have closed it never reports its end (observed on Linux 6.18).

use std::os::fd::AsFd;

use tokio::net::unix::pipe::{Receiver, Sender};

/// The pipe `fd`, to read from. `None`: a thread has to do it. Called inside a runtime.
pub(super) fn receiver(fd: impl AsFd) -> Option<Receiver> {
    Receiver::from_owned_fd_unchecked(platform::reopen(fd.as_fd(), platform::RECEIVE)?).ok()
}

/// The same, to write to.
pub(super) fn sender(fd: impl AsFd) -> Option<Sender> {
    Sender::from_owned_fd_unchecked(platform::reopen(fd.as_fd(), platform::SEND)?).ok()
}

#[cfg(target_os = "linux")]
mod platform {
    use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

    use rustix::fs::{Mode, OFlags, fstatfs, open};

    pub(super) const RECEIVE: OFlags = OFlags::RDONLY;
    pub(super) const SEND: OFlags = OFlags::WRONLY;

    /// The magic number of the file system of anonymous pipes, from linux/magic.h.
    const PIPEFS_MAGIC: u64 = 0x5049_5045;

    /// A new, non-blocking description of an anonymous pipe. `None` for anything else, and where that is refused, as it is to
    /// a user to whom the pipe does not belong.
    pub(super) fn reopen(fd: BorrowedFd<'_>, end: OFlags) -> Option<OwnedFd> {
        if u64::try_from(fstatfs(fd).ok()?.f_type) != Ok(PIPEFS_MAGIC) {
            return None;
        }
        let path = format!("/proc/self/fd/{}", fd.as_raw_fd());
        open(path, end | OFlags::NONBLOCK | OFlags::CLOEXEC, Mode::empty()).ok()
    }
}

/// Elsewhere a pipe cannot be opened again.
#[cfg(not(target_os = "linux"))]
mod platform {
    use std::os::fd::{BorrowedFd, OwnedFd};

    pub(super) const RECEIVE: () = ();
    pub(super) const SEND: () = ();

    pub(super) fn reopen(_: BorrowedFd<'_>, _: ()) -> Option<OwnedFd> {
        None
    }
}
