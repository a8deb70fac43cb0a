//! The difference between two snapshots as text.

use std::io::{self, Write};

use super::{
    git_error::GitError,
    restrict::restrict,
    shadow::{Shadow, ShadowError},
};
use crate::task::{GitPath, ObjectId};

/// The form of a difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchForm {
    /// A patch for `git apply`, with binary files.
    Patch,
    /// A patch for people, in which binary files are only named.
    Text,
    /// A line for each file with the number of changed lines, and a line for all.
    Stat,
    /// A line for each file with its path, quoted like git does.
    Names,
}

/// A difference to show.
#[derive(Debug, Clone, Copy)]
pub struct PatchRequest<'a> {
    /// The commit or tree before.
    pub base: &'a ObjectId,
    /// The commit or tree afterwards.
    pub head: &'a ObjectId,
    /// Files or directories, relative to the top; all if empty. To see a rename as such, name both paths.
    pub paths: &'a [GitPath],
    /// The form.
    pub form: PatchForm,
}

/// The beginning of a difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundedPatch {
    /// Whole lines. Untrusted, and not always UTF-8.
    pub bytes: Vec<u8>,
    /// Whether more lines follow.
    pub is_cut: bool,
}

/// Writes a difference to `out` as git produces it. Runs no program of the project, such as a text converter.
pub fn write_patch(shadow: &Shadow, request: PatchRequest<'_>, out: &mut dyn Write) -> Result<(), GitError> {
    let form: &[&str] = match request.form {
        PatchForm::Patch => &["--patch", "--binary", "--full-index"],
        PatchForm::Text => &["--patch"],
        PatchForm::Stat => &["--stat", "--summary"],
        PatchForm::Names => &["--name-only"],
    };
    let command = shadow.object_command(["diff-tree", "-r", "-M", "--no-ext-diff", "--no-textconv", "--no-color"]);
    let command = command.args(["--src-prefix=a/", "--dst-prefix=b/"]).args(form);
    let command = command.args([request.base.as_str(), request.head.as_str(), "--"]);
    command.args(request.paths.iter().map(|path| path.as_path())).stream(out)
}

/// The beginning of a difference: whole lines with at most `max_bytes` together.
pub fn bounded_patch(shadow: &Shadow, request: PatchRequest<'_>, max_bytes: usize) -> Result<BoundedPatch, GitError> {
    let mut kept = FirstBytes { bytes: Vec::new(), max_bytes, is_full: false };
    match write_patch(shadow, request, &mut kept) {
        Err(_) if kept.is_full => {}
        written => written?,
    }
    let FirstBytes { mut bytes, is_full, .. } = kept;
    if is_full {
        let end = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        bytes.truncate(end);
    }
    Ok(BoundedPatch { bytes, is_cut: is_full })
}

/// `head` without the changes of `hidden` files, as a tree: it contains them as in `base`. A file that was copied into a
/// worktree because of `.worktreeinclude` is hidden.
pub fn hide_paths(
    shadow: &Shadow,
    base: &ObjectId,
    head: &ObjectId,
    hidden: &[GitPath],
) -> Result<ObjectId, ShadowError> {
    match hidden {
        [] => Ok(head.clone()),
        hidden => restrict(shadow, head, base, |path| hidden.binary_search(path).is_ok() || hidden.contains(path)),
    }
}

/// Keeps the first bytes, and fails as soon as there are more.
struct FirstBytes {
    bytes: Vec<u8>,
    max_bytes: usize,
    is_full: bool,
}

impl Write for FirstBytes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.max_bytes - self.bytes.len();
        self.bytes.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.is_full |= bytes.len() > room;
        if self.is_full { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "patch_tests.rs"]
mod tests;
