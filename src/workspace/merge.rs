//! Three-way merges of trees. They read only attributes of the work tree, and write nothing there.
//!
//! Of the attribute `merge`, only `-merge` and `merge=binary` are followed: such a file is in conflict if both sides
//! changed it. `merge=union` would resolve every conflict silently by keeping the lines of both sides, and an agent can set
//! it for all files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use super::{
    copying::copy_small,
    git_error::GitError,
    git_paths::nul_separated,
    git_version::GIT_FOR_MERGES,
    raw_diff::{differences, fields},
    restrict::parse_object,
    shadow::{Shadow, ShadowError},
};
use crate::task::{ConflictReason, FileConflict, GitPath, ObjectId};

/// The last line of the attributes for a merge, which takes precedence over all others.
const NO_MERGE_DRIVERS: &str = "\n* !merge\n";

/// The result of a merge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Merge {
    /// The merged tree. Files with conflicts contain markers.
    pub(super) tree: ObjectId,
    /// The files that could not be merged, in the order of their paths.
    pub(super) conflicts: Vec<FileConflict>,
}

/// Merges the changes from `base` to `theirs` into `ours`. All may be commits or trees, and their history has no
/// influence.
///
/// Fails with [`GitError::TooOld`] before git 2.38.
pub(super) fn merge(
    shadow: &Shadow,
    base: &ObjectId,
    ours: &ObjectId,
    theirs: &ObjectId,
) -> Result<Merge, ShadowError> {
    shadow.git().require(GIT_FOR_MERGES)?;
    // `--merge-base` needs git 2.40, so the base is the parent of two commits that only serve for this merge.
    let base = commit(shadow, base, &[], "base")?;
    let ours = commit(shadow, ours, &[&base], "ours")?;
    let theirs = commit(shadow, theirs, &[&base], "theirs")?;
    let dir = directory(shadow)?;
    let command = shadow.command(["merge-tree", "--write-tree", "-z", "--no-messages"]);
    let command = command.git_dir(dir.path()).env("GIT_OBJECT_DIRECTORY", shadow.dir().join("objects"));
    let output = command.args([ours.as_str(), theirs.as_str()]).output()?;
    let mut merge = match output.code {
        0 | 1 => parse(&output.stdout, &[ours.clone(), theirs.clone()])?,
        _ => return Err(output.success("merge-tree").err().unwrap_or_else(unexpected).into()),
    };
    let known: BTreeSet<_> = merge.conflicts.iter().map(|conflict| conflict.path.clone()).collect();
    let whole = merged_by_line(shadow, [&base, &ours, &theirs], &merge.tree)?;
    let whole = whole.into_iter().filter(|path| !known.contains(path));
    merge.conflicts.extend(whole.map(|path| FileConflict { path, reason: ConflictReason::Content }));
    merge.conflicts.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(merge)
}

/// A git directory in which no merge driver applies. It uses the objects of the shadow repository.
fn directory(shadow: &Shadow) -> Result<tempfile::TempDir, ShadowError> {
    let failed = |source| ShadowError::File { action: "write the git directory of a merge", source };
    let dir = tempfile::Builder::new().prefix("merge-").tempdir_in(shadow.dir()).map_err(failed)?;
    for name in ["objects", "refs", "info"] {
        fs::create_dir(dir.path().join(name)).map_err(failed)?;
    }
    for name in ["HEAD", "config", "info/attributes"] {
        copy_small(&shadow.dir().join(name), &dir.path().join(name)).map_err(failed)?;
    }
    let attributes = dir.path().join("info/attributes");
    let mut text = fs::read(&attributes).unwrap_or_default();
    text.extend_from_slice(NO_MERGE_DRIVERS.as_bytes());
    fs::write(&attributes, text).map_err(failed)?;
    Ok(dir)
}

/// The files that were merged line by line although their attributes forbid it.
fn merged_by_line(shadow: &Shadow, sides: [&ObjectId; 3], merged: &ObjectId) -> Result<BTreeSet<GitPath>, GitError> {
    let [base, ours, theirs] = sides;
    let taken: BTreeSet<_> =
        differences(shadow, base, theirs)?.into_values().filter_map(|change| Some(change.new?.object)).collect();
    let changed = differences(shadow, ours, merged)?;
    let is_merged = |object: &ObjectId| !taken.contains(object);
    let paths = changed.iter().filter(|(_, change)| change.new.as_ref().is_some_and(|new| is_merged(&new.object)));
    let paths: Vec<Vec<u8>> = paths.map(|(path, _)| path.as_bytes().to_vec()).collect();
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    let answer = shadow.command(["check-attr", "-z", "--stdin", "merge"]).stdin(nul_separated(&paths)).run()?;
    let mut parts = answer.split(|byte| *byte == 0);
    let mut found = BTreeSet::new();
    while let (Some(path), Some(_), Some(value)) = (parts.next(), parts.next(), parts.next()) {
        if matches!(value, b"unset" | b"binary") {
            found.insert(GitPath::from_bytes(path));
        }
    }
    Ok(found)
}

/// Creates a commit of a tree, or of another commit's tree.
pub(super) fn commit(
    shadow: &Shadow,
    tree: &ObjectId,
    parents: &[&ObjectId],
    message: &str,
) -> Result<ObjectId, GitError> {
    let parents = parents.iter().flat_map(|parent| ["-p", parent.as_str()]);
    let command = shadow.object_command(["commit-tree"]).arg(format!("{tree}^{{tree}}")).args(parents);
    parse_object(&command.stdin(message).run()?, "commit-tree")
}

fn unexpected() -> GitError {
    GitError::Unexpected { command: "merge-tree".into() }
}

/// Parses the merged tree and, for each version of a file with conflicts, `<mode> <object> <stage>\t<path>`.
fn parse(output: &[u8], sides: &[ObjectId]) -> Result<Merge, GitError> {
    let mut fields = fields(output);
    let tree = parse_object(fields.next().unwrap_or_default(), "merge-tree")?;
    let mut stages: BTreeMap<GitPath, Vec<u8>> = BTreeMap::new();
    for field in fields.take_while(|field| !field.is_empty()) {
        let tab = field.iter().position(|byte| *byte == b'\t').filter(|tab| *tab > 0).ok_or_else(unexpected)?;
        let path = GitPath::from_bytes(without_side(&field[tab + 1..], sides));
        stages.entry(path).or_default().push(field[tab - 1]);
    }
    let conflicts = stages.into_iter().map(|(path, stages)| FileConflict { path, reason: reason(&stages) }).collect();
    Ok(Merge { tree, conflicts })
}

/// The path of a file that git moved to `<path>~<commit>`, because the other side has a directory there.
fn without_side<'a>(path: &'a [u8], sides: &[ObjectId]) -> &'a [u8] {
    let suffix = |side: &ObjectId| path.strip_suffix(side.as_str().as_bytes())?.strip_suffix(b"~");
    sides.iter().find_map(suffix).unwrap_or(path)
}

/// Both sides have the file, or only one has.
fn reason(stages: &[u8]) -> ConflictReason {
    if stages.contains(&b'2') && stages.contains(&b'3') { ConflictReason::Content } else { ConflictReason::Removed }
}

#[cfg(test)]
#[path = "merge_tests.rs"]
mod tests;
