//! One process of a tree.

use rustix::process::Pid;

/// One process of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its pid.
    pub pid: u32,
    /// When it started, so that no later process with its pid is taken for it.
    pub start_time: u64,
    /// What it is called, for people.
    pub name: String,
}

/// A pid as system calls take it.
pub(super) fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}
