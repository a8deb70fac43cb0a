//! Finds a task's place in git.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
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

/// The questions about HEAD. If there is a commit, git answers with three lines: the commit, its tree, and the ref.
const HEAD_QUESTIONS: [&str; 5] = ["--revs-only", "HEAD", "HEAD^{tree}", "--symbolic-full-name", "HEAD"];

/// The commit and the branch that are checked out. By default, there is neither.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
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
    find(git, directory)
}

fn find(git: &Git, directory: &Path) -> Result<Place, NotCovered> {
    let answer = ask(git, directory, &QUESTIONS)?;
    let answers: Vec<&[u8]> = lines(&answer).collect();
    if answers.len() == QUESTIONS.len() {
        return place(directory, &answers);
    }
    // A path contains a newline.
    let answers = QUESTIONS.map(|question| ask(git, directory, &[question]));
    let answers: Vec<Vec<u8>> = answers.into_iter().collect::<Result<_, _>>()?;
    let answers: Vec<&[u8]> = answers.iter().map(|answer| answer.strip_suffix(b"\n").unwrap_or(answer)).collect();
    place(directory, &answers)
}

/// Like [`find_place`] and [`head`] with one process, if possible. The head is `None` if it has to be asked for separately.
///
/// Does not check the version of git, so that the caller can ask for it at the same time. Must not be used before the
/// version is known to be one for snapshots.
pub(super) fn find_place_and_head(git: &Git, directory: &Path) -> Result<(Place, Option<Head>), NotCovered> {
    let answer = ask(git, directory, &[&QUESTIONS[..], &HEAD_QUESTIONS].concat())?;
    let answers: Vec<&[u8]> = lines(&answer).collect();
    // With a newline in a path or without a commit, there are more or fewer lines.
    if answers.len() == QUESTIONS.len() + 3 {
        let (of_place, of_head) = answers.split_at(QUESTIONS.len());
        if let (Ok(place), Some(head)) = (place(directory, of_place), head_in(of_head)) {
            return Ok((place, Some(head)));
        }
    }
    Ok((find(git, directory)?, None))
}

fn ask(git: &Git, directory: &Path, questions: &[&str]) -> Result<Vec<u8>, NotCovered> {
    let command = git.command(["rev-parse", "--path-format=absolute"]).args(questions.iter().copied());
    command.directory(directory).run().map_err(refusal)
}

/// The place in the answers to [`QUESTIONS`].
fn place(directory: &Path, answers: &[&[u8]]) -> Result<Place, NotCovered> {
    let unexpected = || NotCovered::Git(GitError::Unexpected { command: "rev-parse".into() });
    let [top, git_dir, common_dir, format] = answers else { return Err(unexpected()) };
    let real = |path: &[u8]| {
        let path = Path::new(OsStr::from_bytes(path));
        path.is_absolute().then(|| path.canonicalize().ok()).flatten().ok_or_else(unexpected)
    };
    let (top, git_dir, common_dir) = (real(top)?, real(git_dir)?, real(common_dir)?);
    let object_format = match *format {
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
    let answer = ask(&["rev-parse"]).args(HEAD_QUESTIONS).run()?;
    let answers: Vec<&[u8]> = lines(&answer).collect();
    if answers.is_empty() {
        let reference = ask(&["symbolic-ref", "-q", "HEAD"]).run()?;
        return Ok(Head { commit: None, tree: None, branch: branch(reference.trim_ascii_end()) });
    }
    head_in(&answers).ok_or(GitError::Unexpected { command: "rev-parse".into() })
}

/// The head in the answers to [`HEAD_QUESTIONS`].
fn head_in(answers: &[&[u8]]) -> Option<Head> {
    let [commit, tree, reference] = answers else { return None };
    let (commit, tree) = (object_id(commit)?, object_id(tree)?);
    (*reference == b"HEAD" || reference.starts_with(b"refs/")).then_some(())?;
    Some(Head { commit: Some(commit), tree: Some(tree), branch: branch(reference) })
}

/// The short name of a branch.
fn branch(reference: &[u8]) -> Option<GitPath> {
    reference.strip_prefix(b"refs/heads/").map(GitPath::from_bytes)
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
