//! Refs of our own in the user's repository.

use super::{git::Git, git_error::GitError};
use crate::task::{ObjectId, Place, TaskId};

/// The name of a task's ref, such as `refs/codex-connector/1a2b3c4d/before`.
pub fn ref_name(task: &TaskId, name: &str) -> String {
    format!("refs/codex-connector/{task}/{name}")
}

/// Sets refs to commits, all or none. The commits must be in the user's repository.
pub fn update_ref(_git: &Git, _place: &Place, _name: &str, _commit: &ObjectId) -> Result<(), GitError> {
    unreachable!("not built yet")
}

/// Deletes a ref. Succeeds if it does not exist.
pub fn delete_ref(_git: &Git, _place: &Place, _name: &str) -> Result<(), GitError> {
    unreachable!("not built yet")
}

/// All refs of a task, or of all tasks, with their commits.
pub fn list_refs(_git: &Git, _place: &Place, _task: Option<&TaskId>) -> Result<Vec<(String, ObjectId)>, GitError> {
    unreachable!("not built yet")
}
