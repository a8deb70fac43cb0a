//! Operations on tasks: submit, follow, view, list and cancel. The MCP layer and the command line use the broker; only
//! `notify` uses the store directly.
//!
//! The broker knows a task only through its files, so it does not matter which server submitted the task. Everything
//! that it returns is redacted: secrets in untrusted text are removed here, before the text is combined with our own.

mod cancel;
mod changes;
mod directory;
mod disk;
#[cfg(test)]
mod fake_executor;
mod find;
mod follow;
mod guarded;
mod lists;
mod log;
mod not_one_task;
mod not_operable;
mod operation;
mod overdue;
mod path_selection;
mod refusal;
mod remove;
mod reporting;
mod resume;
mod steps;
mod submit;
mod task_patch;
#[cfg(test)]
mod tests;
mod usage;
mod view;
mod workspace_problem;
mod worktrees;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrono::Utc;
use connector_api::{AgentBackend, BackendName};
use tokio::time::sleep;

pub use cancel::Cancelled;
pub use changes::DiffContent;
pub use follow::{FollowedTask, TaskNews, TaskUpdate};
use guarded::GuardedTasks;
pub use log::{TaskEvents, TaskLog};
pub use not_one_task::NotOneTask;
pub use not_operable::NotOperable;
pub use operation::{ApplyRequest, UndoRequest};
pub use path_selection::PathSelection;
pub use refusal::{NotRemovable, NotResumable, Refusal, UnknownBackend};
pub use remove::PruneRules;
pub use reporting::PendingReport;
pub use resume::{Resumable, Resume};
pub use submit::{NewTask, TimeLimit};
pub use task_patch::TaskPatch;

use crate::{
    config::Config,
    executor::Executor,
    follower::Watches,
    present::Refused,
    redact::Redactor,
    registry::{BuildProblem, Registry},
    store::{ProbeCache, Reader, Requests, Upkeep},
    task::{TaskId, TaskRecord},
    visible::shell_line,
};

/// One configuration, one data directory and one executor.
#[derive(Debug, Clone)]
pub struct Broker {
    config: Arc<Config>,
    backends: Arc<BTreeMap<BackendName, Arc<dyn AgentBackend>>>,
    reader: Reader,
    upkeep: Upkeep,
    requests: Requests,
    probes: ProbeCache,
    executor: Arc<dyn Executor>,
    redactor: Redactor,
    /// Reports of writes to timelines.
    watches: Watches,
    /// Running tasks of other servers whose time limits are enforced here.
    guarded: Arc<Mutex<GuardedTasks>>,
}

/// The name of the installed program.
const PROGRAM: &str = "codex-connector";

/// How often old tasks are removed.
const REMOVAL_INTERVAL: Duration = Duration::from_secs(60 * 60);

impl Broker {
    /// A broker for an open data directory. Fails if a configured backend cannot be built.
    pub fn new(
        config: Config,
        registry: &Registry,
        upkeep: Upkeep,
        executor: Arc<dyn Executor>,
    ) -> Result<Self, BuildProblem> {
        let built = config.backends.iter().map(|(name, frozen)| Ok((name.clone(), registry.build(frozen)?)));
        let backends = built.collect::<Result<_, BuildProblem>>()?;
        let redactor = if config.policy.redact { Redactor::of(std::env::vars_os()) } else { Redactor::default() };
        let redactor = redactor.sparing(&[&config.data_dir, &config.log_dir, &config.file]);
        Ok(Self {
            config: Arc::new(config),
            backends: Arc::new(backends),
            reader: upkeep.reader().clone(),
            requests: Requests::of(&upkeep),
            probes: ProbeCache::of(&upkeep),
            upkeep,
            executor,
            redactor,
            watches: Watches::new(),
            guarded: Arc::default(),
        })
    }

    /// Redacts texts of callers and agents that are not in a record. Keeps the paths of our own files.
    pub(crate) fn redactor(&self) -> &Redactor {
        &self.redactor
    }

    /// The explanation of a refusal, redacted.
    pub(crate) fn explain(&self, refusal: &Refusal) -> Refused {
        refusal.explain().redacted(&self.redactor)
    }

    /// Redacts texts in files of this task. Also keeps its working directory.
    fn redactor_for(&self, record: &TaskRecord) -> Redactor {
        self.redactor.sparing(&[&record.progress.working_directory])
    }

    /// The record, redacted.
    fn clean(&self, mut record: TaskRecord) -> TaskRecord {
        let redactor = self.redactor_for(&record);
        if !redactor.is_idle() {
            record.untrusted_texts().for_each(|text| redactor.redact(text));
        }
        record.resumption = self.resumption_of(&record);
        record.standing = self.standing_of(&record);
        record
    }

    /// Whether this backend is configured and can resume sessions.
    pub fn can_resume(&self, backend: &BackendName) -> bool {
        self.backends.get(backend).is_some_and(|backend| backend.capabilities().resume)
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// A shell command that waits for the task with this program and data directory. It works without the environment
    /// of this process: settings from the environment or from flags are part of the command.
    ///
    /// Searches the directories on `PATH`. If they do not respond, the command uses the program's plain name.
    pub async fn wait_command(&self, id: &TaskId) -> String {
        let plain = format!("{PROGRAM} wait {id}");
        let id = id.clone();
        self.on_disk(move |broker| broker.wait_command_now(&id)).await.unwrap_or(plain)
    }

    fn wait_command_now(&self, id: &TaskId) -> String {
        let own = std::env::current_exe().unwrap_or_else(|_| PROGRAM.into());
        let on_path = which::which(PROGRAM).ok().and_then(|found| found.canonicalize().ok());
        let is_on_path = on_path.is_some_and(|found| own.canonicalize().is_ok_and(|own| own == found));
        let program = if is_on_path { PROGRAM.to_owned() } else { own.display().to_string() };
        let mut words = vec![program, "wait".to_owned(), id.to_string()];
        let home = std::env::home_dir().map(|home| home.join(".codex-connector"));
        let is_default = |path: &Path, name: &str| home.as_ref().is_some_and(|home| path == home.join(name));
        if self.config.file.exists() && !is_default(&self.config.file, "config.toml") {
            words.extend(["--config".to_owned(), self.config.file.display().to_string()]);
        }
        if !is_default(&self.config.data_dir, "") {
            words.extend(["--data-dir".to_owned(), self.config.data_dir.display().to_string()]);
        }
        if self.config.log_dir != self.config.data_dir.join("logs") {
            words.extend(["--set".to_owned(), format!("log_dir={}", self.config.log_dir.display())]);
        }
        words.extend(self.config.passed_on.iter().flat_map(|assignment| ["--set".to_owned(), assignment.clone()]));
        shell_line(words.iter().map(String::as_str))
    }

    /// Finalizes all tasks whose supervisor is gone, brings the catalog up to date, cleans up the workspaces of ended and
    /// removed tasks, and, if retention is limited, removes old tasks now and once an hour. A server runs this in the background from its start until its exit.
    pub async fn run_maintenance(&self) {
        if let Err(error) = self.executor.settle_all().await {
            tracing::warn!(%error, "cannot finalize interrupted tasks");
        }
        self.in_background(|broker| broker.upkeep.catch_up(Utc::now())).await;
        let rules = self.config.retention;
        loop {
            let done = self.in_background(move |broker| broker.upkeep.remove_old(rules, Utc::now())).await;
            if let Some(Err(error)) = done {
                tracing::warn!(%error, "cannot remove old tasks");
            }
            self.in_background(|broker| broker.clean_up_workspaces(None)).await;
            if rules.keeps_everything() {
                return;
            }
            sleep(REMOVAL_INTERVAL).await;
        }
    }
}
