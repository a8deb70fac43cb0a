//! Why a task has no worktree although it must have one.

use std::io;

use super::ending::{NotStarted, RunEnd};
use crate::{process::errno_of, workspace::TreeError};

/// Why a task has no worktree although it must have one.
#[derive(Debug, Clone)]
pub(super) struct NoWorktree {
    why: String,
    next: String,
    errno: String,
}

impl NoWorktree {
    /// The worktree could not be made. `said` is git's message, if git failed.
    pub(super) fn of(error: &TreeError, said: Option<String>) -> Self {
        let errno = match error {
            TreeError::File { source, .. } => errno_of(source),
            TreeError::Full { .. } => "ENOSPC".to_owned(),
            _ => "EIO".to_owned(),
        };
        let next = error.next().to_owned();
        Self { errno, next, ..Self::because(&error.to_string(), said) }
    }

    /// There is no snapshot to begin with.
    pub(super) fn because(why: &str, said: Option<String>) -> Self {
        let said = said.map(|said| format!(" ({said})")).unwrap_or_default();
        Self {
            why: format!("cannot make a worktree for the task: {why}{said}"),
            next:
                "correct this, or let the task work in the directory itself (`run --no-worktree`, or `workspace.tree = \
                   \"never\"`)"
                    .to_owned(),
            errno: errno_of(&io::ErrorKind::Unsupported.into()),
        }
    }

    /// The end of the task, which does not start.
    pub(super) fn end(&self) -> RunEnd {
        let why = NotStarted::NoDirectory { errno: self.errno.clone() };
        RunEnd::not_started(why, self.why.clone(), Some(self.next.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_worktrees_that_is_reached_is_a_lack_of_space() {
        let error = TreeError::Full { trees_dir: "/trees".into(), used: 2, limit: 1 };
        assert_eq!(NoWorktree::of(&error, None).errno, "ENOSPC");
    }
}
