//! Reasons why an agent cannot work in a directory.

use std::{
    borrow::Cow,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

/// A reason why an agent cannot work in a directory. `Display` continues a sentence that begins with the path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryProblem {
    /// It is a relative path. The server and the caller do not share a current directory.
    #[error("is not an absolute path")]
    Relative,
    /// It is a Windows path.
    #[error("is a Windows path, but this server does not run on Windows")]
    Windows,
    /// It is a `file:` URL, but not of a directory on this machine.
    #[error("is not the URL of a directory on this machine")]
    Url,
    /// It begins with `~/`, but the home directory is unknown.
    #[error("cannot be resolved: `HOME` is not set to an absolute path")]
    Home,
    /// It begins with `~`, but not with `~/`.
    #[error("cannot be resolved: only `~/` is expanded, not `~USER/`")]
    OtherHome,
    /// The path does not exist.
    #[error("does not exist")]
    NotFound,
    /// The path leads to a file of another type.
    #[error("is not a directory")]
    NotADirectory,
    /// The operating system does not allow entering it.
    #[error("cannot be entered: {0}")]
    NotOpened(Errno),
    /// The file system did not answer in time.
    #[error("does not respond")]
    TimedOut,
    /// It is not in a git repository.
    #[error("is not a git repository")]
    NoRepository,
    /// Its `.git` file points to a directory that is missing or unusable.
    #[error("is in a worktree whose git directory {} is missing", git_dir.display())]
    LostWorktree {
        /// The worktree.
        worktree: PathBuf,
        /// The directory that the `.git` file points to.
        git_dir: PathBuf,
    },
    /// Its repository still exists, but no longer has an entry for it, for example after `git worktree prune`.
    #[error("is in a worktree that the repository {} no longer has: its entry {} is missing", repository.display(), entry.display())]
    RemovedWorktree {
        /// The repository's git directory.
        repository: PathBuf,
        /// The entry that the `.git` file points to.
        entry: PathBuf,
        /// The other worktrees of the repository, its main worktree first if it has one.
        worktrees: Vec<PathBuf>,
    },
    /// It is inside the directory in which git keeps a repository's data.
    #[error("is inside git's own directory {}", git_dir.display())]
    GitDirectory {
        /// The `.git` directory.
        git_dir: PathBuf,
    },
    /// It is in a bare repository.
    #[error("is a bare repository, which has no files to work on")]
    Bare {
        /// Its worktrees, if it has any.
        worktrees: Vec<PathBuf>,
    },
}

impl DirectoryProblem {
    /// The next step for the caller.
    pub fn next(&self) -> String {
        match self {
            Self::Relative | Self::Home | Self::OtherHome | Self::Url => {
                "give the absolute path of the project".to_owned()
            }
            Self::Windows => "give the path on this machine; in WSL, the drive `C:` is `/mnt/c`".to_owned(),
            Self::NotFound => "give the path of an existing directory, or create it first".to_owned(),
            Self::NotADirectory => "give the directory that contains it".to_owned(),
            Self::NotOpened(_) => "give a directory that this user may enter".to_owned(),
            Self::TimedOut => {
                "check whether its file system, perhaps a network mount, still works; then try again".to_owned()
            }
            Self::NoRepository => {
                "run `git init` there, give a directory inside a repository, or set `require_git = false` for the \
                 backend in config.toml"
                    .to_owned()
            }
            Self::LostWorktree { worktree, .. } => format!(
                "if the main repository was moved, run `git worktree repair {}` in its new location; otherwise give \
                 another directory",
                shell_word(worktree)
            ),
            Self::RemovedWorktree { worktrees, .. } if worktrees.is_empty() => {
                "give another directory, or add a worktree with `git worktree add` and give its path (`git worktree \
                 repair` does not help here)"
                    .to_owned()
            }
            Self::RemovedWorktree { worktrees, .. } => format!(
                "give one of the repository's worktrees: {}; or add one with `git worktree add` and give its path \
                 (`git worktree repair` does not help here)",
                listed(worktrees)
            ),
            Self::GitDirectory { .. } => "give the directory that contains the project's files".to_owned(),
            Self::Bare { worktrees } if worktrees.is_empty() => {
                "add a worktree with `git worktree add` and give its path".to_owned()
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
            | Self::OtherHome
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

/// A path, quoted for a shell.
fn shell_word(path: &Path) -> String {
    let path = path.display().to_string();
    shlex::try_quote(&path).map(Cow::into_owned).unwrap_or(path)
}
