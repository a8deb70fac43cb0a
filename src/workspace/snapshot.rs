//! Snapshots.

use super::{
    git_error::GitError,
    shadow::{Shadow, ShadowError},
};
use crate::task::{GitPath, ObjectId, Omission};

/// A snapshot: a commit with what the user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// The commit. If nothing was changed, it is the parent.
    pub commit: ObjectId,
    /// Its tree.
    pub tree: ObjectId,
    /// The commit that the user had checked out; `None` if there was none yet.
    pub head: Option<ObjectId>,
    /// The short name of the branch that was checked out; `None` if HEAD was detached.
    pub branch: Option<GitPath>,
    /// The number of files that differ from `head`.
    pub uncommitted: u64,
    /// Files that exist and are not in the snapshot.
    pub omitted: Vec<Omission>,
}

impl Shadow {
    /// Takes a snapshot with this commit message. Its parents are `parents`, or the user's HEAD if that is `None`.
    ///
    /// The objects are only in the shadow repository until they are [published](Shadow::publish).
    pub fn snapshot(&mut self, _message: &str, _parents: Option<&[ObjectId]>) -> Result<Snapshot, SnapshotError> {
        unreachable!("not built yet")
    }
}

/// A snapshot could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The shadow repository failed.
    #[error(transparent)]
    Shadow(#[from] ShadowError),
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}
