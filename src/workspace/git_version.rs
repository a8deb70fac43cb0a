//! Versions of git.

use std::fmt;

/// The first version of git that can take snapshots: with `GIT_CONFIG_GLOBAL`.
pub const GIT_FOR_SNAPSHOTS: GitVersion = GitVersion(2, 32);

/// The first version of git that can merge without a work tree: with `merge-tree --write-tree`.
pub const GIT_FOR_MERGES: GitVersion = GitVersion(2, 38);

/// A version of git: its first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion(pub u32, pub u32);

impl GitVersion {
    /// The version in the answer to `git version`.
    pub(super) fn parse(answer: &[u8]) -> Option<Self> {
        let text = str::from_utf8(answer).ok()?.strip_prefix("git version ")?;
        let mut numbers = text.split(['.', ' ', '\n']).map_while(|number| number.parse().ok());
        Some(Self(numbers.next()?, numbers.next()?))
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}
