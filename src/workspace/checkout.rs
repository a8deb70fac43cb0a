//! Writes the difference between two trees to the user's work tree, all of it or nothing.
//!
//! The shadow repository does the work, so the user's index does not change. git compares each file with the shadow's
//! index before it writes the first one, and never follows a symbolic link.

use std::{collections::BTreeMap, fs, io, os::unix::fs::PermissionsExt, path::PathBuf};

use super::{
    git_error::GitError,
    permissions::{Limits, narrow_mode, restore, restrict_to},
    preflight::Preflight,
    raw_diff::{Content, Difference, differences, fields},
    shadow::Shadow,
};
use crate::task::{ConflictReason, FileConflict, GitPath, NarrowMode, ObjectId};

/// Files could not be written.
#[derive(Debug, thiserror::Error)]
pub(super) enum CheckoutError {
    /// Some files cannot be written. None was.
    #[error("{} files cannot be written", .0.len())]
    Conflicts(Vec<FileConflict>),
    /// A file of the work tree could not be inspected. None was written.
    #[error("cannot inspect the files to be written: {0}")]
    Inspect(#[source] io::Error),
    /// The trees could not be compared. No file was written.
    #[error(transparent)]
    Git(GitError),
    /// Writing failed. Some files may have been written.
    #[error(transparent)]
    Interrupted(GitError),
}

/// A change of files in the work tree, checked but not written.
#[derive(Debug)]
pub(super) struct Checkout<'a> {
    shadow: &'a Shadow,
    ours: &'a ObjectId,
    target: &'a ObjectId,
    changes: BTreeMap<GitPath, Difference>,
}

impl<'a> Checkout<'a> {
    /// Prepares to write the difference from `ours` to `target`, both trees. The shadow's index must have the content of
    /// `ours`, the last snapshot.
    ///
    /// Fails with [`CheckoutError::Conflicts`] if a file is no longer there, if something that the snapshot does not
    /// contain is in the way, or if a path leads through a symbolic link.
    pub(super) fn prepare(shadow: &'a Shadow, ours: &'a ObjectId, target: &'a ObjectId) -> Result<Self, CheckoutError> {
        let changes = differences(shadow, ours, target).map_err(CheckoutError::Git)?;
        let preflight = Preflight { top: &shadow.place().top, changes: &changes };
        let conflicts = preflight.conflicts().map_err(CheckoutError::Inspect)?;
        if !conflicts.is_empty() {
            return Err(CheckoutError::Conflicts(conflicts));
        }
        let checkout = Self { shadow, ours, target, changes };
        if !checkout.changes.is_empty() {
            checkout.read_tree("--dry-run").map_err(|error| checkout.refusal(error))?;
        }
        Ok(checkout)
    }

    /// The files that will be written or removed.
    pub(super) fn paths(&self) -> Vec<GitPath> {
        self.changes.keys().cloned().collect()
    }

    /// The permissions narrower than git's that the files have, and those that they get with these limits.
    pub(super) fn narrow_modes(&self, limits: &Limits) -> Vec<NarrowMode> {
        let top = &self.shadow.place().top;
        let is_file = |side: &Option<Content>| side.as_ref().is_some_and(|content| content.mode.is_file());
        let mode = |(path, change): (&GitPath, &Difference)| {
            let found = is_file(&change.old).then(|| fs::symlink_metadata(top.join(path.as_path())).ok()).flatten();
            let before = found.as_ref().and_then(narrow_mode);
            let existing = found.map(|found| found.permissions().mode() & 0o777);
            let after = is_file(&change.new).then(|| limits.mode_of(path, existing)).flatten();
            (before.is_some() || after.is_some()).then(|| NarrowMode { path: path.clone(), before, after })
        };
        self.changes.iter().filter_map(mode).collect()
    }

    /// Writes the files. A file keeps its permissions, except for the one to execute it, unless `modes` has narrower ones
    /// for it.
    ///
    /// Fails with [`CheckoutError::Interrupted`] in the middle of it, for example if the disk is full. It also fails if a file
    /// changed after it was checked; then it wrote nothing.
    pub(super) fn write(self, modes: &[NarrowMode]) -> Result<(), CheckoutError> {
        if self.changes.is_empty() {
            return Ok(());
        }
        let permissions = self.permissions();
        let written = self.read_tree("--no-dry-run").map_err(CheckoutError::Interrupted);
        for (path, mode) in permissions {
            restore(&path, mode);
        }
        for NarrowMode { path, after, .. } in modes.iter().filter(|mode| self.changes.contains_key(&mode.path)) {
            if let Some(mode) = after {
                restrict_to(&self.shadow.place().top.join(path.as_path()), *mode);
            }
        }
        written
    }

    /// Lets git compare the files with the shadow's index, and write them.
    fn read_tree(&self, option: &str) -> Result<(), GitError> {
        // With the sparse patterns, it would remove other files.
        let command = self.shadow.command(["read-tree", "-m", "-u", "--no-sparse-checkout", option]);
        command.args([self.ours.as_str(), self.target.as_str()]).run().map(drop)
    }

    /// Why git would not write the files.
    fn refusal(&self, error: GitError) -> CheckoutError {
        match self.changed_meanwhile() {
            Ok(conflicts) if !conflicts.is_empty() => CheckoutError::Conflicts(conflicts),
            Ok(_) | Err(_) => CheckoutError::Git(error),
        }
    }

    /// The permissions of the regular files that stay regular files.
    fn permissions(&self) -> Vec<(PathBuf, u32)> {
        let is_file = |change: &Difference| {
            [&change.old, &change.new].iter().all(|side| side.as_ref().is_some_and(|content| content.mode.is_file()))
        };
        let stay = self.changes.iter().filter(|(_, change)| is_file(change));
        let paths = stay.map(|(path, _)| self.shadow.place().top.join(path.as_path()));
        let with_mode = |path: PathBuf| Some((fs::symlink_metadata(&path).ok()?.permissions().mode(), path));
        paths.filter_map(with_mode).map(|(mode, path)| (path, mode)).collect()
    }

    /// The files that differ from the shadow's index, which is still the one of the snapshot.
    fn changed_meanwhile(&self) -> Result<Vec<FileConflict>, GitError> {
        let output = self.shadow.command(["diff-files", "-z", "--name-only"]).run()?;
        let paths = fields(&output).map(GitPath::from_bytes).filter(|path| self.changes.contains_key(path));
        Ok(paths.map(|path| FileConflict { path, reason: ConflictReason::ChangedMeanwhile }).collect())
    }
}

#[cfg(test)]
#[path = "checkout_tests.rs"]
mod tests;
