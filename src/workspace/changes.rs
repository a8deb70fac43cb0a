//! Which files differ between two snapshots.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    git_error::GitError,
    raw_diff::{Header, fields},
    shadow::Shadow,
};
use crate::task::{ChangeKind, ChangedPath, Changes, GitPath, MAX_LISTED_PATHS, ObjectId, Omission};

/// The files that differ between two commits or trees, in the order of their paths. A renamed file counts once.
///
/// `named` contains the files that the agent's events name; without it, every file counts as named, as in the task's own
/// worktree. A renamed file is named if both its paths are.
pub fn changed_paths(
    shadow: &Shadow,
    base: &ObjectId,
    head: &ObjectId,
    named: Option<&[GitPath]>,
) -> Result<Vec<ChangedPath>, GitError> {
    let command = shadow.object_command(["diff-tree", "-r", "-z", "--raw", "--numstat", "-M", "--full-index"]);
    let output = command.args([base.as_str(), head.as_str()]).run()?;
    let mut changed = parse(&output).ok_or(GitError::Unexpected { command: "diff-tree".into() })?;
    mark_named(&mut changed, named);
    changed.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(changed)
}

/// Sets `is_named` of each file; see [`changed_paths`].
pub(super) fn mark_named(changed: &mut [ChangedPath], named: Option<&[GitPath]>) {
    let named: Option<BTreeSet<&GitPath>> = named.map(|named| named.iter().collect());
    let is_named = |path: &GitPath| named.as_ref().is_none_or(|named| named.contains(path));
    for file in changed {
        let is_file_named = file.both_paths().all(is_named);
        file.is_named = is_file_named;
    }
}

/// The summary of `changed`, the difference between the snapshots `base` and `head`. `omitted` lists the files that they
/// do not contain.
pub fn summarize(base: ObjectId, head: ObjectId, changed: &[ChangedPath], omitted: &[Omission]) -> Changes {
    let lines = |count: fn(&ChangedPath) -> Option<u64>| changed.iter().filter_map(count).sum();
    let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    Changes {
        base,
        head,
        files: number(changed.len()),
        added: lines(|file| file.added),
        removed: lines(|file| file.removed),
        paths: changed.iter().take(MAX_LISTED_PATHS).cloned().collect(),
        unnamed: number(changed.iter().filter(|file| !file.is_named).count()),
        omitted: omitted.iter().take(MAX_LISTED_PATHS).cloned().collect(),
        omitted_files: number(omitted.len()),
        omitted_named: 0,
    }
}

/// Parses raw entries followed by numbers of lines, both with `-z`.
fn parse(output: &[u8]) -> Option<Vec<ChangedPath>> {
    let mut fields = fields(output).peekable();
    let mut changed = BTreeMap::new();
    while let Some(header) = fields.next_if(|field| field.starts_with(b":")) {
        let header = Header::parse(header)?;
        let mut path = || fields.next().map(GitPath::from_bytes);
        let (old_path, path) = match header.status {
            b'R' => (Some(path()?), path()?),
            _ => (None, path()?),
        };
        let kind = kind(&header)?;
        let file = ChangedPath { path: path.clone(), old_path, kind, added: None, removed: None, is_named: false };
        changed.insert(path, file);
    }
    while let Some(numbers) = fields.next() {
        let words: Vec<_> = numbers.splitn(3, |byte| *byte == b'\t').collect();
        let [added, removed, path] = words[..] else { return None };
        let path = match path {
            // A renamed file: the old and the new path follow.
            b"" => fields.nth(1)?,
            path => path,
        };
        let file = changed.get_mut(&GitPath::from_bytes(path))?;
        (file.added, file.removed) = (number(added)?, number(removed)?);
    }
    Some(changed.into_values().collect())
}

/// A number of lines. `Some(None)` for a binary file.
fn number(word: &[u8]) -> Option<Option<u64>> {
    match word {
        b"-" => Some(None),
        word => str::from_utf8(word).ok()?.parse().ok().map(Some),
    }
}

fn kind(header: &Header) -> Option<ChangeKind> {
    Some(match (header.status, &header.old, &header.new) {
        (b'R', ..) => ChangeKind::Renamed,
        (b'A', ..) => ChangeKind::Added,
        (b'D', ..) => ChangeKind::Deleted,
        (b'T', ..) => ChangeKind::Type,
        (b'M', Some(old), Some(new)) if old.object == new.object => ChangeKind::Mode,
        (b'M', ..) => ChangeKind::Modified,
        _ => return None,
    })
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
