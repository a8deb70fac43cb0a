//! The flags with which a directory is opened.

use rustix::fs::OFlags;

/// On Linux neither reading nor writing is needed to enter a directory.
#[cfg(target_os = "linux")]
pub(super) const OPEN_FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(super) const OPEN_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
