//! Why an agent cannot work.

/// The reason why an agent currently cannot work on any task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It is not logged in, or its key was rejected.
    NotLoggedIn,
    /// Its account has reached a limit.
    OutOfQuota,
    /// Its provider has no capacity.
    Capacity,
    /// It cannot reach its provider. Another agent would probably have the same problem, so none takes over.
    Network,
}
