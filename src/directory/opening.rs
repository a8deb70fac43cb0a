//! Flags for opening a directory.

use rustix::fs::OFlags;

/// On Linux, entering a directory requires neither read nor write permission.
#[cfg(target_os = "linux")]
pub(super) const OPEN_FLAGS: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
pub(super) const OPEN_FLAGS: OFlags =
    OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
