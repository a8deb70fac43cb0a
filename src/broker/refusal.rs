//! Why a call came to nothing.

use std::{borrow::Cow, path::PathBuf};

use connector_api::{BackendName, Unsupported, nearest};

use crate::{
    directory::DirectoryProblem,
    executor::StartError,
    exposure::Exposed,
    present::Refused,
    probing::NotUsable,
    store::StoreError,
    task::{AboveCeiling, TaskId},
};

/// A call that was refused: nothing was created and nothing was changed.
///
/// `Display` says what happened and why; [`next`](Self::next) says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// No task has this id.
    #[error("no such task: `{0}`")]
    NoSuchTask(String),
    /// The task's files are not in our log directory.
    #[error("the files of task {id} are in {}, and `log_dir` is {}", there.display(), here.display())]
    Elsewhere {
        /// The task.
        id: TaskId,
        /// The log directory that has them.
        there: PathBuf,
        /// Ours.
        here: PathBuf,
    },
    /// An earlier session cannot be gone on with now.
    #[error("{what} cannot be resumed: {why}")]
    NotResumable {
        /// The task or session asked for.
        what: String,
        /// What is in the way.
        why: String,
        /// What to do about it.
        next: String,
    },
    /// No backend has the name asked for.
    #[error(transparent)]
    NoSuchBackend(#[from] NoSuchBackend),
    /// The working directory cannot be worked in.
    #[error("`workingDirectory` {}: {problem}", path.display())]
    WorkingDirectory {
        /// The path as given.
        path: PathBuf,
        /// What is wrong with it.
        problem: DirectoryProblem,
    },
    /// More is asked for than whoever runs this machine allows.
    #[error(transparent)]
    AboveCeiling(#[from] AboveCeiling),
    /// The agent could change the files of codex-connector.
    #[error(transparent)]
    Exposed(#[from] Exposed),
    /// The agent cannot do what is asked.
    #[error(transparent)]
    Unsupported(Unsupported),
    /// The agent's program cannot be used.
    #[error("backend `{backend}` cannot be used: {problem}")]
    NotUsable {
        /// The backend.
        backend: BackendName,
        /// What is wrong with its program.
        problem: NotUsable,
        /// What to do about it.
        next: String,
    },
    /// There is no supervisor for the task.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The data directory is in trouble.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The data directory is in more trouble.
    #[error("the data directory {} does not answer", directory.display())]
    NoAnswer {
        /// The data directory.
        directory: PathBuf,
    },
}

/// No backend has this name.
#[derive(Debug, thiserror::Error)]
#[error("no backend `{name}` is configured{meant}; there is `{known}`")]
pub struct NoSuchBackend {
    name: String,
    meant: String,
    known: String,
}

impl NoSuchBackend {
    /// That `name` is none of the `known` ones, with the one that was meant, perhaps.
    pub(crate) fn new<'a>(name: &str, known: impl Iterator<Item = &'a BackendName>) -> Self {
        let known: Vec<_> = known.map(BackendName::as_str).collect();
        let meant = nearest(name, &known).map(|near| format!(" (`{near}`?)")).unwrap_or_default();
        Self { name: name.to_owned(), meant, known: known.join("`, `") }
    }
}

impl Refusal {
    /// What to do about it: a tool call, a parameter, a key or a command.
    pub fn next(&self) -> String {
        match self {
            Self::NoSuchTask(_) => "call `codex_tasks` to list the tasks there are".to_owned(),
            Self::Elsewhere { there, .. } => {
                let assignment = format!("log_dir={}", there.display());
                let assignment = shlex::try_quote(&assignment).map(Cow::into_owned).unwrap_or(assignment);
                format!("set `log_dir` to that directory in config.toml, or add `--set {assignment}`")
            }
            Self::NoSuchBackend(_) => "name one of them, or add it to config.toml".to_owned(),
            Self::WorkingDirectory { problem, .. } => problem.next(),
            Self::NotResumable { next, .. } | Self::NotUsable { next, .. } => next.clone(),
            Self::AboveCeiling(above) => above.next(),
            Self::Exposed(exposed) => exposed.next(),
            Self::Unsupported(unsupported) => unsupported.next(),

            Self::Start(_) => {
                "run `codex-connector check`; see that the data directory can be written to, and that the limits on \
                 processes and memory leave room for a supervisor and its agent"
                    .to_owned()
            }
            Self::NoAnswer { directory } => {
                format!("see that the disk or the server that {} is on is there, and try again", directory.display())
            }
            Self::Store(error) => format!("see that {} can be read and written", error.path.display()),
        }
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Self {
        let problem = refusal.to_string();
        let mut letters = problem.chars();
        let problem = letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect());
        Self { problem, next: refusal.next() }
    }
}
