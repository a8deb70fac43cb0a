//! The frozen settings.

use super::{git::Git, git_error::GitError};
use crate::task::{FrozenSettings, Place};

/// The settings that are in effect at a place now. Must be called before an agent starts.
pub fn read_settings(_git: &Git, _place: &Place) -> Result<FrozenSettings, GitError> {
    unreachable!("not built yet")
}
