//! Finds out how far git came with each file of an interrupted operation.
//!
//! A half-written file must be completed, but a file that the user deleted or shortened since must not. git writes in
//! this order (2.38 to 2.47): it removes the files that the target lacks, and then, sorted by path, removes one file
//! after the other and creates it again. A killed git leaves at most one file missing or incomplete: the first one that
//! is not written yet. There are two exceptions:
//!
//! - git writes files with a long-running filter, such as those of git-lfs, at the end. Until then, they are missing.
//! - If git itself fails, for example because the disk is full, it tries the other files before it exits.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{ErrorKind, Read},
};

use super::{
    beneath::Below,
    git_error::GitError,
    git_paths::nul_separated,
    operation_error::OperationError,
    raw_diff::{Content, differences},
    settings::filter_key,
    shadow::Shadow,
    snapshot::Snapshot,
};
use crate::task::{GitPath, ObjectId, Operation};

/// The side to which the files are brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Toward {
    /// The content after the operation.
    Target,
    /// The content before it.
    Ours,
}

/// The state of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It is as wanted.
    Wanted,
    /// It is as on the other side.
    Other,
    /// git may have removed it, and not have created it yet.
    Missing,
    /// It has the first bytes of what git was writing.
    Incomplete,
    /// Somebody changed it, or git cannot read it.
    Changed,
}

/// The files of an interrupted operation.
#[derive(Debug)]
pub(super) struct Interrupted {
    /// The state of each file.
    pub(super) files: BTreeMap<GitPath, Found>,
    /// The incomplete files that git cannot read. The snapshot does not have their content.
    pub(super) unreadable: Vec<GitPath>,
}

/// Compares the files with both sides of their operation. `now` is the shadow's last snapshot.
pub(super) fn inspect(
    shadow: &Shadow,
    operation: &Operation,
    toward: Toward,
    now: &Snapshot,
) -> Result<Interrupted, OperationError> {
    let sides = differences(shadow, &operation.ours, &operation.target)?;
    let (wanted, other) = match toward {
        Toward::Target => (&operation.target, &operation.ours),
        Toward::Ours => (&operation.ours, &operation.target),
    };
    let to = |side: &ObjectId| differences(shadow, &now.tree, side);
    let (to_wanted, to_other) = (to(wanted)?, to(other)?);
    let omitted: BTreeSet<&GitPath> = now.omitted.iter().map(|omission| &omission.path).collect();
    let top = Below::open(&shadow.place().top).map_err(OperationError::Inspect)?;
    let mut found = Interrupted { files: BTreeMap::new(), unreadable: Vec::new() };
    for path in &operation.paths {
        let Some(side) = sides.get(path) else { continue };
        let is_wanted_absent = match toward {
            Toward::Target => side.new.is_none(),
            Toward::Ours => side.old.is_none(),
        };
        let exists = || shadow.place().top.join(path.as_path()).symlink_metadata().is_ok();
        // It exists, and the snapshot does not have it, or not as it is.
        let is_unread = omitted.contains(path) || (is_wanted_absent && !to_wanted.contains_key(path) && exists());
        let is_partial = || -> Result<bool, OperationError> {
            let written = [side.new.as_ref(), side.old.as_ref().filter(|_| operation.has_failed)];
            written
                .into_iter()
                .flatten()
                .try_fold(false, |is, content| Ok(is || is_beginning(shadow, &top, path, content)?))
        };
        let state = match (to_wanted.get(path), to_other.get(path)) {
            _ if is_unread => {
                if is_partial()? {
                    found.unreadable.push(path.clone());
                    Found::Incomplete
                } else {
                    Found::Changed
                }
            }
            (None, _) => Found::Wanted,
            (Some(_), None) => Found::Other,
            (Some(difference), Some(_)) if difference.old.is_none() => Found::Missing,
            (Some(_), Some(_)) if is_partial()? => Found::Incomplete,
            (Some(_), Some(_)) => Found::Changed,
        };
        found.files.insert(path.clone(), state);
    }
    if toward == Toward::Target && !operation.has_failed {
        let is_removal = |path: &GitPath| sides.get(path).is_some_and(|side| side.new.is_none());
        let missing = found.files.iter().filter(|(_, found)| **found == Found::Missing).map(|(path, _)| path.clone());
        let delayed = with_process_filter(shadow, missing.collect())?;
        let written = being_written(&found.files, is_removal);
        for (path, state) in &mut found.files {
            let is_left_by_git = written.as_ref() == Some(path) || delayed.contains(path);
            if matches!(state, Found::Missing | Found::Incomplete) && !is_left_by_git {
                *state = Found::Changed;
            }
        }
        found.unreadable.retain(|path| found.files[path] == Found::Incomplete);
    }
    Ok(found)
}

/// The file that git was writing when it was killed, if it is missing or incomplete.
fn being_written(files: &BTreeMap<GitPath, Found>, is_removal: impl Fn(&GitPath) -> bool) -> Option<GitPath> {
    if files.iter().any(|(path, found)| *found == Found::Other && is_removal(path)) {
        return None;
    }
    let mut written = files.iter().filter(|(path, found)| **found != Found::Changed && !is_removal(path));
    let (path, found) = written.by_ref().find(|(_, found)| **found != Found::Wanted)?;
    let is_passed = written.any(|(_, found)| *found == Found::Wanted);
    (matches!(found, Found::Missing | Found::Incomplete) && !is_passed).then(|| path.clone())
}

/// Those of these files that have a long-running filter.
fn with_process_filter(shadow: &Shadow, paths: Vec<GitPath>) -> Result<BTreeSet<GitPath>, GitError> {
    let keys = shadow.settings().values.iter().filter_map(|setting| filter_key(setting.key.as_bytes()));
    let filters: BTreeSet<GitPath> = keys.filter(|(_, name)| *name == b"process").map(|(filter, _)| filter).collect();
    if filters.is_empty() || paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    let paths: Vec<Vec<u8>> = paths.iter().map(|path| path.as_bytes().to_vec()).collect();
    let answer = shadow.command(["check-attr", "-z", "--stdin", "filter"]).stdin(nul_separated(&paths)).run()?;
    let mut parts = answer.split(|byte| *byte == 0);
    let mut found = BTreeSet::new();
    while let (Some(path), Some(_), Some(filter)) = (parts.next(), parts.next(), parts.next()) {
        if filters.contains(&GitPath::from_bytes(filter)) {
            found.insert(GitPath::from_bytes(path));
        }
    }
    Ok(found)
}

/// Whether a regular file has the first bytes of what git writes for `content`, and not all of them.
fn is_beginning(shadow: &Shadow, top: &Below, path: &GitPath, content: &Content) -> Result<bool, OperationError> {
    if !content.mode.is_file() {
        return Ok(false);
    }
    let mut found = Vec::new();
    match top.file(path.as_path()).and_then(|mut file| file.read_to_end(&mut found)) {
        Err(error) if error.kind() == ErrorKind::OutOfMemory => return Err(OperationError::Inspect(error)),
        // Not a regular file, or a link is in its path.
        Err(_) => return Ok(false),
        Ok(_) => {}
    }
    let filtered = shadow.command(["cat-file", "--filters"]).arg(option("--path=", path)).arg(content.object.as_str());
    match filtered.run() {
        Ok(written) => Ok(written.len() > found.len() && written.starts_with(&found)),
        // Its filter fails.
        Err(GitError::Failed { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn option(name: &str, path: &GitPath) -> std::ffi::OsString {
    let mut option = std::ffi::OsString::from(name);
    option.push(path.as_path());
    option
}

#[cfg(test)]
#[path = "interrupted_tests.rs"]
mod tests;
