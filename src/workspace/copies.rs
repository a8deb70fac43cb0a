//! Leaves out copies of the ignored files that were copied into a worktree.
//!
//! Such files, for example `.env`, must not get into the repository. If an agent renames or copies one of them, its path is
//! new, but its content is known.

use std::{collections::BTreeSet, os::unix::ffi::OsStrExt, path::Path};

use super::{
    candidates::Candidates,
    git_error::GitError,
    git_paths::as_path,
    shadow::{Shadow, ShadowError},
};
use crate::task::{GitPath, ObjectId, OmissionReason};

/// The content of the files `copied` in the worktree `tree`, as object IDs. Nothing is stored. Empty files are left out.
pub(super) fn content_of_copied(shadow: &Shadow, tree: &Path, copied: &[GitPath]) -> Result<Vec<ObjectId>, GitError> {
    let paths: BTreeSet<Vec<u8>> = copied.iter().map(|path| path.as_bytes().to_vec()).collect();
    let content: BTreeSet<_> = content(shadow, tree, &paths)?.into_iter().map(|(_, content)| content).collect();
    Ok(content.into_iter().collect())
}

/// Omits new files with the content of a file that was copied into the worktree.
pub(super) fn omit_copies(shadow: &Shadow, candidates: &mut Candidates) -> Result<(), ShadowError> {
    if shadow.copied_content.is_empty() || candidates.untracked.is_empty() {
        return Ok(());
    }
    let content = content(shadow, &shadow.place().top, &candidates.untracked)?;
    let copies = content.into_iter().filter(|(_, content)| shadow.copied_content.contains(content));
    let copies: Vec<Vec<u8>> = copies.map(|(path, _)| path.to_vec()).collect();
    for path in copies {
        candidates.omit(&path, OmissionReason::WasIgnored);
    }
    Ok(())
}

/// The content of these regular files below `top`, without empty ones, and those whose names contain a line break or begin
/// with a quotation mark, which git cannot read from a list.
fn content<'p>(
    shadow: &Shadow,
    top: &Path,
    paths: &'p BTreeSet<Vec<u8>>,
) -> Result<Vec<(&'p [u8], ObjectId)>, GitError> {
    let is_usable = |path: &&Vec<u8>| {
        let found = top.join(as_path(path)).symlink_metadata();
        !path.contains(&b'\n') && found.is_ok_and(|found| found.is_file() && found.len() > 0)
    };
    let paths: Vec<&Vec<u8>> = paths.iter().filter(is_usable).collect();
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let lines: Vec<u8> =
        paths.iter().flat_map(|path| [top.as_os_str().as_bytes(), b"/", path, b"\n"].concat()).collect();
    let printed = shadow.object_command(["hash-object", "--no-filters", "--stdin-paths"]).stdin(lines).run()?;
    let ids = printed.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok()?.parse().ok());
    Ok(paths.into_iter().map(Vec::as_slice).zip(ids).collect())
}
