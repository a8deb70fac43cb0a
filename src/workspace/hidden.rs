//! Files whose changes the user hides from git: with `git update-index --assume-unchanged` or `--skip-worktree`.
//!
//! A snapshot contains such files as they are, because an agent changes them like any other. So the marks are removed from
//! the shadow's index. Files that a sparse checkout leaves out have the second mark too, and do not exist.

use std::{collections::BTreeSet, path::Path};

use super::{
    git_error::GitError,
    git_paths::{as_path, nul_separated},
    permissions::{NarrowModes, narrow_modes},
    shadow::Shadow,
};

/// The files that have a mark, from the output of `git ls-files -v -z`.
#[derive(Debug, Default, PartialEq, Eq)]
struct Hidden {
    assumed_unchanged: BTreeSet<Vec<u8>>,
    skipped: BTreeSet<Vec<u8>>,
}

impl Hidden {
    /// `exists` is only asked for files that are skipped.
    fn parse(output: &[u8], exists: impl Fn(&[u8]) -> bool) -> Self {
        let mut hidden = Self::default();
        for entry in output.split(|byte| *byte == 0) {
            let [tag, b' ', path @ ..] = entry else { continue };
            if tag.is_ascii_lowercase() {
                hidden.assumed_unchanged.insert(path.to_vec());
            }
            if tag.eq_ignore_ascii_case(&b'S') && exists(path) {
                hidden.skipped.insert(path.to_vec());
            }
        }
        hidden
    }
}

/// The result of [`reveal_hidden`].
#[derive(Debug, Default)]
pub(super) struct Revealed {
    /// Whether there were any.
    pub(super) is_changed: bool,
    /// Whether the sparse checkout leaves out files. The agent can create them.
    pub(super) is_sparse: bool,
    /// The narrow permissions of tracked files. Only read at the first of the snapshots that are compared.
    pub(super) modes: NarrowModes,
}

/// Removes the marks of existing files from the shadow's index.
pub(super) fn reveal_hidden(shadow: &Shadow) -> Result<Revealed, GitError> {
    let listed = shadow.command(["ls-files", "-v", "-z"]).run()?;
    let top: &Path = &shadow.place().top;
    let hidden = Hidden::parse(&listed, |path| top.join(as_path(path)).symlink_metadata().is_ok());
    let Hidden { assumed_unchanged, skipped } = &hidden;
    for (option, paths) in [("--no-assume-unchanged", assumed_unchanged), ("--no-skip-worktree", skipped)] {
        if !paths.is_empty() {
            shadow.command(["update-index", option, "-z", "--stdin"]).stdin(nul_separated(paths)).run()?;
        }
    }
    let paths = listed.split(|byte| *byte == 0).filter_map(|entry| entry.get(2..));
    let modes = if shadow.earlier.exists { NarrowModes::new() } else { narrow_modes(top, paths) };
    let mut tags = listed.split(|byte| *byte == 0).filter_map(|entry| entry.first());
    let is_sparse = tags.any(|tag| tag.eq_ignore_ascii_case(&b'S'));
    Ok(Revealed { is_changed: hidden != Hidden::default(), is_sparse, modes })
}
