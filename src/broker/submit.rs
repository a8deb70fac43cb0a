//! Submits a task. Every possible refusal happens before the task is created.

use std::{convert::Infallible, path::PathBuf, sync::Arc, time::Duration};

use chrono::Utc;
use connector_api::{AgentBackend, AgentRequest, BackendName, Sandbox};

use super::{
    Broker, Refusal, Resume, UnknownBackend,
    directory::{Checked, Conditions},
    overdue,
};
use crate::{
    executor::Started,
    probing::Freshness,
    task::{
        ChosenBy, Fallback, Policy, SPEC_FORMAT, SandboxChoice, Snapshots, Submitter, TaskId, TaskSpec, TreeUse,
        WorkspaceSpec,
    },
};

/// A request for a new task.
#[derive(Debug, Clone)]
pub struct NewTask {
    /// The prompt for the agent.
    pub prompt: String,
    /// The working directory, in a form that [`absolute`](crate::directory::absolute) accepts.
    pub working_directory: PathBuf,
    /// The sandbox; by default, that of the session that is resumed, or else the configured one.
    pub sandbox: Option<Sandbox>,
    /// The model; by default, the backend's configuration decides.
    pub model: Option<String>,
    /// The time limit.
    pub time_limit: TimeLimit,
    /// The backend; by default, the configured one.
    pub backend: Option<BackendName>,
    /// The earlier session to resume.
    pub resume: Option<Resume>,
    /// Whether the task gets its own worktree; by default, the configuration decides.
    pub worktree: Option<TreeUse>,
    /// The submitter.
    pub submitter: Submitter,
}

/// The time limit of a new task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// The configured default.
    Default,
    /// No limit.
    None,
    /// The task is stopped after this time.
    After(Duration),
}

/// Maximum number of IDs to try. IDs are random, so only another problem can make this many fail in a row.
const MAX_ATTEMPTS: usize = 8;

/// The name in `NAME/`. No model has such a name, so it can only mean a backend.
fn bare_name(model: &str) -> Option<&str> {
    model.strip_suffix('/').filter(|name| !name.is_empty() && !name.contains('/'))
}

impl Broker {
    /// Starts a task and returns its ID, without waiting for the agent.
    ///
    /// Fails with a [`Refusal`] if the request cannot be carried out exactly. A missing agent is not a refusal: the
    /// task is created and then fails.
    pub async fn submit(&self, task: NewTask) -> Result<TaskId, Refusal> {
        let (named, model) = self.instance_in(task.model, task.backend.is_some());
        let backend = task.backend.or(named);
        if let (None, Some(unknown)) = (&backend, model.as_deref().and_then(bare_name)) {
            return Err(UnknownBackend::new(unknown, self.backends.keys()).into());
        }
        let name = backend.unwrap_or_else(|| self.config.default_backend.clone());
        let (Some(backend), Some(frozen)) = (self.backends.get(&name), self.config.backends.get(&name)) else {
            return Err(UnknownBackend::new(name.as_str(), self.backends.keys()).into());
        };
        // A resumed session never gets more than its earlier task unless the call asks for it.
        let earlier = task.resume.as_ref().and_then(|resume| resume.sandbox);
        let (sandbox, sandbox_by) = match (task.sandbox, earlier) {
            (Some(sandbox), _) => (sandbox, SandboxChoice::Call),
            (None, Some(sandbox)) => (sandbox, SandboxChoice::EarlierTask),
            (None, None) => {
                let (sandbox, key) = self.config.default_sandbox_of(&name);
                (sandbox, SandboxChoice::Default { key })
            }
        };
        if task.worktree == Some(TreeUse::Always) && sandbox == Sandbox::ReadOnly {
            return Err(Refusal::WorktreeForReading);
        }
        let request = AgentRequest {
            prompt: task.prompt,
            working_directory: task.working_directory,
            sandbox,
            model,
            resume: task.resume.as_ref().map(|resume| resume.session.clone()),
        };
        let (timeout, timeout_by) = match task.time_limit {
            TimeLimit::Default => (self.config.policy.timeout, ChosenBy::Default),
            TimeLimit::None => (None, ChosenBy::Call),
            TimeLimit::After(limit) => (Some(limit), ChosenBy::Call),
        };
        let ceiling = self.config.ceilings.get(&name).cloned().unwrap_or_default();
        let conditions = Conditions {
            ceiling: ceiling.clone(),
            sandbox_by,
            timeout,
            timeout_by,
            backend: Arc::clone(backend),
            reader: self.reader.clone(),
            config_file: self.config.file.clone(),
            programs: self.backends.values().map(|backend| backend.program().to_owned()).collect(),
        };
        let Checked { request, repository, trusted_files } = conditions.check(request).await?;
        self.dry_run(backend, &request).await?;
        let continues = task.resume.as_ref().and_then(|resume| resume.continues.as_ref());
        let continues = continues.filter(|(_, source)| *source == request.working_directory);
        let mut workspace = self.workspace_of(&name, sandbox, task.worktree);
        if let Some((earlier, _)) = continues {
            workspace = WorkspaceSpec { tree: TreeUse::Always, continues: Some(earlier.clone()), ..workspace };
        }
        let on_server_exit = self.config.on_server_exit.resolve(task.submitter.by);
        let mut spec = TaskSpec {
            format: SPEC_FORMAT,
            id: TaskId::random(),
            submitted_at: Utc::now(),
            attempt: 1,
            request,
            backend: frozen.clone(),
            policy: Policy { timeout, on_server_exit, ..self.config.policy.clone() },
            index: self.config.index,
            max_running: self.config.max_running,
            ceiling,
            workspace,
            trusted_files,
            repository: Some(repository),
            submitter: task.submitter,
            fallbacks: self.fallbacks_of(&name, task.resume.is_some()),
            session_usage: task.resume.as_ref().and_then(|resume| resume.used),
            resumed_from: task.resume.and_then(|resume| resume.task),
        };
        for _ in 0..MAX_ATTEMPTS {
            match self.executor.start(&spec).await? {
                Started::Task => {
                    self.enforce_limit_in_background(&spec);
                    return Ok(spec.id);
                }
                Started::IdInUse => spec.id = TaskId::random(),
            }
        }
        Err(Refusal::Start(crate::executor::StartError::Refused("every ID that was tried is in use".to_owned())))
    }

    /// How a task of this backend treats its repository. A task that can change nothing has no changes to show.
    fn workspace_of(&self, name: &BackendName, sandbox: Sandbox, worktree: Option<TreeUse>) -> WorkspaceSpec {
        let configured = self.config.workspaces.get(name).unwrap_or(&self.config.workspace);
        match sandbox {
            Sandbox::ReadOnly => {
                WorkspaceSpec { snapshots: Snapshots::Off, tree: TreeUse::Never, ..configured.clone() }
            }
            Sandbox::WorkspaceWrite | Sandbox::DangerFullAccess => {
                WorkspaceSpec { tree: worktree.unwrap_or(configured.tree), ..configured.clone() }
            }
        }
    }

    /// The fallbacks of a backend. Empty for a task that resumes a session, because only the session's own backend has
    /// it.
    fn fallbacks_of(&self, name: &BackendName, resumes: bool) -> Vec<Fallback> {
        let names = self.config.fallbacks.get(name).filter(|_| !resumes).into_iter().flatten();
        let fallback = |name: &BackendName| {
            let backend = self.config.backends.get(name)?.clone();
            Some(Fallback { backend, ceiling: self.config.ceilings.get(name).cloned().unwrap_or_default() })
        };
        names.filter_map(fallback).collect()
    }

    /// Splits `NAME/model` into the backend NAME and the model, which may be empty. If no backend is called NAME, the
    /// whole text is the model. A bare NAME means that backend, unless it is the default one, whose models may have any
    /// name, or the backend is chosen already.
    fn instance_in(&self, model: Option<String>, is_chosen: bool) -> (Option<BackendName>, Option<String>) {
        let Some((name, rest)) = model.as_deref().and_then(|model| model.split_once('/')) else {
            let others = self.backends.keys().filter(|name| !is_chosen && **name != self.config.default_backend);
            let named = others.into_iter().find(|name| model.as_deref() == Some(name.as_str()));
            return if named.is_some() { (named.cloned(), None) } else { (None, model) };
        };
        match self.backends.keys().find(|known| known.as_str() == name) {
            Some(known) => (Some(known.clone()), Some(rest.to_owned()).filter(|rest| !rest.is_empty())),
            None => (None, model),
        }
    }

    /// Finalizes this server's task as soon as its supervisor is gone, and enforces the time limit if the supervisor is
    /// suspended. Without a working supervisor, nothing else limits the agent.
    fn enforce_limit_in_background(&self, spec: &TaskSpec) {
        let Some(mut hints) = self.executor.hints(&spec.id) else { return };
        let (broker, id, limit) = (self.clone(), spec.id.clone(), overdue::EnforcedLimit::of(spec));
        tokio::spawn(async move {
            // Waits for the supervisor's exit, not for its hint that the task has ended, so as not to compete for the
            // files with the call that waits for the answer.
            let gone = async { while hints.changed().await.is_ok() {} };
            let overdue = async {
                let Some(limit) = limit else { return std::future::pending().await };
                if let Err(problem) = broker.enforce(limit, &id).await {
                    tracing::warn!(%problem, task = %id, "cannot enforce the task's time limit");
                }
                // Keep waiting for the supervisor's exit.
                std::future::pending::<Infallible>().await
            };
            tokio::select! {
                () = gone => {}
                never = overdue => match never {},
            }
            if let Err(problem) = broker.ended(&id).await {
                tracing::warn!(%problem, task = %id, "cannot finalize the task");
            }
        });
    }

    /// Builds the command line without running it. Before a refusal based on cached answers, probes the program again.
    async fn dry_run(&self, backend: &Arc<dyn AgentBackend>, request: &AgentRequest) -> Result<(), Refusal> {
        for freshness in [Freshness::Kept, Freshness::Fresh] {
            let refusal = match self.probed(backend, freshness, request).await? {
                Ok(installed) => match backend.launch(request, &installed) {
                    Ok(_) => return Ok(()),
                    Err(unsupported) => Refusal::Unsupported(unsupported),
                },
                Err(problem) if problem.is_refusal() => {
                    let (backend, next) = (backend.name().clone(), problem.next(&**backend));
                    return Err(Refusal::NotUsable { backend, problem, next });
                }
                Err(_) => return Ok(()),
            };
            if freshness == Freshness::Fresh {
                return Err(refusal);
            }
        }
        Ok(())
    }
}
