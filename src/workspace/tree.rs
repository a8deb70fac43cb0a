//! Makes a worktree for one task.
//!
//! A worktree begins with what the user sees: its files are those of the snapshot, its HEAD is the user's commit
//! (detached), and its index has the user's staged content. So `git status` prints the same in both. It belongs to the
//! user's repository, which gets one directory `worktrees/<name>` for it, locked so that git does not remove it.
//! If a resumed session gets a new worktree, it is at the path of the earlier one, below the earlier task's ID.
//!
//! ```text
//! <trees_dir>/<repository key>/<task>/            0700
//!   ├── .making                                   exists until the task's workspace file names the worktree
//!   └── <name of the repository's directory>/     the worktree
//! ```
//!
//! No hook runs, and filters run only as the frozen settings say. Git LFS files are copied from the user's work tree
//! instead of being downloaded.

use std::{
    ffi::OsStr,
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use super::{
    beneath::Below,
    copies::content_of_copied,
    git_error::GitError,
    git_version::GitVersion,
    locking::lock_within,
    shadow::Shadow,
    tree_content::{Extras, TreeContent, TreeStart},
    tree_error::TreeError,
    tree_files::{MAKING, git_dir_of, lock_reason, write_mark},
    tree_removal::delete,
};
use crate::{
    process::Deadline,
    store::{RepositoryLock, RepositoryLocking, Workspaces, repository_key},
    task::{ObjectId, Omission, Place, ProcessIdentity, TaskId, Worktree},
};

/// The name of a worktree if the repository's directory has none.
const DEFAULT_NAME: &str = "tree";

/// How often a step is tried that another process can disturb, and the pause in between.
const MAX_ATTEMPTS: usize = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// How long to wait for another process that works on the repository.
const LOCK_TIMEOUT: Duration = Duration::from_secs(20);

/// The first version of git that accepts a reason for the lock of a new worktree.
const GIT_FOR_LOCK_REASON: GitVersion = GitVersion(2, 34);

/// A request for a worktree.
#[derive(Debug, Clone, Copy)]
pub struct TreeRequest<'a> {
    /// The task.
    pub task: &'a TaskId,
    /// The supervisor of the task.
    pub supervisor: Option<&'a ProcessIdentity>,
    /// The shadow repository of the user's work tree.
    pub source: &'a Shadow,
    /// The files that the worktree begins with.
    pub start: TreeStart<'a>,
    /// Where worktrees are made, an absolute path.
    pub trees_dir: &'a Path,
    /// Ignored directories that the worktree gets as symbolic links to the user's, relative to the top.
    pub symlink: &'a [PathBuf],
    /// The workspace files, to lock the repository while the worktree is registered; `None` if it is locked already.
    pub files: Option<&'a Workspaces>,
}

/// A worktree that was just made.
#[derive(Debug)]
pub struct MadeTree {
    /// For the workspace file.
    pub worktree: Worktree,
    /// The worktree's place. Its prefix is that of the source, if the worktree has that directory, and otherwise empty.
    pub place: Place,
    /// Files that the worktree has and no snapshot may contain: ignored files that were copied, and links.
    pub omitted: Vec<Omission>,
    /// Things that the worktree lacks, one sentence each. They can contain names from the repository.
    pub warnings: Vec<String>,
    /// The mark of an unfinished worktree, locked.
    mark: fs::File,
}

impl MadeTree {
    /// The directory in which the task works.
    pub fn directory(&self) -> PathBuf {
        self.place.top.join(&self.place.prefix)
    }

    /// Removes the mark of an unfinished worktree. Called once the workspace file names the worktree. If the mark
    /// remains, the worktree counts as unused, so a failure must end the task before its agent starts.
    pub fn confirm(&self) -> Result<(), TreeError> {
        let mark = self.worktree.path.with_file_name(MAKING);
        let removed = fs::remove_file(&mark).and_then(|()| self.mark.unlock());
        removed.map_err(TreeError::file("remove", &mark))
    }
}

/// Makes a worktree for a task. If that fails, nothing of it remains.
///
/// The snapshot's objects, and those of the user's staged files, are published first.
pub fn create_tree(request: &TreeRequest<'_>) -> Result<MadeTree, TreeError> {
    create_tree_at(request, None)
}

/// As [`create_tree`], but at the path `again` of an earlier worktree of the repository, if nothing is there now. Claude
/// Code 2.1.197 finds a session only in the directory where it began, and a conversation contains absolute paths.
pub(super) fn create_tree_at(request: &TreeRequest<'_>, again: Option<&Path>) -> Result<MadeTree, TreeError> {
    let place = request.source.place();
    // The top is a real path.
    let trees_dir = real_path(request.trees_dir);
    if trees_dir.starts_with(&place.top) {
        let top = place.top.clone();
        return Err(TreeError::InsideRepository { trees_dir, top });
    }
    let content = TreeContent::of(request.source, request.start)?;
    request.source.publish()?;
    let repository = trees_dir.join(repository_key(&place.common_dir));
    let earlier = again.and_then(Path::parent).and_then(Path::file_name).map(|name| repository.join(name));
    let dir = earlier.filter(|dir| dir.symlink_metadata().is_err());
    let dir = dir.unwrap_or_else(|| repository.join(request.task.as_str()));
    let name = place.top.file_name().unwrap_or(DEFAULT_NAME.as_ref());
    let mut attempts = 0;
    let (path, mark) = loop {
        attempts += 1;
        match make_dir(&dir, name, &place.common_dir) {
            // Another process has just removed a directory that was empty.
            Err(TreeError::File { source, .. })
                if source.kind() == io::ErrorKind::NotFound && attempts < MAX_ATTEMPTS => {}
            made => break made?,
        }
    };
    fill(request, &content, &path, mark).inspect_err(|_| {
        if let Err(error) = delete(&path, &place.common_dir) {
            tracing::warn!(%error, "an unfinished worktree could not be removed");
        }
    })
}

/// Creates the directory `dir` of a task's worktree, and the mark of an unfinished worktree in it. Returns the path of the
/// worktree, which does not exist yet.
fn make_dir(dir: &Path, name: &OsStr, common_dir: &Path) -> Result<(PathBuf, fs::File), TreeError> {
    let repository = dir.parent().expect("it is two levels below `trees_dir`");
    repository.parent().map_or(Ok(()), make_private)?;
    make_private(repository)?;
    DirBuilder::new().mode(0o700).create(dir).map_err(TreeError::file("create", dir))?;
    let (path, mark) = (dir.join(name), dir.join(MAKING));
    let locked = write_mark(&mark, common_dir, &path).map_err(TreeError::file("write", &mark))?;
    Ok((path, locked))
}

/// Adds the worktree to the repository and writes its files.
fn fill(request: &TreeRequest<'_>, content: &TreeContent, path: &Path, mark: fs::File) -> Result<MadeTree, TreeError> {
    let source = request.source.place();
    add(request, path, content.head())?;
    let git_dir = git_dir_of(path).map_err(TreeError::file("read", path.join(".git")))?;
    let lock = git_dir.join("locked");
    fs::write(&lock, lock_reason(request.task, request.supervisor)).map_err(TreeError::file("write", &lock))?;
    copy_sparse_patterns(source, &git_dir)?;
    content.write(request.source, path, &git_dir)?;
    let (from, to) = (open(&source.top)?, open(path)?);
    let extras = Extras::add(request.source, (&from, &to), path, request.symlink);
    let mut place = Place { top: path.to_owned(), git_dir: git_dir.clone(), ..source.clone() };
    if !path.join(&place.prefix).is_dir() {
        place.prefix = PathBuf::new();
    }
    let Extras { copied, omitted, warnings } = extras;
    let copied_content = content_of_copied(request.source, path, &copied)?;
    let worktree = Worktree {
        path: path.to_owned(),
        git_dir,
        is_removed: false,
        is_continued: false,
        may_be_in_use: false,
        examined: None,
        staged: content.staged().cloned(),
        copied,
        copied_content,
    };
    Ok(MadeTree { worktree, place, omitted, warnings, mark })
}

/// Registers the worktree, without files and without an index.
///
/// Git fails if another one is just adding or removing a worktree of the same repository. Ours do not, because the
/// repository is locked, but the user's can.
fn add(request: &TreeRequest<'_>, path: &Path, head: &ObjectId) -> Result<(), TreeError> {
    let (git, source) = (request.source.git(), request.source.place());
    let _lock = match request.files {
        Some(files) => Some(lock(files, &source.common_dir, request.task, LOCK_TIMEOUT, git.deadline())?),
        None => None,
    };
    let mut command = git.command(["worktree", "add", "--quiet", "--detach", "--no-checkout", "--lock"]);
    if git.version() >= GIT_FOR_LOCK_REASON {
        command = command.arg("--reason").arg(lock_reason(request.task, request.supervisor));
    }
    let command = command
        .args([OsStr::new("--"), path.as_os_str(), OsStr::new(head.as_str())])
        .setting("worktree.useRelativePaths=false")
        .git_dir(&source.git_dir)
        .work_tree(&source.top);
    let mut attempts = 0;
    loop {
        attempts += 1;
        match command.clone().run() {
            Err(GitError::Failed { .. }) if attempts < MAX_ATTEMPTS => thread::sleep(RETRY_PAUSE),
            done => return Ok(done.map(drop)?),
        }
    }
}

/// Locks a repository, like [`lock_within`]. Fails if another process has the lock.
pub(super) fn lock(
    files: &Workspaces,
    common_dir: &Path,
    task: &TaskId,
    max_wait: Duration,
    deadline: &Deadline,
) -> Result<RepositoryLock, TreeError> {
    match lock_within(files, common_dir, task, max_wait, deadline)? {
        RepositoryLocking::Locked(lock) => Ok(lock),
        RepositoryLocking::Busy(_) => Err(TreeError::file("lock", common_dir)(io::ErrorKind::TimedOut.into())),
    }
}

/// The path without symbolic links. The part that does not exist yet is unchanged.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|existing| {
        let rest = path.strip_prefix(existing).ok()?;
        existing.canonicalize().ok().map(|real| if rest.as_os_str().is_empty() { real } else { real.join(rest) })
    });
    real.unwrap_or_else(|| path.to_owned())
}

/// Git before 2.36 does not copy the patterns of a sparse checkout to a new worktree.
fn copy_sparse_patterns(source: &Place, git_dir: &Path) -> Result<(), TreeError> {
    let name = Path::new("info/sparse-checkout");
    let (from, to) = (source.git_dir.join(name), git_dir.join(name));
    if !from.is_file() || to.exists() {
        return Ok(());
    }
    let copied = fs::create_dir_all(git_dir.join("info")).and_then(|()| fs::copy(&from, &to));
    copied.map(drop).map_err(TreeError::file("write", &to))
}

fn open(top: &Path) -> Result<Below, TreeError> {
    Below::open(top).map_err(TreeError::file("open", top))
}

/// Creates a directory and those above it, accessible only to the owner, unless they exist.
fn make_private(dir: &Path) -> Result<(), TreeError> {
    DirBuilder::new().mode(0o700).recursive(true).create(dir).map_err(TreeError::file("create", dir))
}

#[cfg(test)]
#[path = "tree_tests.rs"]
mod tests;
