//! A tree that takes some paths from another one.

use super::{
    git_error::GitError,
    raw_diff::{Difference, Mode, differences},
    shadow::{Shadow, ShadowError},
};
use crate::task::{GitPath, ObjectId};

/// The tree `ours` with the content of `theirs` at the selected paths. Both may be commits.
///
/// Submodules and nested repositories stay as in `ours`, because snapshots do not cover their content.
pub(super) fn restrict(
    shadow: &Shadow,
    ours: &ObjectId,
    theirs: &ObjectId,
    is_selected: impl Fn(&GitPath) -> bool,
) -> Result<ObjectId, ShadowError> {
    let mut changed = differences(shadow, ours, theirs)?;
    changed.retain(|path, change| is_selected(path) && !has_repository(change));
    let index = tempfile::Builder::new().prefix("restrict-").tempdir_in(shadow.dir());
    let index = index.map_err(|source| ShadowError::File { action: "create a temporary index", source })?;
    let command = |args: &[&str]| shadow.object_command(args.iter().copied()).index(&index.path().join("index"));
    command(&["read-tree", ours.as_str()]).run()?;
    if !changed.is_empty() {
        command(&["update-index", "-z", "--index-info"]).stdin(index_info(ours, &changed)).run()?;
    }
    let tree = command(&["write-tree", "--missing-ok"]).run()?;
    Ok(parse_object(&tree, "write-tree")?)
}

/// The selected paths that [`restrict`] cannot take from `theirs`: there is a file at a directory of the path, or a
/// directory at the path itself, whose removal is not selected.
pub(super) fn blocked_paths(
    shadow: &Shadow,
    ours: &ObjectId,
    theirs: &ObjectId,
    is_selected: impl Fn(&GitPath) -> bool,
) -> Result<Vec<GitPath>, GitError> {
    let changed = differences(shadow, ours, theirs)?;
    let stays = |path: &GitPath| !is_selected(path) && changed.get(path).is_some_and(|change| change.old.is_some());
    let is_blocked = |path: &GitPath| {
        let below = GitPath::from_bytes([path.as_bytes(), b"/"].concat());
        let below =
            changed.range(below.clone()..).take_while(|(path, _)| path.as_bytes().starts_with(below.as_bytes()));
        let mut above = path.as_path().ancestors().skip(1).map(GitPath::from);
        below.map(|(path, _)| path).any(stays) || above.any(|path| stays(&path))
    };
    let added = changed.iter().filter(|(path, change)| change.new.is_some() && is_selected(path));
    Ok(added.map(|(path, _)| path).filter(|path| is_blocked(path)).cloned().collect())
}

/// The tree without files.
pub(super) fn empty_tree(shadow: &Shadow) -> Result<ObjectId, GitError> {
    parse_object(&shadow.object_command(["mktree"]).run()?, "mktree")
}

fn has_repository(change: &Difference) -> bool {
    [&change.old, &change.new].into_iter().flatten().any(|content| content.mode == Mode::Repository)
}

/// The input of `update-index --index-info`. Removed paths come first: a file may be replaced by a directory.
fn index_info<'a>(ours: &ObjectId, changed: impl IntoIterator<Item = (&'a GitPath, &'a Difference)>) -> Vec<u8> {
    let nothing = "0".repeat(ours.as_str().len());
    let (mut removed, mut added) = (Vec::new(), Vec::new());
    for (path, change) in changed {
        let (lines, mode, object) = match &change.new {
            None => (&mut removed, "0", nothing.as_str()),
            Some(content) => (&mut added, content.mode.digits(), content.object.as_str()),
        };
        lines.extend_from_slice(format!("{mode} {object}\t").as_bytes());
        lines.extend_from_slice(path.as_bytes());
        lines.push(0);
    }
    removed.append(&mut added);
    removed
}

/// The name of an object that a command printed.
pub(super) fn parse_object(output: &[u8], command: &'static str) -> Result<ObjectId, GitError> {
    let text = str::from_utf8(output).unwrap_or_default();
    text.trim_end().parse().map_err(|_| GitError::Unexpected { command: command.into() })
}
