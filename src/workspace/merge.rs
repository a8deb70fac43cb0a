//! Three-way merges of trees. They neither read nor write files of a work tree.

use std::collections::BTreeMap;

use super::{
    git_error::GitError, git_version::GIT_FOR_MERGES, raw_diff::fields, restrict::parse_object, shadow::Shadow,
};
use crate::task::{ConflictReason, FileConflict, GitPath, ObjectId};

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
pub(super) fn merge(shadow: &Shadow, base: &ObjectId, ours: &ObjectId, theirs: &ObjectId) -> Result<Merge, GitError> {
    shadow.git().require(GIT_FOR_MERGES)?;
    // `--merge-base` needs git 2.40, so the base is the parent of two commits that only serve for this merge.
    let base = commit(shadow, base, &[], "base")?;
    let ours = commit(shadow, ours, &[&base], "ours")?;
    let theirs = commit(shadow, theirs, &[&base], "theirs")?;
    // With the work tree, for the attributes of its files: some files must not be merged line by line.
    let command = shadow.command(["merge-tree", "--write-tree", "-z", "--no-messages"]);
    let output = command.args([ours.as_str(), theirs.as_str()]).output()?;
    match output.code {
        0 | 1 => parse(&output.stdout, &[ours, theirs]),
        _ => Err(output.success("merge-tree").err().unwrap_or_else(unexpected)),
    }
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
