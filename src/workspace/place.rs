//! Finds a task's place in git.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use super::{
    git::{Git, GitCommand},
    git_error::GitError,
    git_version::GIT_FOR_SNAPSHOTS,
};
use crate::task::{GitPath, ObjectFormat, ObjectId, Place};

/// The questions that find a place. git answers each with one line.
const QUESTIONS: [&str; 4] = ["--show-toplevel", "--absolute-git-dir", "--git-common-dir", "--show-object-format"];

/// The commit and the branch that are checked out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The commit; `None` if there is none yet.
    pub commit: Option<ObjectId>,
    /// Its tree; `None` if there is no commit yet.
    pub tree: Option<ObjectId>,
    /// The short name of the branch; `None` if HEAD is detached.
    pub branch: Option<GitPath>,
}

/// Finds the work tree and the git directories for `directory`, a real path. Must be called before an agent starts.
///
/// Fails with [`NotCovered`] if there is no repository, or if it cannot be used.
pub fn find_place(git: &Git, directory: &Path) -> Result<Place, NotCovered> {
    git.require(GIT_FOR_SNAPSHOTS)?;
    let ask = |questions: &[&str]| {
        let command = git.command(["rev-parse", "--path-format=absolute"]).args(questions.iter().copied());
        command.directory(directory).run().map_err(refusal)
    };
    let answer = ask(&QUESTIONS)?;
    let mut answers: Vec<Vec<u8>> = lines(&answer).map(<[u8]>::to_vec).collect();
    if answers.len() != QUESTIONS.len() {
        // A path contains a newline.
        answers.clear();
        for question in QUESTIONS {
            let answer = ask(&[question])?;
            answers.push(answer.strip_suffix(b"\n").unwrap_or(&answer).to_vec());
        }
    }
    let format = answers.pop().unwrap_or_default();
    let mut paths = answers.into_iter().map(|path| PathBuf::from(OsString::from_vec(path)));
    let unexpected = || NotCovered::Git(GitError::Unexpected { command: "rev-parse".into() });
    let mut next = || paths.next().filter(|path| path.is_absolute()).ok_or_else(unexpected);
    let (top, git_dir, common_dir) = (next()?, next()?, next()?);
    let real = |path: PathBuf| path.canonicalize().map_err(|_| unexpected());
    let (top, git_dir, common_dir) = (real(top)?, real(git_dir)?, real(common_dir)?);
    let object_format = match format.as_slice() {
        b"sha1" => ObjectFormat::Sha1,
        b"sha256" => ObjectFormat::Sha256,
        _ => return Err(unexpected()),
    };
    let prefix = directory.strip_prefix(&top).map_err(|_| unexpected())?.to_owned();
    Ok(Place { top, git_dir, common_dir, prefix, object_format })
}

/// A command on the user's repository itself, with only its own configuration. Not for commands that read files of the
/// work tree: they could run a filter.
pub(super) fn repository_command<A: Into<OsString>>(
    git: &Git,
    place: &Place,
    args: impl IntoIterator<Item = A>,
) -> GitCommand {
    git.command(args).git_dir(&place.git_dir).directory(&place.git_dir).without_user_settings()
}

/// The commit and the branch that are checked out at a place now.
pub fn head(git: &Git, place: &Place) -> Result<Head, GitError> {
    let ask = |args: &[&str]| repository_command(git, place, args.iter().copied());
    let answer = ask(&["rev-parse", "--revs-only", "HEAD", "HEAD^{tree}", "--symbolic-full-name", "HEAD"]).run()?;
    let unexpected = || GitError::Unexpected { command: "rev-parse".into() };
    let answers: Vec<&[u8]> = lines(&answer).collect();
    let (commit, tree, reference) = match answers[..] {
        [commit, tree, reference] => {
            let commit = object_id(commit).ok_or_else(unexpected)?;
            (Some(commit), Some(object_id(tree).ok_or_else(unexpected)?), reference.to_vec())
        }
        [] => (None, None, ask(&["symbolic-ref", "-q", "HEAD"]).run()?.trim_ascii_end().to_vec()),
        _ => return Err(unexpected()),
    };
    let branch = reference.strip_prefix(b"refs/heads/").map(GitPath::from_bytes);
    Ok(Head { commit, tree, branch })
}

/// The lines of an answer.
fn lines(answer: &[u8]) -> impl Iterator<Item = &[u8]> {
    answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty())
}

/// The object's name in an answer of git.
pub(super) fn object_id(answer: &[u8]) -> Option<ObjectId> {
    str::from_utf8(answer.trim_ascii_end()).ok()?.parse().ok()
}

/// Why git did not find a place.
fn refusal(error: GitError) -> NotCovered {
    let GitError::Failed { stderr, .. } = &error else { return error.into() };
    let message = stderr.raw();
    if message.contains("dubious ownership") || message.contains("unsafe repository") {
        let command = "git config --global --add safe.directory ";
        let path = message.lines().find_map(|line| line.trim().strip_prefix(command)).unwrap_or("DIRECTORY");
        NotCovered::SafeDirectory { command: format!("{command}{path}") }
    } else if message.contains("must be run in a work tree") {
        NotCovered::NoWorkTree
    } else if message.contains("not a git repository") {
        NotCovered::NoRepository
    } else {
        error.into()
    }
}

/// Why there are no snapshots of a directory. Each message is one sentence for people, which may contain a path.
#[derive(Debug, thiserror::Error)]
pub enum NotCovered {
    /// The directory is not in a git repository.
    #[error("the directory is not in a git repository")]
    NoRepository,
    /// The directory is in a bare repository or in a git directory.
    #[error("the directory is in a bare repository or in a git directory, so it has no work tree")]
    NoWorkTree,
    /// git refuses to work in a repository of another user.
    #[error("git does not trust the repository, because it belongs to another user; to trust it, run `{command}`")]
    SafeDirectory {
        /// The command that makes git trust it.
        command: String,
    },
    /// The work tree is the home directory, or a directory above it.
    #[error("the repository's work tree {} contains the home directory", top.display())]
    Home {
        /// The top of the work tree.
        top: PathBuf,
    },
    /// The work tree is the whole file system.
    #[error("the repository's work tree is the root directory")]
    Root,
    /// The work tree contains the data directory, which is not ignored.
    #[error("the repository's work tree {} contains the data directory, which git does not ignore", top.display())]
    DataDirectory {
        /// The top of the work tree.
        top: PathBuf,
    },
    /// git failed.
    #[error("{0}")]
    Git(#[from] GitError),
}

/// Whether both directories are still those of the place: an agent may have replaced one by a symbolic link.
pub(super) fn is_unmoved(place: &Place) -> bool {
    [&place.top, &place.git_dir, &place.common_dir]
        .into_iter()
        .all(|path| path.canonicalize().is_ok_and(|real| real.as_os_str().as_bytes() == path.as_os_str().as_bytes()))
}

#[cfg(test)]
#[path = "place_tests.rs"]
mod tests;
