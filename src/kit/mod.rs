//! The conformance kit: what a backend promises, tried with the installed agent, one short task after the other.
//!
//! The tasks say what they want in plain sentences, so that a real model understands them as well as the scripted ones of
//! the tests. They are ordinary tasks, of this very program, with a data directory and a project of their own; what a task
//! leaves running is looked for after each of them.
//!
//! The kit is no test of the model: where a model does not play along, the finding is [`CaseVerdict::Unknown`].

mod case;
mod directory;
mod hostile;
mod judge;
mod prompts;
mod run_task;
mod trial;

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use connector_api::{AgentBackend, BackendName, Installed, Sandbox};
use serde::Serialize;

pub use case::Case;
use directory::KitDirectory;
use trial::Trial;

use crate::{
    broker::{Broker, UnknownBackend},
    config::Config,
    executor::LocalExecutor,
    present::{Refused, refusals},
    probing::{Freshness, NotUsable, installed},
    registry::{BuildProblem, Registry},
    store::{ProbeCache, Reader, StoreError, Upkeep},
    task::{OnAgentExit, OnServerExit, Retention, TaskStatus},
};

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KitScope {
    /// Nothing is asked for that changes a file or runs a command. An agent that has only the widest sandbox is in it.
    Safe,
    /// Everything: also files in the kit's own directory, and commands, in the widest sandbox there is.
    Full,
}

/// What a case came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseVerdict {
    /// It can, and it does.
    Yes,
    /// It cannot, or does not report.
    No,
    /// A promise is not kept.
    Broken,
    /// It did not come to the point.
    Unknown,
}

/// One thing that was found out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFinding {
    /// What was tried.
    pub case: Case,
    /// What came of it.
    pub verdict: CaseVerdict,
    /// How that was seen, or why not, in words for people.
    pub words: String,
}

/// Everything for one backend.
#[derive(Debug)]
pub struct Kit {
    broker: Broker,
    reader: Reader,
    backend: Arc<dyn AgentBackend>,
    installed: Installed,
    /// Those of its sandboxes that the ceiling admits, narrowest first.
    sandboxes: Vec<Sandbox>,
    program: PathBuf,
    directory: KitDirectory,
    scope: KitScope,
    /// The longest that one task may take.
    limit: Duration,
    /// The task that answered, on which other cases build.
    answered: Option<Trial>,
    /// Whether it was seen to write outside the project when nothing hindered it, once that was tried.
    writes: Option<Writes>,
}

/// What an agent was seen to do when nothing hindered it. Where it did not even then, it proves nothing that it did not in a
/// sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Writes {
    by_editor: bool,
    by_command: bool,
    /// The names of the processes that it left running.
    survivors: Vec<String>,
}

/// Why nothing could be tried.
#[derive(Debug)]
pub enum KitProblem {
    /// No backend has the name asked for.
    UnknownBackend(UnknownBackend),
    /// Its settings are not what its kind takes.
    Build(BuildProblem),
    /// Its program cannot be used.
    NotUsable {
        /// The backend.
        name: BackendName,
        /// What is wrong with its program.
        problem: NotUsable,
        /// How to get one that works.
        next: String,
    },
    /// There is no place for the kit's files.
    Directory {
        /// Where it was to be.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The kit's data directory is in trouble.
    Store(StoreError),
}

impl KitProblem {
    /// The problem and its reason, and the next step.
    pub fn explain(&self) -> Refused {
        match self {
            Self::UnknownBackend(problem) => Refused::new(problem.explain().problem, "name one of them"),
            Self::Build(problem) => Refused::without_advice(problem.to_string()),
            Self::NotUsable { name, problem, next } => refusals::not_usable(name, problem, next),
            Self::Directory { path, source } => refusals::no_directory_for_kit(path, source),
            Self::Store(problem) => Refused::without_advice(problem.to_string()),
        }
    }
}

impl fmt::Display for KitProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain().plain())
    }
}

impl std::error::Error for KitProblem {}

impl From<BuildProblem> for KitProblem {
    fn from(problem: BuildProblem) -> Self {
        Self::Build(problem)
    }
}

impl From<StoreError> for KitProblem {
    fn from(problem: StoreError) -> Self {
        Self::Store(problem)
    }
}

impl Kit {
    /// A kit for the backend `name` of `config`. It works in a directory of its own inside the data directory, where no
    /// limit on running tasks, no fallback and no rule on directories counts, and what an agent leaves running is stopped;
    /// all other rules of the configuration count. `limit` is the most time for one task.
    ///
    /// `supervisor` is the program that runs tasks, where it is not this one. Fails with a [`KitProblem`].
    pub async fn new(
        mut config: Config,
        registry: &Registry,
        supervisor: Option<PathBuf>,
        name: &str,
        scope: KitScope,
        limit: Duration,
    ) -> Result<Self, KitProblem> {
        let Some(frozen) = config.backends.iter().find(|(known, _)| known.as_str() == name).map(|(_, frozen)| frozen)
        else {
            return Err(KitProblem::UnknownBackend(UnknownBackend::new(name, config.backends.keys())));
        };
        let backend = registry.build(frozen)?;
        // It makes the directory as for any task: for its owner alone.
        Upkeep::open(&config.data_dir, &config.log_dir)
            .map_err(|StoreError { path, source, .. }| KitProblem::Directory { path, source })?;
        let directory = KitDirectory::in_dir(&config.data_dir)
            .map_err(|source| KitProblem::Directory { path: config.data_dir.clone(), source })?;
        config.data_dir = directory.data_dir();
        config.log_dir = directory.data_dir().join("logs");
        config.max_running = 0;
        config.retention = Retention::default();
        config.fallbacks.clear();
        config.policy.on_server_exit = OnServerExit::Interrupt;
        config.policy.on_agent_exit = OnAgentExit::Kill;
        config.policy.keep_events = true;
        for ceiling in config.ceilings.values_mut() {
            ceiling.roots.clear();
        }
        let ceiling = config.ceilings.get(backend.name()).cloned().unwrap_or_default();
        let limit = limit.min(ceiling.timeout.unwrap_or(limit));
        let upkeep = Upkeep::open(&config.data_dir, &config.log_dir)?;
        let (program, installed) =
            installed(&*backend, &ProbeCache::of(&upkeep), Freshness::Fresh, None).await.map_err(|problem| {
                KitProblem::NotUsable { name: backend.name().clone(), next: problem.next(&*backend), problem }
            })?;
        let executor = Arc::new(LocalExecutor::new(supervisor, upkeep.clone(), config.index));
        let reader = upkeep.reader().clone();
        let broker = Broker::new(config.clone(), registry, upkeep, executor)?;
        let sandboxes = installed.sandboxes.iter().copied().filter(|sandbox| *sandbox <= ceiling.sandbox).collect();
        let (answered, writes) = (None, None);
        Ok(Self { broker, reader, backend, installed, sandboxes, program, directory, scope, limit, answered, writes })
    }

    /// The version of the agent, as it writes it.
    pub fn version(&self) -> &str {
        &self.installed.version
    }

    /// The agent's program.
    pub fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// Tries everything, and hands each finding to `report` as soon as there is one.
    ///
    /// When it is dropped on the way, call [`Kit::stop`] and wait for that.
    pub async fn run(&mut self, mut report: impl FnMut(&CaseFinding)) -> Vec<CaseFinding> {
        let mut findings = vec![];
        let scope = self.scope;
        for case in Case::ALL.into_iter().filter(|case| scope == KitScope::Full || case.is_safe()) {
            let (verdict, words) = match &self.answered {
                None if case.needs_an_answer() => {
                    (CaseVerdict::Unknown, "not tried, since it gave no answer".to_owned())
                }
                Some(_) | None => self.judge(case).await,
            };
            let finding = CaseFinding { case, verdict, words };
            report(&finding);
            findings.push(finding);
        }
        findings
    }

    /// Stops what still runs.
    pub async fn stop(&self) {
        let listing = self.broker.list(Some(TaskStatus::Running), usize::MAX).await;
        for record in listing.map(|listing| listing.records).unwrap_or_default() {
            // One that cannot be stopped now ends with this process, which its supervisor notices.
            let _ = self.broker.cancel(&record.id).await;
        }
    }

    /// Keeps the directory with the records, logs and events of everything that was tried, and says where it is. Without
    /// this it is removed.
    pub fn keep_files(self) -> PathBuf {
        self.directory.keep()
    }

    /// Removes everything, once no supervisor writes there any more.
    pub async fn clean_up(self) {
        self.directory.remove().await;
    }
}
