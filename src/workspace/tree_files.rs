//! The files that describe a worktree: its mark while it is made, its lock, and its registration in the repository.

use std::{
    ffi::OsStr,
    fs,
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use crate::task::{ProcessIdentity, TaskId};

/// The name of the file that marks a worktree that no workspace file names yet.
pub(super) const MAKING: &str = ".making";

/// The name that a worktree gets while it is removed.
pub(super) const REMOVING: &str = ".removing";

/// Marks a worktree as unfinished. The mark is locked until the returned file is dropped.
pub(super) fn write_mark(mark: &Path, common_dir: &Path, worktree: &Path) -> io::Result<fs::File> {
    let mut file = fs::File::create_new(mark)?;
    file.lock()?;
    file.write_all(&[common_dir.as_os_str().as_bytes(), b"\0", worktree.as_os_str().as_bytes()].concat())?;
    Ok(file)
}

/// The common directory of the repository, and the path of the worktree, from the mark of an unfinished worktree.
pub(super) fn read_mark(mark: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let content = fs::read(mark)?;
    let mut paths = content.split(|byte| *byte == 0).map(|path| PathBuf::from(OsStr::from_bytes(path)));
    match (paths.next(), paths.next()) {
        (Some(common_dir), Some(worktree)) => Ok((common_dir, worktree)),
        (None, _) | (_, None) => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The beginning of the reason for which our worktrees are locked. The task's ID follows.
pub(super) const LOCK_PREFIX: &str = "codex-connector ";

/// The content of the file that locks a worktree.
pub(super) fn lock_reason(task: &TaskId, supervisor: Option<&ProcessIdentity>) -> String {
    let process = supervisor.map(|process| format!(" pid {} start {}", process.pid, process.start_time));
    format!("{LOCK_PREFIX}{task}{}\n", process.unwrap_or_default())
}

/// The git directory that the file `.git` of a worktree names.
pub(super) fn git_dir_of(tree: &Path) -> io::Result<PathBuf> {
    let content = fs::read(tree.join(".git"))?;
    let path = content.strip_prefix(b"gitdir: ").map(<[u8]>::trim_ascii_end);
    let path = path.ok_or(io::ErrorKind::InvalidData)?;
    tree.join(OsStr::from_bytes(path)).canonicalize()
}

/// The new path of a worktree that somebody renamed or moved; `None` if it is at its path, or nobody knows where it is.
///
/// After `git worktree move` or `repair`, the registration has the new path. After a mere renaming, the worktree is found
/// next to its old path.
pub(super) fn moved_to(worktree: &Path, git_dir: &Path) -> Option<PathBuf> {
    if is_worktree_of(worktree, git_dir) {
        return None;
    }
    let named = fs::read(git_dir.join("gitdir")).ok();
    let named = named.map(|named| PathBuf::from(OsStr::from_bytes(named.trim_ascii_end())));
    let named = named.and_then(|named| named.parent().map(Path::to_owned));
    let beside = fs::read_dir(worktree.parent()?).into_iter().flatten().flatten().map(|entry| entry.path());
    let is_other = |path: &PathBuf| path != worktree && path.file_name() != Some(REMOVING.as_ref());
    named.into_iter().chain(beside).filter(is_other).find(|path| is_worktree_of(path, git_dir))
}

/// Whether there is a directory, and not a symbolic link to one.
pub(super) fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|found| found.is_dir())
}

/// Whether there is a directory, and not a symbolic link, with the worktree that has this git directory.
fn is_worktree_of(path: &Path, git_dir: &Path) -> bool {
    let is_file = path.join(".git").symlink_metadata().is_ok_and(|found| found.is_file());
    is_directory(path)
        && is_file
        && git_dir_of(path).is_ok_and(|found| git_dir.canonicalize().is_ok_and(|git_dir| found == git_dir))
}

/// The directories in the repository that register this worktree. One that git was just creating when it was killed has
/// no path yet, but is locked with the ID of the task.
pub(super) fn registrations(worktree: &Path, common_dir: &Path) -> Vec<PathBuf> {
    let names = |registration: &PathBuf| {
        let Ok(named) = fs::read(registration.join("gitdir")) else {
            let reason = fs::read(registration.join("locked")).unwrap_or_default();
            let task = worktree.parent().and_then(Path::file_name).map(OsStr::as_bytes).unwrap_or_default();
            return reason.strip_prefix(LOCK_PREFIX.as_bytes()).is_some_and(|rest| rest.starts_with(task));
        };
        Path::new(OsStr::from_bytes(named.trim_ascii_end())) == worktree.join(".git")
    };
    let all = fs::read_dir(common_dir.join("worktrees")).into_iter().flatten().flatten();
    let own = all.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    own.map(|entry| entry.path()).filter(names).collect()
}
