//! The exit codes of the verbs. They are documented, because scripts depend on them.

use std::process::ExitCode;

use crate::{
    broker::{NotOperable, NotRemovable, Refusal},
    task::{Outcome, TaskRecord},
};

/// Why a verb exits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Exit {
    /// Success: every task completed.
    Completed = 0,
    /// A task failed, or the command itself did.
    Failed = 1,
    /// A mistake on the command line or in the configuration.
    Usage = 2,
    /// A task was interrupted, and none failed.
    Interrupted = 3,
    /// There is no such task.
    UnknownTask = 4,
    /// The request was refused, for example by a ceiling.
    Refused = 5,
    /// Later changes overlap with an operation, so nothing was written.
    Conflict = 6,
    /// Waiting took too long. The program `timeout` uses the same code.
    TimedOut = 124,
    /// The terminal of `top` was closed.
    HungUp = 129,
    /// The task was cancelled with Ctrl-C.
    Cancelled = 130,
    /// `top` was terminated.
    Terminated = 143,
}

impl Exit {
    /// The code for a task that has ended.
    pub(super) fn of_task(record: &TaskRecord) -> Self {
        match Outcome::of(record) {
            Some(Outcome::Completed) | None => Self::Completed,
            Some(Outcome::Failed | Outcome::Cancelled | Outcome::TimedOut) => Self::Failed,
            Some(Outcome::Interrupted) => Self::Interrupted,
        }
    }

    /// The code for several tasks: a failed one counts more than an interrupted one.
    pub(super) fn combined(self, other: Self) -> Self {
        let rank = |exit| match exit {
            Self::Completed => 0,
            Self::Interrupted => 1,
            Self::Failed => 2,
            Self::Usage | Self::UnknownTask | Self::Refused | Self::Conflict => 3,
            Self::TimedOut | Self::HungUp | Self::Cancelled | Self::Terminated => 3,
        };
        if rank(other) > rank(self) { other } else { self }
    }

    /// The code for a refusal.
    pub(super) fn of_refusal(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::AfterRecovery { source, .. } => Self::of_refusal(source),
            Refusal::NoSuchTask(_) | Refusal::NotOneTask(_) | Refusal::OtherLogDir { .. } => Self::UnknownTask,
            Refusal::NotRemovable(NotRemovable::StillListed(_)) => Self::Failed,
            Refusal::NotOperable(problem) => Self::of_not_operable(problem),
            Refusal::NotResumable(_)
            | Refusal::NotRemovable(NotRemovable::Running(_) | NotRemovable::InUse(_) | NotRemovable::Original(_))
            | Refusal::UnknownBackend(_)
            | Refusal::WorkingDirectory { .. }
            | Refusal::AboveCeiling(_)
            | Refusal::Exposed(_)
            | Refusal::WorktreeForReading
            | Refusal::Unsupported(_)
            | Refusal::NotUsable { .. }
            | Refusal::ProgramTimedOut { .. } => Self::Refused,
            Refusal::Start(_) | Refusal::Store(_) | Refusal::TimedOut { .. } => Self::Failed,
        }
    }
}

impl Exit {
    fn of_not_operable(problem: &NotOperable) -> Self {
        match problem {
            NotOperable::Conflicts { .. } | NotOperable::CommitConflicts { .. } => Self::Conflict,
            NotOperable::UnchangedPath { .. }
            | NotOperable::OutsideRepository { .. }
            | NotOperable::InvalidBranch(_) => Self::Usage,
            NotOperable::NoSnapshots { .. }
            | NotOperable::Expired(_)
            | NotOperable::Running(..)
            | NotOperable::NoEnd(..)
            | NotOperable::Unchanged(_)
            | NotOperable::AlreadyUndone(_)
            | NotOperable::NotUndone(_)
            | NotOperable::InPlace(_)
            | NotOperable::NotApplied(_)
            | NotOperable::BasedOn { .. }
            | NotOperable::OnlyUnnamed { .. }
            | NotOperable::BranchExists(_)
            | NotOperable::NoGit
            | NotOperable::GitTooOld { .. } => Self::Refused,
            NotOperable::RepositoryGone { .. }
            | NotOperable::Busy { .. }
            | NotOperable::TimedOut { .. }
            | NotOperable::NotRestored { .. }
            | NotOperable::Failed { .. } => Self::Failed,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_task_counts_more_than_an_interrupted_one() {
        let all = |exits: &[Exit]| exits.iter().copied().fold(Exit::Completed, Exit::combined);
        assert_eq!(all(&[]), Exit::Completed);
        assert_eq!(all(&[Exit::Interrupted, Exit::Completed]), Exit::Interrupted);
        assert_eq!(all(&[Exit::Failed, Exit::Interrupted]), Exit::Failed);
        assert_eq!(all(&[Exit::Interrupted, Exit::Failed]), Exit::Failed);
    }
}
