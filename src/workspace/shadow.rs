//! A shadow repository.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

use super::{
    git::{Git, GitCommand},
    git_error::GitError,
};
use crate::{
    process::Deadline,
    task::{FrozenSettings, ObjectId, Omission, Place},
};

/// The snapshot that a later one is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    /// Its commit.
    pub commit: ObjectId,
    /// Existing files that it does not contain.
    pub omitted: Vec<Omission>,
}

/// A shadow repository: a git directory of our own for the user's work tree.
#[derive(Debug)]
pub struct Shadow {
    git: Git,
    place: Place,
    settings: FrozenSettings,
    dir: PathBuf,
    max_file: u64,
}

impl Shadow {
    /// Makes a shadow repository in `dir`, an empty directory that only this user can read. The caller removes it.
    ///
    /// With a `base`, the next snapshot covers all files of that snapshot, even if they are ignored meanwhile, and none
    /// that it omits. `max_file` is the size limit of an untracked file, in bytes.
    pub fn create(
        git: &Git,
        place: &Place,
        settings: &FrozenSettings,
        base: Option<Base>,
        max_file: u64,
        dir: &Path,
    ) -> Result<Self, ShadowError> {
        let _ = base;
        Ok(Self { git: git.clone(), place: place.clone(), settings: settings.clone(), dir: dir.to_owned(), max_file })
    }

    /// A command in the shadow repository, on the user's work tree, with the shadow's index and the frozen settings.
    pub fn command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> GitCommand {
        self.git
            .command(args)
            .git_dir(&self.dir)
            .work_tree(&self.place.top)
            .index(&self.index())
            .without_user_settings()
    }

    /// The same without a work tree, for commands on objects only.
    pub fn object_command<A: Into<OsString>>(&self, args: impl IntoIterator<Item = A>) -> GitCommand {
        self.git.command(args).git_dir(&self.dir).directory(&self.dir).without_user_settings()
    }

    /// The directory of the shadow repository. Temporary files may be made in it.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The shadow's index. After a snapshot, it has exactly the content of that snapshot.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index")
    }

    /// The place that it belongs to.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// The git that it uses.
    pub fn git(&self) -> &Git {
        &self.git
    }

    /// Gives all further commands a new deadline.
    pub fn set_deadline(&mut self, deadline: Deadline) {
        self.git = self.git.with_deadline(deadline);
    }

    /// Moves all new objects into the user's repository. Nothing there is overwritten.
    pub fn publish(&self) -> Result<(), ShadowError> {
        let _ = (&self.settings, self.max_file);
        unreachable!("not built yet")
    }
}

/// A shadow repository could not be made or published.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// A file of the shadow or of the user's repository could not be read or written.
    #[error("cannot {action}: {source}")]
    File {
        /// What was to be done.
        action: &'static str,
        /// The reason.
        source: io::Error,
    },
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
}
