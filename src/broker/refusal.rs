//! The reasons why a call is refused.

use std::{fmt, path::PathBuf};

use connector_api::{BackendName, Unsupported, nearest};

use super::{not_one_task::NotOneTask, not_operable::NotOperable};
use crate::{
    directory::DirectoryProblem,
    executor::StartError,
    exposure::Exposed,
    present::{
        self, Refused, refusals, terminal_refusals,
        workspace_refusals::{Audience, after_recovery},
    },
    probing::NotUsable,
    store::StoreError,
    task::{AboveCeiling, FileConflict, RecoveredOperation, TaskId, Untrusted},
};

/// A call that was refused: nothing was created and nothing was changed, except for
/// [`AfterRecovery`](Self::AfterRecovery) and [`NotOperable::NotRestored`].
///
/// [`explain`](Self::explain) says what happened, why, and what to do next. `Display` omits the next step.
#[derive(Debug)]
pub enum Refusal {
    /// No task has this ID.
    NoSuchTask(Untrusted),
    /// A word on the command line does not name one task.
    NotOneTask(NotOneTask),
    /// The task's files are in another log directory.
    OtherLogDir {
        /// The task.
        id: TaskId,
        /// The log directory that has them.
        there: PathBuf,
        /// The configured log directory.
        here: PathBuf,
    },
    /// An earlier session cannot be resumed now.
    NotResumable(NotResumable),
    /// A task is not removed.
    NotRemovable(NotRemovable),
    /// A task's changes are not shown, undone, redone or applied.
    NotOperable(Box<NotOperable>),
    /// Interrupted operations were finished or given up first. The requested one was then refused.
    AfterRecovery {
        /// The interrupted operations.
        recovered: Vec<RecoveredOperation>,
        /// Why the requested one was refused.
        source: Box<Refusal>,
    },
    /// No backend has the requested name.
    UnknownBackend(UnknownBackend),
    /// An agent cannot work in the requested working directory.
    WorkingDirectory {
        /// The path as given.
        path: PathBuf,
        /// The reason.
        problem: DirectoryProblem,
    },
    /// The request exceeds the ceiling.
    AboveCeiling(AboveCeiling),
    /// The agent could change codex-connector's own files.
    Exposed(Exposed),
    /// A worktree was requested for a task that cannot change files.
    WorktreeForReading,
    /// The agent does not support the request.
    Unsupported(Unsupported),
    /// The agent's program cannot be used.
    NotUsable {
        /// The backend.
        backend: BackendName,
        /// The problem with its program.
        problem: NotUsable,
        /// The next step for the user.
        next: String,
    },
    /// The agent's program, or a directory in `PATH`, does not respond.
    ProgramTimedOut {
        /// The backend.
        backend: BackendName,
    },
    /// The supervisor could not be started.
    Start(StartError),
    /// A file in the data directory cannot be read or written.
    Store(StoreError),
    /// The data directory does not respond.
    TimedOut {
        /// The data directory.
        directory: PathBuf,
    },
}

/// The reasons why an earlier session cannot be resumed.
#[derive(Debug)]
pub enum NotResumable {
    /// The task has not ended.
    StillRuns(TaskId),
    /// The task's agent did not report a session ID.
    NoSession(TaskId),
    /// Another task is using the session.
    InUse {
        /// The session.
        session: Untrusted,
        /// The task.
        by: TaskId,
    },
}

/// Why a task is not removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotRemovable {
    /// It is running.
    Running(TaskId),
    /// It has ended, but its supervisor has not finished yet.
    InUse(TaskId),
    /// The original program ran it, whose files are never changed.
    Original(TaskId),
    /// Its removal has begun, but it could not be removed from the lists of tasks.
    StillListed(TaskId),
}

impl NotRemovable {
    /// The problem and the next step.
    pub(crate) fn explain(&self) -> Refused {
        match self {
            Self::Running(id) => terminal_refusals::running_is_kept(id),
            Self::InUse(id) => terminal_refusals::in_use_is_kept(id),
            Self::Original(id) => terminal_refusals::original_is_kept(id),
            Self::StillListed(id) => terminal_refusals::still_listed(id),
        }
    }
}

/// No backend has this name.
#[derive(Debug)]
pub struct UnknownBackend {
    name: String,
    meant: Option<String>,
    known: Vec<String>,
}

impl UnknownBackend {
    /// The error that `name` is not one of the `known` backends. If one has a similar name, it will be suggested.
    pub(crate) fn new<'a>(name: &str, known: impl Iterator<Item = &'a BackendName>) -> Self {
        let known: Vec<_> = known.map(BackendName::as_str).collect();
        let meant = nearest(name, &known).map(str::to_owned);
        Self { name: name.to_owned(), meant, known: known.into_iter().map(str::to_owned).collect() }
    }

    /// The problem, with `verb` for each known backend as the next step: `check` or `check --deep`.
    pub(crate) fn explain_for_check(&self, verb: &str) -> Refused {
        refusals::no_such_backend_to_check(self.explain().problem, &self.known, verb)
    }

    /// The problem and the next step.
    pub(crate) fn explain(&self) -> Refused {
        refusals::no_such_backend(&self.name, self.meant.as_deref(), &self.known)
    }
}

impl Refusal {
    /// This refusal, which says that these interrupted operations were finished or given up first.
    pub(super) fn after(self, recovered: Vec<RecoveredOperation>) -> Self {
        match recovered.is_empty() {
            true => self,
            false => Self::AfterRecovery { recovered, source: Box::new(self) },
        }
    }

    /// The reason itself, without the interrupted operations that were finished before.
    pub(crate) fn reason(&self) -> &Self {
        if let Self::AfterRecovery { source, .. } = self { source.reason() } else { self }
    }

    /// The interrupted operations that were finished or given up before the requested one was refused.
    pub(crate) fn recovered(&self) -> &[RecoveredOperation] {
        if let Self::AfterRecovery { recovered, .. } = self { recovered } else { &[] }
    }

    /// The files that conflict with the requested operation, if that is the reason.
    pub(crate) fn conflicts(&self) -> &[FileConflict] {
        if let Self::NotOperable(problem) = self.reason() { problem.conflicts() } else { &[] }
    }

    /// The problem with its reason, and the next step: a tool call, a parameter, a configuration key or a command.
    pub fn explain(&self) -> Refused {
        match self {
            Self::NoSuchTask(word) => refusals::no_such_task(word),
            Self::NotOneTask(problem) => problem.explain(),
            Self::OtherLogDir { id, there, here } => refusals::elsewhere(id, there, here),
            Self::NotResumable(NotResumable::StillRuns(id)) => refusals::still_running(id),
            Self::NotResumable(NotResumable::NoSession(id)) => refusals::without_session(id),
            Self::NotResumable(NotResumable::InUse { session, by }) => refusals::session_in_use(session, by),
            Self::NotRemovable(problem) => problem.explain(),
            Self::NotOperable(problem) => problem.explain(Audience::Model),
            Self::AfterRecovery { recovered, source } => after_recovery(recovered, source.explain()),
            Self::UnknownBackend(problem) => problem.explain(),
            Self::WorkingDirectory { path, problem } => refusals::working_directory(path, problem, problem.next()),
            Self::AboveCeiling(above) => Refused::new(above.to_string(), above.next()),
            Self::Exposed(exposed) => Refused::new(exposed.to_string(), exposed.next()),
            Self::WorktreeForReading => terminal_refusals::worktree_for_reading(),
            Self::Unsupported(unsupported) => Refused::new(unsupported.to_string(), unsupported.next()),
            Self::NotUsable { backend, problem, next } => refusals::not_usable(backend, problem, next),
            Self::ProgramTimedOut { backend } => refusals::program_does_not_respond(backend),
            Self::Start(problem) => refusals::not_started(problem),
            Self::Store(problem) => refusals::store_problem(problem, &problem.path),
            Self::TimedOut { directory } => refusals::no_answer(directory),
        }
    }

    /// The same for a person at a terminal: the next step is a command or an option, not a tool call.
    pub(crate) fn explain_for_terminal(&self) -> Refused {
        match self {
            Self::NoSuchTask(word) => terminal_refusals::unknown_prefix(word.raw()),
            Self::NotResumable(NotResumable::StillRuns(id)) => terminal_refusals::still_running(id),
            Self::NotResumable(NotResumable::NoSession(id)) => terminal_refusals::without_session(id),
            Self::NotResumable(NotResumable::InUse { session, by }) => terminal_refusals::session_in_use(session, by),
            Self::WorkingDirectory { path, problem } => {
                terminal_refusals::working_directory(path, problem, problem.next())
            }
            Self::AboveCeiling(above) => Refused::new(above.problem_of_options(), above.next_option()),
            Self::Exposed(exposed) => terminal_refusals::not_possible(exposed, &exposed.next()),
            Self::Unsupported(unsupported) => terminal_refusals::not_possible(unsupported, &unsupported.next()),
            Self::NotOperable(problem) => problem.explain(Audience::Terminal),
            Self::AfterRecovery { recovered, source } => after_recovery(recovered, source.explain_for_terminal()),
            Self::NotOneTask(_)
            | Self::NotRemovable(_)
            | Self::OtherLogDir { .. }
            | Self::UnknownBackend(_)
            | Self::WorktreeForReading
            | Self::NotUsable { .. }
            | Self::ProgramTimedOut { .. }
            | Self::Start(_)
            | Self::Store(_)
            | Self::TimedOut { .. } => self.explain(),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&present::plain(&self.explain().problem))
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoSuchTask(_)
            | Self::NotOneTask(_)
            | Self::OtherLogDir { .. }
            | Self::NotResumable(_)
            | Self::NotRemovable(_)
            | Self::NotOperable(_)
            | Self::UnknownBackend(_)
            | Self::WorkingDirectory { .. }
            | Self::WorktreeForReading
            | Self::NotUsable { .. }
            | Self::ProgramTimedOut { .. }
            | Self::TimedOut { .. } => None,
            // `Display` includes the text of these errors, so the source is their cause.
            Self::AboveCeiling(error) => error.source(),
            Self::Exposed(error) => error.source(),
            Self::Unsupported(error) => error.source(),
            Self::Start(error) => error.source(),
            Self::Store(error) => error.source(),
            Self::AfterRecovery { source, .. } => source.source(),
        }
    }
}

impl From<NotOperable> for Refusal {
    fn from(problem: NotOperable) -> Self {
        Self::NotOperable(Box::new(problem))
    }
}

macro_rules! from {
    ($($variant:ident($error:ty)),+) => {$(
        impl From<$error> for Refusal {
            fn from(error: $error) -> Self {
                Self::$variant(error)
            }
        }
    )+};
}

from!(
    UnknownBackend(UnknownBackend),
    AboveCeiling(AboveCeiling),
    Exposed(Exposed),
    Start(StartError),
    Store(StoreError)
);

/// Capitalized, for an answer that consists of nothing else.
impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        refusal.explain().capitalized()
    }
}
