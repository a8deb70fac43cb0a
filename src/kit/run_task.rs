//! Runs one task of the kit from start to end.

use std::{path::PathBuf, time::Duration};

use connector_api::Sandbox;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Kit,
    trial::{Trial, is_written},
};
use crate::{
    broker::{NewTask, Refusal, Resume, TaskUpdate, TimeLimit},
    process::{kill_agent, left_behind},
    task::{Submitter, TaskId, TaskRecord},
};

/// A task of the kit.
#[derive(Debug, Clone)]
pub(super) struct KitTask {
    pub(super) prompt: String,
    pub(super) directory: PathBuf,
    pub(super) sandbox: Sandbox,
    pub(super) model: Option<String>,
    pub(super) session: Option<String>,
    pub(super) limit: Duration,
    pub(super) interference: Interference,
}

/// An action of the kit while the task runs.
#[derive(Debug, Clone)]
pub(super) enum Interference {
    /// No action.
    None,
    /// Cancels the task as soon as its agent prints an event, or after [`START_TIMEOUT`].
    CancelOnceWorking,
    /// Cancels the task as soon as this file is written.
    CancelOnceWritten(PathBuf),
    /// Kills the agent's process as soon as this file is written.
    KillOnceWritten(PathBuf),
}

/// How long to wait for the first event. A silent agent is assumed to be working after this time.
const START_TIMEOUT: Duration = Duration::from_secs(12);
const POLL_INTERVAL: Duration = Duration::from_millis(50);
/// How long after its time limit a task must have ended. Longer than any grace period.
const END_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a killed process may take to disappear from the process table.
const EXIT_TIMEOUT: Duration = Duration::from_secs(1);

impl Kit {
    /// Runs one task, and then looks for processes that it left running.
    pub(super) async fn run_task(&self, kit_task: KitTask) -> Result<Trial, Refusal> {
        let task = NewTask {
            prompt: kit_task.prompt,
            working_directory: kit_task.directory,
            sandbox: Some(kit_task.sandbox),
            model: kit_task.model,
            time_limit: TimeLimit::After(kit_task.limit),
            backend: Some(self.backend.name().clone()),
            resume: kit_task.session.map(|session| Resume {
                session,
                task: None,
                sandbox: None,
                used: None,
                continues: None,
            }),
            worktree: None,
            submitter: Submitter::default(),
        };
        let id = self.broker.submit(task).await?;
        let deadline = kit_task.limit.saturating_add(END_TIMEOUT);
        let (interfered, record, is_stuck) =
            match timeout(deadline, self.follow_to_end(&id, &kit_task.interference)).await {
                Ok(ended) => {
                    let (interfered, record) = ended?;
                    (interfered, record, false)
                }
                Err(_) => {
                    // `cancel` kills a supervisor that does not respond.
                    self.broker.cancel(&id).await?;
                    (false, self.broker.view(&id, 1).await?.record, true)
                }
            };
        let answer =
            self.broker.result(&record).await?.map(|result| format!("{}{}", result.head.raw(), result.tail.raw()));
        let mut survivors = self.processes_left_by(&record).await;
        if is_stuck {
            survivors.push("the task itself, long after its time limit".to_owned());
        }
        Ok(Trial { record, answer: answer.unwrap_or_default(), survivors, interfered })
    }

    async fn follow_to_end(&self, id: &TaskId, interference: &Interference) -> Result<(bool, TaskRecord), Refusal> {
        let interfered = self.interfere(id, interference).await?;
        let mut follow = self.broker.follow(id);
        loop {
            match follow.next().await? {
                TaskUpdate::Ended(record) => return Ok((interfered, *record)),
                TaskUpdate::Event(_) | TaskUpdate::Offline { .. } => {}
            }
        }
    }

    async fn processes_left_by(&self, record: &TaskRecord) -> Vec<String> {
        let until = Instant::now() + EXIT_TIMEOUT;
        loop {
            let survivors = left_behind(&record.id, record.progress.agent.as_ref(), None);
            if survivors.is_empty() || Instant::now() >= until {
                return survivors.into_iter().map(|member| format!("{} ({})", member.name, member.pid)).collect();
            }
            sleep(POLL_INTERVAL).await;
        }
    }

    /// Waits for the right moment and then interferes. Returns false if the task ended before that.
    async fn interfere(&self, id: &TaskId, interference: &Interference) -> Result<bool, Refusal> {
        match interference {
            Interference::None => return Ok(true),
            Interference::CancelOnceWorking => {
                let started = Instant::now();
                self.wait(id, |kit| kit.has_reported_event(id) || started.elapsed() >= START_TIMEOUT).await?;
            }
            Interference::CancelOnceWritten(file) | Interference::KillOnceWritten(file) => {
                self.wait(id, |_| is_written(file)).await?;
            }
        }
        let record = self.broker.view(id, 1).await?.record;
        if record.is_final() {
            return Ok(false);
        }
        match (interference, record.progress.agent) {
            (Interference::KillOnceWritten(_), Some(agent)) => kill_agent(id, &agent),
            (Interference::KillOnceWritten(_), None) | (Interference::None, _) => return Ok(false),
            (Interference::CancelOnceWorking | Interference::CancelOnceWritten(_), _) => {
                self.broker.cancel(id).await?;
            }
        }
        Ok(true)
    }

    fn has_reported_event(&self, id: &TaskId) -> bool {
        self.reader.live(id).is_some_and(|live| live.last_event.is_some())
    }

    /// Waits until `condition` holds or the task has ended.
    async fn wait(&self, id: &TaskId, condition: impl Fn(&Self) -> bool) -> Result<(), Refusal> {
        while !condition(self) && !self.broker.view(id, 1).await?.record.is_final() {
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }
}
