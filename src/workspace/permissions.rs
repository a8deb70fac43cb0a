//! Permissions that are narrower than those that git gives a file.
//!
//! Git only stores whether a file is executable, so a private file (0600) that an operation creates again would be
//! readable for others. So narrower permissions are remembered: of all files at the first snapshot while the task runs,
//! and of the changed files in the workspace file. They are only ever used to take permissions away.

use std::{
    collections::{BTreeMap, HashMap},
    fs::{self, Metadata, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use super::git_paths::as_path;
use crate::task::{GitPath, NarrowMode};

/// Maximum number of files whose permissions a workspace file or an operation remembers.
const MAX_REMEMBERED: usize = 1_000;

/// The permissions that every file has if nobody restricted them, with the usual umask.
const USUAL: u32 = 0o644;

/// The permissions to read, write and execute.
const ALL: u32 = 0o777;

/// Narrow permissions by path.
pub(super) type NarrowModes = HashMap<Vec<u8>, u32>;

/// The permissions of a regular file, if they are narrow.
pub(super) fn narrow_mode(found: &Metadata) -> Option<u32> {
    Some(found.permissions().mode() & ALL).filter(|mode| found.is_file() && is_narrow(*mode))
}

fn is_narrow(mode: u32) -> bool {
    mode & USUAL != USUAL
}

/// The narrow permissions among these files, whose paths are relative to `top`.
pub(super) fn narrow_modes<'a>(top: &Path, paths: impl IntoIterator<Item = &'a [u8]>) -> NarrowModes {
    let narrow = |path: &[u8]| fs::symlink_metadata(top.join(as_path(path))).ok().as_ref().and_then(narrow_mode);
    paths.into_iter().filter_map(|path| Some((path.to_vec(), narrow(path)?))).collect()
}

/// The narrow permissions of changed files: `before` are those at the first snapshot of the task. The others
/// are read now.
pub(super) fn modes_of_changes<'a>(
    top: &Path,
    before: &NarrowModes,
    paths: impl IntoIterator<Item = &'a GitPath>,
) -> Vec<NarrowMode> {
    let mode = |path: &GitPath| {
        let found = fs::symlink_metadata(top.join(path.as_path())).ok();
        let (before, after) = (before.get(path.as_bytes()).copied(), found.as_ref().and_then(narrow_mode));
        (before.is_some() || after.is_some()).then(|| NarrowMode { path: path.clone(), before, after })
    };
    paths.into_iter().filter_map(mode).take(MAX_REMEMBERED).collect()
}

/// Those that an operation records.
pub(super) fn recorded(modes: &[NarrowMode]) -> Vec<NarrowMode> {
    modes.iter().take(MAX_REMEMBERED).cloned().collect()
}

/// The permissions that a file is to have, for the files of an operation.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Limits(BTreeMap<GitPath, Limit>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Limit {
    mode: u32,
    /// Whether the change that is merged includes these permissions. Otherwise, an existing file keeps those that
    /// somebody gave it since.
    is_changed: bool,
}

impl Limits {
    /// Adds a limit: the change goes from the permissions `from` to `to`.
    pub(super) fn add(&mut self, path: &GitPath, from: Option<u32>, to: Option<u32>) {
        if let Some(mode) = to {
            self.0.insert(path.clone(), Limit { mode, is_changed: from != to });
        }
    }

    /// The permissions of a file after it was written; `None` if they are git's. `existing` are those that it has now.
    pub(super) fn mode_of(&self, path: &GitPath, existing: Option<u32>) -> Option<u32> {
        match (existing, self.0.get(path)) {
            (Some(existing), Some(limit)) if limit.is_changed => Some(existing & limit.mode),
            (Some(existing), Some(_) | None) => Some(existing),
            (None, limit) => limit.map(|limit| limit.mode),
        }
        .filter(|mode| is_narrow(*mode))
    }
}

/// Gives a file that was replaced these permissions to read and write. It is executable if it is now.
pub(super) fn restore(path: &Path, mode: u32) {
    set(path, |_| mode);
}

/// Takes the permissions from a file that `mode` does not include, except those to execute it.
pub(super) fn restrict_to(path: &Path, mode: u32) {
    set(path, |now| now & mode);
}

fn set(path: &Path, mode: impl FnOnce(u32) -> u32) {
    const READ_AND_WRITE: u32 = 0o666;
    let Ok(found) = fs::symlink_metadata(path) else { return };
    let now = found.permissions().mode();
    let mode = mode(now);
    // Everyone who may read an executable file may execute it.
    let execute = if now & 0o111 == 0 { 0 } else { (mode & 0o444) >> 2 };
    let wanted = (mode & READ_AND_WRITE) | execute;
    if found.is_file() && now & ALL != wanted {
        // Best effort: the content is what counts.
        let _ = fs::set_permissions(path, Permissions::from_mode(wanted));
    }
}

#[cfg(test)]
#[path = "permissions_tests.rs"]
mod tests;
