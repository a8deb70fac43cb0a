//! Removes worktrees.
//!
//! A worktree is removed only if everything in it is kept elsewhere: it is the same as its last snapshot, and nothing
//! that the snapshot leaves out was added. Ignored files, such as the results of a build, do not count.
//!
//! Git is not asked to remove it, because `git worktree remove` runs `git status` in the worktree, and with it whatever
//! the agent wrote into its configuration. The directory is renamed first, so an interrupted removal differs from a
//! worktree whose files somebody deleted.

use std::{
    ffi::OsStr,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use super::{
    beneath::remove_all,
    git_error::GitError,
    place,
    rest::{Removal, Rest, keep_rest},
    shadow::Shadow,
    snapshot::{Snapshot, SnapshotError},
    tree_content::parent_of_snapshot,
    tree_error::TreeError,
    tree_files::{LOCK_PREFIX, MAKING, REMOVING, registrations},
    tree_submodules::{changed_submodule, submodules_in},
};
use crate::{
    store::repository_key,
    task::{GitPath, ObjectId, Omission, OmissionReason},
};

/// The name that its registration in the repository gets while it is removed.
const REGISTRATION: &str = ".registration";

/// Files in a worktree's git directory that exist during a merge, a rebase or a similar command.
const IN_PROGRESS: [&str; 7] =
    ["MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "BISECT_LOG", "rebase-merge", "rebase-apply", "sequencer"];

/// Why a worktree is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhyKept {
    /// Its task is running.
    Running,
    /// Processes that its task's agent left behind are running, and may use it.
    InUse,
    /// Its files or its HEAD differ from the last snapshot.
    Newer,
    /// It contains files that no snapshot contains, such as this one.
    NotCovered(GitPath),
    /// A merge, rebase or similar operation has begun in it.
    InProgress,
    /// Its index, or a ref that only it has, cannot be kept by a commit.
    Unmerged,
    /// It contains a repository with changes, such as a submodule.
    Repository(GitPath),
    /// Somebody renamed or moved it to this path.
    Moved(PathBuf),
    /// As at the last examination, a short time ago. The reason is a sentence for people.
    Examined(String),
    /// It could not be examined. The reason is a sentence for people.
    Unknown(String),
}

/// A sentence for people, without a full stop. It can contain a path.
impl fmt::Display for WhyKept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = |path: &GitPath| path.as_path().display().to_string();
        match self {
            Self::Running => f.write_str("its task is running"),
            Self::InUse => f.write_str("processes that its agent left behind are running"),
            Self::Newer => f.write_str("it contains changes that were made after the task"),
            Self::NotCovered(file) => write!(f, "no snapshot contains its file {}", path(file)),
            Self::InProgress => f.write_str("a merge, rebase or similar operation has begun in it"),
            Self::Unmerged => {
                f.write_str("it has staged files with conflicts, or a ref to something other than a commit")
            }
            Self::Repository(repository) => write!(f, "the repository {} in it has changes", path(repository)),
            Self::Moved(path) => write!(f, "it was moved to {}", path.display()),
            Self::Examined(why) | Self::Unknown(why) => f.write_str(why),
        }
    }
}

/// Removes a worktree if it is the same as the snapshot after its task. Otherwise returns why it is kept. Commits and
/// staged files that only the worktree has are kept by a ref.
///
/// `shadow` is a shadow repository of the worktree.
pub fn remove_if_unchanged(shadow: &mut Shadow, removal: &Removal<'_>) -> Result<Option<WhyKept>, TreeError> {
    if let Some(why) = why_kept(shadow, removal)? {
        return Ok(Some(why));
    }
    let place = shadow.place();
    delete(&place.top, &place.common_dir)?;
    Ok(None)
}

/// Takes a snapshot of a worktree. Its parents are the commit that is checked out there, so that the agent's commits are
/// kept, and `before`.
pub(super) fn snapshot_of_worktree(
    shadow: &mut Shadow,
    message: &str,
    before: &ObjectId,
) -> Result<Snapshot, SnapshotError> {
    let head = match place::head(shadow.git(), shadow.place()) {
        Ok(head) => head.commit.filter(|commit| commit != before),
        // The agent broke HEAD.
        Err(GitError::Failed { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let parents: Vec<ObjectId> = head.into_iter().chain([before.clone()]).collect();
    shadow.snapshot(message, Some(&parents))
}

fn why_kept(shadow: &mut Shadow, removal: &Removal<'_>) -> Result<Option<WhyKept>, TreeError> {
    let Removal { after, omitted, .. } = *removal;
    let git_dir = &shadow.place().git_dir;
    if IN_PROGRESS.iter().any(|name| git_dir.join(name).symlink_metadata().is_ok()) {
        return Ok(Some(WhyKept::InProgress));
    }
    let now = shadow.snapshot("codex-connector: worktree", None)?;
    let tree = shadow.object_command(["rev-parse", "--verify", &format!("{after}^{{tree}}")]).run()?;
    let head = parent_of_snapshot(shadow, after)?.unwrap_or_else(|| after.clone());
    if tree.trim_ascii_end() != now.tree.as_str().as_bytes() || now.head != Some(head) {
        return Ok(Some(WhyKept::Newer));
    }
    let submodules = submodules_in(shadow, after)?;
    let is_new = |omission: &&Omission| {
        let is_submodule = || submodules.iter().any(|(path, _)| *path == omission.path);
        let is_known = omitted.iter().any(|old| old.path == omission.path);
        !(is_known || omission.reason == OmissionReason::NestedRepository && is_submodule())
    };
    if let Some(omission) = now.omitted.iter().find(is_new) {
        return Ok(Some(WhyKept::NotCovered(omission.path.clone())));
    }
    let temp = shadow.dir().join("submodules");
    fs::create_dir_all(&temp).map_err(TreeError::file("create", &temp))?;
    if let Some(submodule) = changed_submodule(shadow, &submodules, &temp)? {
        return Ok(Some(WhyKept::Repository(submodule)));
    }
    let head = place::head(shadow.git(), shadow.place())?;
    Ok((keep_rest(shadow, removal, &head)? == Rest::Lost).then_some(WhyKept::Unmerged))
}

/// Allows git and its user to remove the worktree of a task that no longer runs. Succeeds if it is not locked.
pub(super) fn unlock(worktree: &Path, git_dir: &Path, common_dir: &Path) -> io::Result<()> {
    // Somebody may have moved it, so that the registration has another path.
    let own = git_dir.parent().filter(|parent| **parent == common_dir.join("worktrees")).map(|_| git_dir.to_owned());
    for registration in registrations(worktree, common_dir).into_iter().chain(own) {
        let lock = registration.join("locked");
        // A lock with another reason is the user's.
        if fs::read(&lock).is_ok_and(|reason| reason.starts_with(LOCK_PREFIX.as_bytes())) {
            fs::remove_file(&lock)?;
        }
    }
    Ok(())
}

/// Removes a worktree with everything in it, its registration in the repository, and the directories above it if they
/// are empty. Completes a removal that was interrupted. Succeeds if nothing is left.
pub(super) fn delete(worktree: &Path, common_dir: &Path) -> Result<(), TreeError> {
    let dir = worktree.parent().filter(|dir| is_below(dir, common_dir));
    let dir = dir.ok_or_else(|| TreeError::file("remove", worktree)(io::ErrorKind::InvalidInput.into()))?;
    let trash = dir.join(REMOVING);
    remove_all(&trash).map_err(TreeError::file("remove", &trash))?;
    match fs::rename(worktree, &trash) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed.map_err(TreeError::file("remove", worktree))?,
    }
    remove_all(&trash).map_err(TreeError::file("remove", &trash))?;
    let trash = dir.join(REGISTRATION);
    remove_all(&trash).map_err(TreeError::file("remove", &trash))?;
    for registration in registrations(worktree, common_dir) {
        // At once: another git fails if it finds an incomplete registration.
        let removed = match fs::rename(&registration, &trash) {
            Ok(()) => remove_all(&trash),
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => remove_all(&registration),
            Err(error) => Err(error),
        };
        removed.map_err(TreeError::file("remove", &registration))?;
    }
    let mark = dir.join(MAKING);
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(TreeError::file("remove", &mark)(error)),
        Ok(()) | Err(_) => {}
    }
    let _ = fs::remove_dir(dir);
    let _ = dir.parent().map(fs::remove_dir);
    Ok(())
}

/// Whether `dir` is the directory of one task for worktrees of this repository, so that everything in it is ours.
fn is_below(dir: &Path, common_dir: &Path) -> bool {
    dir.parent().and_then(Path::file_name).is_some_and(|name| name == OsStr::new(&repository_key(common_dir)))
}
