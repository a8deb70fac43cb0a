//! Decides what snapshots must not contain.

use std::{
    fs::Metadata,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use super::{git::Git, place::NotCovered};
use crate::task::{OmissionReason, Place};

/// The maximum number of untracked files in a snapshot.
const MAX_UNTRACKED_FILES: u64 = 100_000;

/// The maximum size of all untracked files in a snapshot, in bytes: 1 GB.
const MAX_UNTRACKED_BYTES: u64 = 1_000_000_000;

/// The maximum size of a changed tracked file in a snapshot, in bytes: 1 GB.
pub(super) const MAX_TRACKED_BYTES: u64 = 1_000_000_000;

/// Endings of source files, whose names may begin like those of secrets: `id_map.rs`, `credentials_test.go`.
const SOURCES: [&str; 30] = [
    "adoc", "c", "cc", "cpp", "cs", "css", "ex", "go", "h", "hpp", "html", "java", "js", "jsx", "kt", "lua", "md",
    "mjs", "php", "pl", "py", "rb", "rs", "rst", "scala", "sh", "sql", "swift", "ts", "tsx",
];

/// Fails with [`NotCovered`] if snapshots of this place would contain too much: `/`, the home directory, or the data
/// directory unless git ignores it. `home` and `data_directory` are real paths.
pub fn check_place(git: &Git, place: &Place, home: Option<&Path>, data_directory: &Path) -> Result<(), NotCovered> {
    let top = || place.top.clone();
    if place.top.parent().is_none() {
        return Err(NotCovered::Root);
    }
    if home.is_some_and(|home| home.starts_with(&place.top)) {
        return Err(NotCovered::Home { top: top() });
    }
    let Ok(below) = data_directory.strip_prefix(&place.top) else { return Ok(()) };
    let is_in_git = data_directory.starts_with(&place.git_dir) || data_directory.starts_with(&place.common_dir);
    if is_in_git {
        return Ok(());
    }
    if below.as_os_str().is_empty() {
        return Err(NotCovered::DataDirectory { top: top() });
    }
    let question = git.command(["check-ignore", "-q", "-z", "--stdin"]).git_dir(&place.git_dir);
    // A pattern such as `data/` only matches a directory.
    let mut path = below.join("x").as_os_str().as_bytes().to_vec();
    path.push(0);
    let answer = question.work_tree(&place.top).env("GIT_LITERAL_PATHSPECS", "0").stdin(path).output()?;
    if answer.code == 0 { Ok(()) } else { Err(NotCovered::DataDirectory { top: top() }) }
}

/// Whether a file name suggests that the file contains secrets: `.env*`, `*.pem`, `id_*` and `credentials*`, except
/// source files with the last two. A file in a directory with such a name counts too (see [`is_secret_directory`]). Only
/// untracked files are judged.
pub(super) fn is_secret(path: &[u8]) -> bool {
    let path = path.to_ascii_lowercase();
    let mut names = path.rsplit(|byte| *byte == b'/');
    let name = names.next().unwrap_or_default();
    let extension = name.iter().rposition(|byte| *byte == b'.').map(|dot| &name[dot + 1..]);
    let is_source = extension.is_some_and(|extension| SOURCES.iter().any(|source| source.as_bytes() == extension));
    let is_named = name.starts_with(b"id_") || name.starts_with(b"credentials");
    let is_inside = !is_source && names.any(is_secret_directory);
    name.starts_with(b".env") || name.ends_with(b".pem") || is_named && !is_source || is_inside
}

/// Whether the name of a directory suggests that the files in it contain secrets, except source files: `.env`, `.envs`,
/// `.env.*` and `credentials`.
fn is_secret_directory(name: &[u8]) -> bool {
    [&b".env"[..], b".envs", b"credentials"].contains(&name) || name.starts_with(b".env.")
}

/// Whether so many untracked files, or so many bytes in them, are too much for a snapshot.
pub(super) fn is_too_much(files: u64, bytes: u64) -> bool {
    files > MAX_UNTRACKED_FILES || bytes > MAX_UNTRACKED_BYTES
}

/// Why a snapshot does not contain a file of this size and type, or `None` if it does. `limit` is in bytes.
pub(super) fn unfit(path: &Path, file: &Metadata, limit: u64) -> Option<OmissionReason> {
    if file.is_symlink() {
        return None;
    }
    if !file.is_file() {
        return Some(OmissionReason::Unreadable);
    }
    if file.size() > limit {
        return Some(OmissionReason::TooLarge { bytes: file.size() });
    }
    let is_readable = accessat(CWD, path, Access::READ_OK, AtFlags::EACCESS).is_ok();
    (!is_readable).then_some(OmissionReason::Unreadable)
}

#[cfg(test)]
#[path = "guards_tests.rs"]
mod tests;
