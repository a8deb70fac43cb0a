//! The conformance kit: tests the promises of a backend with the installed agent, one short task at a time.
//!
//! The prompts are plain sentences, which both real models and the scripted models of the tests understand. The tasks
//! are ordinary tasks of this program, in a separate data directory and project. After each task, the kit looks for
//! processes that it left running.
//!
//! The kit does not test the model: if the model does not do what the prompt asks, the verdict is
//! [`CaseVerdict::Unknown`].

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
    config::{Config, ServerExitRule},
    executor::LocalExecutor,
    present::{Refused, refusals},
    probing::{Freshness, NotUsable, installed},
    registry::{BuildProblem, Registry},
    store::{ProbeCache, Reader, StoreError, Upkeep},
    task::{OnAgentExit, Retention, TaskStatus},
};

/// Which cases are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KitScope {
    /// Only cases that change no files and run no commands. An agent without a restricted sandbox runs them in
    /// `danger-full-access`.
    Safe,
    /// All cases, including changes to files in the kit's directory and commands, in every sandbox that the ceiling
    /// allows.
    Full,
}

/// The verdict on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CaseVerdict {
    /// The agent keeps the promise.
    Yes,
    /// The agent does not have the capability, or does not report the value.
    No,
    /// The agent broke the promise.
    Broken,
    /// The task did not get far enough to test the promise.
    Unknown,
}

/// The result of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CaseFinding {
    /// The case.
    pub case: Case,
    /// The verdict.
    pub verdict: CaseVerdict,
    /// The reason for the verdict, for people.
    pub words: String,
}

/// The kit for one backend.
#[derive(Debug)]
pub struct Kit {
    broker: Broker,
    reader: Reader,
    backend: Arc<dyn AgentBackend>,
    installed: Installed,
    /// The agent's sandboxes that the ceiling allows, the most restrictive first.
    sandboxes: Vec<Sandbox>,
    program: PathBuf,
    directory: KitDirectory,
    scope: KitScope,
    /// Time limit for each task.
    limit: Duration,
    /// The first task, if it completed. Other cases reuse its session and values.
    answered: Option<Trial>,
    /// The result of [`unsandboxed_writes`](Self::unsandboxed_writes), once it has run.
    writes: Option<Writes>,
}

/// The files that an agent created outside the project without a sandbox. If it created none, their absence in a
/// sandbox proves nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Writes {
    by_editor: bool,
    by_command: bool,
    /// The names of the processes that the agent left running.
    survivors: Vec<String>,
}

/// Why the kit cannot run.
#[derive(Debug)]
pub enum KitProblem {
    /// No backend has the requested name.
    UnknownBackend(UnknownBackend),
    /// The backend's kind rejects its settings.
    Build(BuildProblem),
    /// The backend's program cannot be used.
    NotUsable {
        /// The backend.
        name: BackendName,
        /// The problem with its program.
        problem: NotUsable,
        /// How to install a program that works.
        next: String,
    },
    /// The kit's directory cannot be created.
    Directory {
        /// The parent directory.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },
    /// The kit's data directory cannot be used.
    Store(StoreError),
}

impl KitProblem {
    /// The message for the problem, with the next step.
    pub fn explain(&self) -> Refused {
        match self {
            Self::UnknownBackend(problem) => problem.explain_for_check("check --deep"),
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

/// A report about a run of the kit.
#[derive(Debug)]
pub enum KitNews<'a> {
    /// The test of a case begins.
    Begins {
        /// The case.
        case: Case,
        /// Its number, from 1.
        number: usize,
        /// The number of all cases in the scope.
        count: usize,
    },
    /// The verdict on a case.
    Found(&'a CaseFinding),
}

impl Kit {
    /// Creates a kit for the backend `name` of `config`, in a new directory inside the data directory. The kit ignores
    /// the limit on running tasks, fallbacks and the ceiling's `roots`, and it stops processes that an agent leaves
    /// running. All other settings apply. `limit` is the time limit for each task.
    ///
    /// `supervisor` is the program that runs the tasks, if it is not this program. Fails with a [`KitProblem`].
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
        // This creates the data directory with the usual permissions, for its owner only.
        Upkeep::open(&config.data_dir, &config.log_dir)
            .map_err(|StoreError { path, source, .. }| KitProblem::Directory { path, source })?;
        let directory = KitDirectory::in_dir(&config.data_dir)
            .map_err(|source| KitProblem::Directory { path: config.data_dir.clone(), source })?;
        config.data_dir = directory.data_dir();
        config.log_dir = directory.data_dir().join("logs");
        config.max_running = 0;
        config.retention = Retention::default();
        config.fallbacks.clear();
        config.on_server_exit = ServerExitRule::Interrupt;
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

    /// The agent's version, as the agent reports it.
    pub fn version(&self) -> &str {
        &self.installed.version
    }

    /// The agent's program.
    pub fn program(&self) -> &std::path::Path {
        &self.program
    }

    /// The tested backend.
    pub(crate) fn backend(&self) -> &dyn AgentBackend {
        &*self.backend
    }

    /// Tests all cases in the scope. `report` gets each case when its test begins, and each finding as soon as it is
    /// known.
    ///
    /// If you drop this future before it completes, call [`Kit::stop`] and wait for it.
    pub async fn run(&mut self, mut report: impl FnMut(KitNews<'_>)) -> Vec<CaseFinding> {
        let mut findings = vec![];
        let scope = self.scope;
        let cases: Vec<_> = Case::ALL.into_iter().filter(|case| scope == KitScope::Full || case.is_safe()).collect();
        for (at, case) in cases.iter().copied().enumerate() {
            report(KitNews::Begins { case, number: at + 1, count: cases.len() });
            let (verdict, words) = match &self.answered {
                None if case.needs_an_answer() => (CaseVerdict::Unknown, "skipped (first test failed)".to_owned()),
                Some(_) | None => self.judge(case).await,
            };
            let finding = CaseFinding { case, verdict, words };
            report(KitNews::Found(&finding));
            findings.push(finding);
        }
        findings
    }

    /// Cancels the tasks that still run.
    pub async fn stop(&self) {
        let listing = self.broker.list(Some(TaskStatus::Running), usize::MAX).await;
        for record in listing.map(|listing| listing.records).unwrap_or_default() {
            // If this fails, the task's supervisor stops its agent when this process exits.
            let _ = self.broker.cancel(&record.id).await;
        }
    }

    /// Keeps the kit's directory with the records, logs and events of its tasks, and returns its path. Otherwise the
    /// directory is removed when the kit is dropped.
    pub fn keep_files(self) -> PathBuf {
        self.directory.keep()
    }

    /// Removes the kit's directory as soon as no supervisor writes to it any more.
    pub async fn clean_up(self) {
        self.directory.remove().await;
    }
}
