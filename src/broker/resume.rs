//! Finds the session of an earlier task in order to resume it.

use std::path::PathBuf;

use connector_api::{BackendName, Sandbox, Usage};

use super::{Broker, NotResumable, Refusal};
use crate::{
    config::ExtraTool,
    store::{StoreError, Workspaces},
    task::{Resumption, TaskId, TaskRecord, TaskStatus, Untrusted},
    visible::shell_line,
};

/// Maximum number of tasks of one session that are searched for its worktree.
const MAX_TASKS: usize = 100;

/// The earlier session that a task resumes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resume {
    /// The agent's own ID for it.
    pub session: String,
    /// The task that is resumed, if known.
    pub task: Option<TaskId>,
    /// The sandbox of the task that is resumed, if known.
    pub sandbox: Option<Sandbox>,
    /// Tokens that the session has used so far, if its newest task reported them.
    pub used: Option<Usage>,
    /// The task in whose worktree the session continues, and the directory that the worktree replaces; `None` if the
    /// session had no worktree.
    pub continues: Option<(TaskId, PathBuf)>,
}

/// A session that can be resumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resumable {
    /// The session.
    pub resume: Resume,
    /// Its agent's working directory; `None` if no task with this session is known.
    pub working_directory: Option<PathBuf>,
    /// Its backend; `None` if no task with this session is known.
    pub backend: Option<BackendName>,
}

impl Broker {
    /// The session of a task. Fails if the task is running or has no session, or if another task is using the session.
    pub async fn session_of(&self, id: &TaskId) -> Result<Resumable, Refusal> {
        let record = self.view(id, 1).await?.record;
        let refuse = |why: NotResumable| Err(Refusal::NotResumable(why));
        if !record.is_final() {
            return refuse(NotResumable::StillRuns(id.clone()));
        }
        let Some(session) = record.progress.session_id.clone().map(Untrusted::into_raw) else {
            return refuse(NotResumable::NoSession(id.clone()));
        };
        self.check_free(&session).await?;
        let tasks = self.newest_of(&session).await?;
        let continues = self.worktree_of(if tasks.is_empty() { std::slice::from_ref(&record) } else { &tasks }).await?;
        Ok(resumable(session, Some(&record), tasks.first(), continues))
    }

    /// The session with this ID, which need not belong to a known task. Fails if a running task is using it.
    pub async fn session_named(&self, session: &str) -> Result<Resumable, Refusal> {
        self.check_free(session).await?;
        let tasks = self.newest_of(session).await?;
        let (newest, continues) = (tasks.first(), self.worktree_of(&tasks).await?);
        Ok(resumable(session.to_owned(), newest, newest, continues))
    }

    /// How the session of an ended task can be continued. Records of the original program do not contain a backend;
    /// their tasks belong to the default backend.
    pub(super) fn resumption_of(&self, record: &TaskRecord) -> Resumption {
        let backend = record.progress.backend.as_ref().unwrap_or(&self.config.default_backend);
        let (Some(session), Some(agent), true) =
            (&record.progress.session_id, self.backends.get(backend), record.is_final())
        else {
            return Resumption::default();
        };
        let by_tool = self.config.serving.extra_tools.contains(&ExtraTool::Resume) && self.can_resume(backend);
        // An agent's word that is not an ID does not belong into a command.
        let is_id = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
        // A worktree may be gone, and a new one is only made for a new task.
        let has_worktree = record.progress.workspace.as_ref().is_some_and(|state| state.worktree.is_some());
        let session = Some(session.raw())
            .filter(|_| !has_worktree)
            .filter(|id| !id.is_empty() && !id.starts_with('-') && id.chars().all(is_id));
        let command = session.and_then(|session| agent.resume_in_terminal(session)).map(|mut words| {
            if let (Some(rest), Some(home)) = (words[0].strip_prefix("~/"), std::env::home_dir()) {
                words[0] = home.join(rest).display().to_string();
            }
            let directory = record.progress.working_directory.to_string_lossy();
            let enter = shell_line(["cd", &*directory]);
            format!("{enter} && {}", shell_line(words.iter().map(String::as_str)))
        });
        Resumption { by_tool, command }
    }

    /// The newest of these tasks, newest first, whose agent may have started. If it had its own worktree: its ID, and the
    /// directory that the worktree replaces.
    async fn worktree_of(&self, tasks: &[TaskRecord]) -> Result<Option<(TaskId, PathBuf)>, Refusal> {
        let ids: Vec<TaskId> = tasks.iter().map(|record| record.id.clone()).collect();
        let read = move |broker: &Self| -> Result<_, StoreError> {
            let files = Workspaces::of(&broker.upkeep);
            for id in ids {
                // A task that ended before its agent started has no workspace.
                if let Some(found) = files.read(&id)? {
                    return Ok(Some(found));
                }
            }
            Ok(None)
        };
        let found = self.on_disk(read).await??.filter(|workspace| workspace.worktree.is_some());
        Ok(found.map(|workspace| (workspace.task, workspace.place.top.join(workspace.place.prefix))))
    }

    /// The newest tasks with this session, newest first.
    async fn newest_of(&self, session: &str) -> Result<Vec<TaskRecord>, Refusal> {
        let session = session.to_owned();
        let read = move |broker: &Self| {
            let found = broker.reader.newest_of_session(&session, MAX_TASKS)?;
            Ok(found.into_iter().map(|record| broker.clean(record)).collect())
        };
        self.on_disk(read).await?
    }

    /// Fails if a running task is using the session. Two agents in one session would overwrite each other's state.
    async fn check_free(&self, session: &str) -> Result<(), Refusal> {
        for record in self.list(Some(TaskStatus::Running), usize::MAX).await?.records {
            if record.progress.session_id.as_ref().is_some_and(|its| its == session) {
                let in_use = NotResumable::InUse { session: session.into(), by: record.id };
                return Err(Refusal::NotResumable(in_use));
            }
        }
        Ok(())
    }
}

/// The session of the task with this record. `newest` is the record of the newest task with the session.
fn resumable(
    session: String,
    record: Option<&TaskRecord>,
    newest: Option<&TaskRecord>,
    continues: Option<(TaskId, PathBuf)>,
) -> Resumable {
    // The worktree itself may be gone, and the ceiling is about the directory that it replaces.
    let source = continues.as_ref().map(|(_, source)| source.clone());
    let used = newest.and_then(TaskRecord::session_total);
    Resumable {
        resume: Resume {
            session,
            task: record.map(|record| record.id.clone()),
            sandbox: record.and_then(|record| record.start.sandbox),
            used,
            continues,
        },
        working_directory: source.or_else(|| record.map(|record| record.progress.working_directory.clone())),
        backend: record.and_then(|record| record.progress.backend.clone()),
    }
}
