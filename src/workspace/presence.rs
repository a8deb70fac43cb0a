//! Checks that what a task left in git still exists.

use std::path::PathBuf;

use super::{git::Git, operation_error::OperationError, refs::command};
use crate::task::{ObjectId, Place};

/// Fails with [`OperationError::PlaceGone`] if a directory is missing, or a symbolic link has taken its place.
pub(super) fn check_place_exists(place: &Place) -> Result<(), OperationError> {
    let is_missing = |path: &&PathBuf| !path.is_dir() || path.canonicalize().is_ok_and(|real| real != **path);
    match [&place.top, &place.git_dir, &place.common_dir].into_iter().find(is_missing) {
        None => Ok(()),
        Some(path) => Err(OperationError::PlaceGone { path: path.clone() }),
    }
}

/// Fails with [`OperationError::SnapshotsGone`] if the repository lacks one of the commits.
pub(super) fn check_commits_exist<'a>(
    git: &Git,
    place: &Place,
    commits: impl IntoIterator<Item = &'a ObjectId>,
) -> Result<(), OperationError> {
    for commit in commits {
        if command(git, place, &["cat-file", "-e", &format!("{commit}^{{tree}}")]).output()?.code != 0 {
            return Err(OperationError::SnapshotsGone);
        }
    }
    Ok(())
}
