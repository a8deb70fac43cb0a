//! Giving the agent one task of the kit, and seeing it through to its end.

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
    task::{TaskId, TaskRecord},
};

/// The task for the agent.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    pub(super) prompt: String,
    pub(super) directory: PathBuf,
    pub(super) sandbox: Sandbox,
    pub(super) model: Option<String>,
    pub(super) session: Option<String>,
    pub(super) limit: Duration,
    pub(super) meddling: Meddling,
}

/// The action taken while it works.
#[derive(Debug, Clone)]
pub(super) enum Meddling {
    /// Nothing.
    None,
    /// It is cancelled as soon as it says anything, or has been at it for a while.
    CancelOnceItWorks,
    /// It is cancelled as soon as there is this file.
    CancelOnce(PathBuf),
    /// Its process is killed as soon as there is this file.
    KillOnce(PathBuf),
}

/// How long an agent that says nothing is taken to be starting.
const STARTING: Duration = Duration::from_secs(12);
const POLL: Duration = Duration::from_millis(50);
/// How long after its time limit a task has to have ended: longer than any patience with an agent.
const PAST_THE_LIMIT: Duration = Duration::from_secs(60);
/// How long a process that was killed may take to be gone from the system's list.
const FADING: Duration = Duration::from_secs(1);

impl Kit {
    /// Runs one task, and looks for what it left.
    pub(super) async fn tries(&self, ask: Ask) -> Result<Trial, Refusal> {
        let task = NewTask {
            prompt: ask.prompt,
            working_directory: ask.directory,
            sandbox: Some(ask.sandbox),
            model: ask.model,
            time_limit: TimeLimit::After(ask.limit),
            backend: Some(self.backend.name().clone()),
            resume: ask.session.map(|session| Resume { session, task: None, used: None }),
        };
        let id = self.broker.submit(task).await?;
        let deadline = ask.limit.saturating_add(PAST_THE_LIMIT);
        let (met, record, is_stuck) = match timeout(deadline, self.see_through(&id, &ask.meddling)).await {
            Ok(seen) => {
                let (met, record) = seen?;
                (met, record, false)
            }
            Err(_) => {
                // This kills a supervisor that does not react.
                self.broker.cancel(&id).await?;
                (false, self.broker.view(&id, 1).await?.record, true)
            }
        };
        let answer =
            self.broker.result(&record).await?.map(|result| format!("{}{}", result.head.raw(), result.tail.raw()));
        let mut left = self.left_by(&record).await;
        if is_stuck {
            left.push("the task itself, long after its time limit".to_owned());
        }
        Ok(Trial { record, answer: answer.unwrap_or_default(), left, met })
    }

    async fn see_through(&self, id: &TaskId, meddling: &Meddling) -> Result<(bool, TaskRecord), Refusal> {
        let met = self.meddle(id, meddling).await?;
        let mut follow = self.broker.follow(id);
        loop {
            match follow.next().await? {
                TaskUpdate::Ended(record) => return Ok((met, *record)),
                TaskUpdate::Event(_) => {}
            }
        }
    }

    async fn left_by(&self, record: &TaskRecord) -> Vec<String> {
        let until = Instant::now() + FADING;
        loop {
            let left = left_behind(&record.id, record.progress.agent.as_ref(), None);
            if left.is_empty() || Instant::now() >= until {
                return left.into_iter().map(|member| format!("{} ({})", member.name, member.pid)).collect();
            }
            sleep(POLL).await;
        }
    }

    /// Waits for the moment, and does it. False when the task had ended by then.
    async fn meddle(&self, id: &TaskId, meddling: &Meddling) -> Result<bool, Refusal> {
        match meddling {
            Meddling::None => return Ok(true),
            Meddling::CancelOnceItWorks => {
                let begun = Instant::now();
                self.wait(id, |kit| kit.has_spoken(id) || begun.elapsed() >= STARTING).await?;
            }
            Meddling::CancelOnce(file) | Meddling::KillOnce(file) => {
                self.wait(id, |_| is_written(file)).await?;
            }
        }
        let record = self.broker.view(id, 1).await?.record;
        if record.is_final() {
            return Ok(false);
        }
        match (meddling, record.progress.agent) {
            (Meddling::KillOnce(_), Some(agent)) => kill_agent(id, &agent),
            (Meddling::KillOnce(_), None) | (Meddling::None, _) => return Ok(false),
            (Meddling::CancelOnceItWorks | Meddling::CancelOnce(_), _) => {
                self.broker.cancel(id).await?;
            }
        }
        Ok(true)
    }

    fn has_spoken(&self, id: &TaskId) -> bool {
        self.reader.live(id).is_some_and(|live| live.last_event.is_some())
    }

    /// Until `is_so`, or the task has ended.
    async fn wait(&self, id: &TaskId, is_so: impl Fn(&Self) -> bool) -> Result<(), Refusal> {
        while !is_so(self) && !self.broker.view(id, 1).await?.record.is_final() {
            sleep(POLL).await;
        }
        Ok(())
    }
}
