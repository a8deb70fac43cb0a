//! The files of a new worktree.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    beneath::{Below, copy},
    git_error::GitError,
    shadow::Shadow,
    snapshot::Snapshot,
    tree_error::TreeError,
    tree_submodules::fill_submodules,
};
use crate::task::{GitPath, ObjectId, Omission, OmissionReason};

/// The file with patterns of ignored files that a worktree needs, in the syntax of `.gitignore`.
const INCLUDE: &str = ".worktreeinclude";

/// Size limit of that file, in bytes.
const MAX_INCLUDE_BYTES: u64 = 1 << 20;

/// Maximum number of ignored files that are copied into a worktree.
const MAX_COPIED: usize = 10_000;

/// Maximum size of these files together, in bytes: 1 GiB.
const MAX_COPIED_BYTES: u64 = 1 << 30;

/// The beginning of a Git LFS pointer file, and the size that no pointer exceeds, in bytes.
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";
const MAX_POINTER_BYTES: u64 = 1_024;

/// Settings with which git writes pointer files, and neither starts Git LFS nor downloads anything.
const LFS_POINTERS: [&str; 3] = ["filter.lfs.smudge=", "filter.lfs.process=", "filter.lfs.required=false"];

/// The committer of our snapshots.
const OUR_EMAIL: &str = "codex-connector@localhost";

/// The content of a new worktree.
#[derive(Debug, Clone, Copy)]
pub enum TreeStart<'a> {
    /// The files that the user sees, with this snapshot of the source's shadow repository.
    User(&'a Snapshot),
    /// An earlier snapshot of a worktree.
    Commit(&'a ObjectId),
}

/// The initial state of a worktree.
#[derive(Debug)]
pub(super) struct TreeContent {
    /// The snapshot with the files.
    files: ObjectId,
    /// The tree or commit with the content of the index.
    index: ObjectId,
    /// The commit that HEAD names.
    head: ObjectId,
}

impl TreeContent {
    /// Determines the content. Adds a tree with the user's staged files to the shadow repository.
    pub(super) fn of(source: &Shadow, start: TreeStart<'_>) -> Result<Self, TreeError> {
        Ok(match start {
            TreeStart::User(snapshot) => {
                let head = snapshot.head.clone().unwrap_or_else(|| snapshot.commit.clone());
                let index = staged(source)?.unwrap_or_else(|| head.clone());
                Self { files: snapshot.commit.clone(), index, head }
            }
            TreeStart::Commit(commit) => {
                let head = parent_of_snapshot(source, commit)?.unwrap_or_else(|| commit.clone());
                Self { files: commit.clone(), index: head.clone(), head }
            }
        })
    }

    /// The commit that HEAD names. Without a commit of the user's, it is the snapshot.
    pub(super) fn head(&self) -> &ObjectId {
        &self.head
    }

    /// The tree with the files that are staged at first, unless it is the same as HEAD.
    pub(super) fn staged(&self) -> Option<&ObjectId> {
        Some(&self.index).filter(|index| **index != self.head)
    }

    /// Writes the files, and then the index. Files that are the same in both need not be read by the next `git status`.
    pub(super) fn write(&self, source: &Shadow, tree: &Path, git_dir: &Path) -> Result<(), TreeError> {
        let index = git_dir.join("index");
        let command = |args: &[&str]| source.command(args.iter().copied()).work_tree(tree).index(&index);
        let write = command(&["read-tree", "-m", "-u", self.files.as_str()]).setting("checkout.workers=0");
        LFS_POINTERS.iter().fold(write, |command, setting| command.setting(*setting)).run()?;
        command(&["read-tree", "-m", self.index.as_str()]).run()?;
        Ok(())
    }
}

/// A tree with the user's staged files; `None` if there are unmerged ones, because then no tree has them.
fn staged(source: &Shadow) -> Result<Option<ObjectId>, TreeError> {
    let (from, copied) = (source.place().git_dir.join("index"), source.dir().join("staged-index"));
    match fs::copy(&from, &copied) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        done => done.map_err(TreeError::file("copy", &from))?,
    };
    let written = source.object_command(["write-tree"]).index(&copied).output()?;
    Ok(if written.code == 0 { id(&written.stdout) } else { None })
}

/// The first parent of a snapshot: the commit that was checked out then. `None` if the commit is not a snapshot, because
/// there was nothing to add to the user's commit, or if nothing was checked out.
pub(super) fn parent_of_snapshot(source: &Shadow, commit: &ObjectId) -> Result<Option<ObjectId>, GitError> {
    let format = "--format=%ce%x00%P";
    let shown = source.object_command(["show", "--no-patch", format, commit.as_str()]).run()?;
    let text = String::from_utf8_lossy(&shown).into_owned();
    let (email, parents) = text.split_once('\0').unwrap_or_default();
    Ok(parents.split_whitespace().next().filter(|_| email == OUR_EMAIL).and_then(|parent| parent.parse().ok()))
}

/// The object ID that git printed.
fn id(output: &[u8]) -> Option<ObjectId> {
    str::from_utf8(output).ok()?.trim_end().parse().ok()
}

/// The files that a worktree has in addition to the snapshot.
#[derive(Debug, Default)]
pub(super) struct Extras {
    /// Ignored files that were copied.
    pub(super) copied: Vec<GitPath>,
    /// Copied files and links, which no snapshot may contain.
    pub(super) omitted: Vec<Omission>,
    /// Things that are missing.
    pub(super) warnings: Vec<String>,
}

impl Extras {
    /// Adds what a worktree needs besides the tracked and untracked files. Each failure becomes a warning.
    ///
    /// `from` and `to` are the tops of the user's work tree and of the worktree, whose path is `tree`.
    pub(super) fn add(source: &Shadow, (from, to): (&Below, &Below), tree: &Path, symlink: &[PathBuf]) -> Self {
        let mut extras = Self::default();
        if let Err(error) = extras.copy_ignored(source, from, to) {
            extras.warnings.push(format!("no ignored files were copied into the worktree: {error}"));
        }
        extras.link(source, to, symlink);
        match copy_lfs_files(source, from, to, tree) {
            Ok(0) => {}
            Ok(pointers) => extras.warnings.push(format!(
                "{pointers} Git LFS files in the worktree are pointer files, because their content is not in your work \
                 tree either; run `git lfs pull` there"
            )),
            Err(error) => extras.warnings.push(format!("Git LFS files in the worktree may be pointer files: {error}")),
        }
        extras.warnings.extend(fill_submodules(source, tree));
        extras
    }

    /// Copies the ignored files that `.worktreeinclude` names.
    fn copy_ignored(&mut self, source: &Shadow, from: &Below, to: &Below) -> Result<(), GitError> {
        let include = source.place().top.join(INCLUDE);
        let is_usable = |file: fs::Metadata| file.is_file() && file.len() <= MAX_INCLUDE_BYTES;
        if !include.symlink_metadata().is_ok_and(is_usable) {
            return Ok(());
        }
        let mut exclude_from = std::ffi::OsString::from("--exclude-from=");
        exclude_from.push(&include);
        let listed = source.command(["ls-files", "-z", "--others", "--ignored"]).arg(exclude_from).run()?;
        let (mut failed, mut bytes) = (Vec::new(), 0_u64);
        // A name that ends with a slash is a nested repository.
        let names = listed.split(|byte| *byte == 0).filter(|name| !name.is_empty() && !name.ends_with(b"/"));
        for (number, name) in names.enumerate() {
            if number == MAX_COPIED {
                let warning = format!("only the first {MAX_COPIED} files that `{INCLUDE}` names were copied");
                self.warnings.push(warning);
                break;
            }
            let path = GitPath::from_bytes(name);
            let Ok(file) = from.file(path.as_path()) else { continue };
            bytes = bytes.saturating_add(file.metadata().map_or(0, |found| found.len()));
            if bytes > MAX_COPIED_BYTES || source.git().deadline().remaining().is_zero() {
                let why = if bytes > MAX_COPIED_BYTES { "are larger than 1 GiB together" } else { "take too long" };
                self.warnings.push(format!(
                    "only the first {} files that `{INCLUDE}` names were copied, because all of them {why}",
                    self.copied.len()
                ));
                break;
            }
            match to.create(path.as_path()).and_then(|new| copy(&file, &new)) {
                Ok(()) => {
                    self.omitted.push(Omission { path: path.clone(), reason: OmissionReason::WasIgnored });
                    self.copied.push(path);
                }
                // The snapshot contains it, or it is inside a symbolic link of the snapshot.
                Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotADirectory) => {}
                Err(error) => failed.push(error),
            }
        }
        if let Some(first) = failed.first() {
            let number = failed.len();
            self.warnings.push(format!("{number} files that `{INCLUDE}` names could not be copied: {first}"));
        }
        Ok(())
    }

    /// Links the configured directories to the user's.
    fn link(&mut self, source: &Shadow, to: &Below, symlink: &[PathBuf]) {
        for path in symlink {
            let target = source.place().top.join(path);
            if !target.symlink_metadata().is_ok_and(|found| found.is_dir()) {
                continue;
            }
            match to.symlink(&target, path) {
                Ok(()) => {
                    let (path, reason) = (path.as_path().into(), OmissionReason::WasIgnored);
                    self.omitted.push(Omission { path, reason });
                }
                Err(error) => {
                    let path = path.display();
                    self.warnings.push(format!("the worktree has no link `{path}` (`workspace.symlink`): {error}"));
                }
            }
        }
    }
}

/// Replaces Git LFS pointers by the user's files, of which they are the pointers. Returns how many pointers remain.
fn copy_lfs_files(source: &Shadow, from: &Below, to: &Below, tree: &Path) -> Result<usize, TreeError> {
    let uses_lfs = source.object_command(["config", "--get-regexp", r"^filter\.lfs\."]).output()?.code == 0;
    if !uses_lfs {
        return Ok(0);
    }
    // The shadow's index has the same files.
    let listed = source
        .command(["ls-files", "-z", "--", ":(top,attr:filter=lfs)"])
        .work_tree(tree)
        .env("GIT_LITERAL_PATHSPECS", "0")
        .run()?;
    let mut remaining = 0;
    for name in listed.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let path = GitPath::from_bytes(name);
        let path = path.as_path();
        if !to.file(path).is_ok_and(|file| is_pointer(&file)) {
            continue;
        }
        match from.file(path) {
            Ok(file) if !is_pointer(&file) => {
                to.replace(path, &file).map_err(TreeError::file("write", tree.join(path)))?;
            }
            Ok(_) | Err(_) => remaining += 1,
        }
    }
    Ok(remaining)
}

fn is_pointer(file: &fs::File) -> bool {
    use std::os::unix::fs::FileExt;

    let mut begin = [0; LFS_POINTER.len()];
    file.metadata().is_ok_and(|found| found.len() <= MAX_POINTER_BYTES)
        && file.read_exact_at(&mut begin, 0).is_ok()
        && begin == LFS_POINTER
}
