//! Why a directory cannot be worked in.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

/// Why a directory cannot be worked in. `Display` continues a sentence that begins with its path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryProblem {
    /// It depends on a current directory, which the server and the caller do not share.
    #[error("is not an absolute path")]
    Relative,
    /// It is a path of Windows.
    #[error("is a Windows path, and this server does not run on Windows")]
    Windows,
    /// It is a `file:` URL that does not name a file of this machine.
    #[error("is not a URL of a directory on this machine")]
    Url,
    /// It begins with `~`, and is not `~/…`, or there is no home directory.
    #[error("cannot be resolved: only `~/` is, and only where `HOME` is set")]
    Home,
    /// The path leads nowhere.
    #[error("does not exist")]
    NotFound,
    /// The path leads to something else.
    #[error("is not a directory")]
    NotADirectory,
    /// The operating system does not let us enter it.
    #[error("cannot be entered: {0}")]
    NotOpened(Errno),
    /// The file system did not answer in time.
    #[error("does not answer")]
    TimedOut,
    /// No repository is around it.
    #[error("is not a git repository")]
    NoRepository,
    /// Its `.git` file leads to nothing that git could use.
    #[error("is in a worktree whose git directory {} is missing", git_dir.display())]
    LostWorktree {
        /// The worktree.
        worktree: PathBuf,
        /// Where the `.git` file leads.
        git_dir: PathBuf,
    },
    /// Its repository is still there but no longer has an entry for it, as after `git worktree prune`.
    #[error("is in a worktree that the repository {} no longer has: its entry {} is missing", repository.display(), entry.display())]
    RemovedWorktree {
        /// The repository's git directory.
        repository: PathBuf,
        /// Where the `.git` file leads.
        entry: PathBuf,
        /// The worktrees of the repository, its main worktree first if it has one.
        worktrees: Vec<PathBuf>,
    },
    /// It is where git keeps a repository's data.
    #[error("is inside git's own directory {}", git_dir.display())]
    GitDirectory {
        /// The `.git` directory.
        git_dir: PathBuf,
    },
    /// It is in a repository without any files to work on.
    #[error("is a bare repository, which has no files to work on")]
    Bare {
        /// Its worktrees, if it has any.
        worktrees: Vec<PathBuf>,
    },
}

impl DirectoryProblem {
    /// What to do about it.
    pub fn next(&self) -> String {
        match self {
            Self::Relative | Self::Home | Self::Url => "give the absolute path of the project".to_owned(),
            Self::Windows => "give the path as this machine sees it; in WSL the drive `C:` is `/mnt/c`".to_owned(),
            Self::NotFound => "give the path of an existing directory, or create it first".to_owned(),
            Self::NotADirectory => "give the directory that holds it".to_owned(),
            Self::NotOpened(_) => "give a directory that this user may enter".to_owned(),
            Self::TimedOut => {
                "see whether the file system that it is on, perhaps a network mount, still works; then try again"
                    .to_owned()
            }
            Self::NoRepository => {
                "run `git init` there, give a directory inside a repository, or set `require_git = false` for the \
                 backend in config.toml"
                    .to_owned()
            }
            Self::LostWorktree { worktree, .. } => format!(
                "if the main repository was moved, run `git worktree repair {}` in the place where it is now; otherwise give \
                 another directory",
                shell_word(worktree)
            ),
            Self::RemovedWorktree { worktrees, .. } if worktrees.is_empty() => {
                "give another directory, or add a worktree with `git worktree add`, and give its path: `git worktree repair` \
                 does not help here"
                    .to_owned()
            }
            Self::RemovedWorktree { worktrees, .. } => format!(
                "give one of the repository's worktrees: {}; or add one with `git worktree add`, and give its path. `git \
                 worktree repair` does not help here",
                listed(worktrees)
            ),
            Self::GitDirectory { .. } => "give the directory that holds the project's files".to_owned(),
            Self::Bare { worktrees } if worktrees.is_empty() => {
                "add a worktree with `git worktree add`, and give its path".to_owned()
            }
            Self::Bare { worktrees } => format!("give one of its worktrees: {}", listed(worktrees)),
        }
    }

    /// The operating system's name for the problem.
    pub fn errno(&self) -> &'static str {
        match self {
            Self::NotFound => "ENOENT",
            Self::NotADirectory => "ENOTDIR",
            Self::TimedOut => "ETIMEDOUT",
            Self::NotOpened(Errno::LOOP) => "ELOOP",
            Self::NotOpened(_) => "EACCES",
            Self::Relative
            | Self::Windows
            | Self::Url
            | Self::Home
            | Self::NoRepository
            | Self::LostWorktree { .. }
            | Self::RemovedWorktree { .. }
            | Self::GitDirectory { .. }
            | Self::Bare { .. } => "EINVAL",
        }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    paths.join(", ")
}

/// A path to be pasted into a shell.
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map(Cow::into_owned).unwrap_or(path)
}
