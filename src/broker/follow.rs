//! Following a task to its end, whoever runs it.
//!
//! The agent's steps are read from the task's timeline. The end is what the record and the lease say: a task whose
//! supervisor is gone ends here, and its timeline does not know. They are looked at once a second, at once when the timeline
//! ends, and less often while the hints of our own supervisor would say so.

use std::{path::PathBuf, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{Broker, Refusal};
use crate::{
    executor::LatestHint,
    follower::{FollowError, Follower, NewEntries, Watches},
    task::{TaskId, TaskRecord, TimelineEvent, Untrusted},
};

/// How often the record and the lease of another server's task are looked at.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often those of our own task are looked at, in case its hints were lost.
const OWN_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A task being followed.
#[derive(Debug)]
pub struct FollowedTask {
    broker: Broker,
    id: TaskId,
    hints: Option<watch::Receiver<LatestHint>>,
    timeline: Follower,
    /// The newest step that was read and not told.
    newest: Option<String>,
    /// The last one that was told.
    last_event: Option<String>,
    /// Whether the timeline says that the task has ended.
    is_over: bool,
    /// Whether the task was seen to exist.
    is_known: bool,
    /// When the record and the lease are looked at next.
    next_poll: Instant,
}

/// What there is to say about a task that is being followed.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskUpdate {
    /// The agent did something, told in one line.
    Event(String),
    /// The task has ended: its record is final.
    Ended(Box<TaskRecord>),
}

impl Broker {
    /// Follows a task from now on. That there is such a task is found out by [`FollowedTask::next`].
    pub fn follow(&self, id: &TaskId) -> FollowedTask {
        // Only a task of ours that runs has hints. They wake us sooner than a watch would.
        let hints = self.executor.hints(id);
        let watches = if hints.is_some() { Watches::polling() } else { self.watches.clone() };
        let timeline = Follower::new(self.reader.newest_timeline(id), &watches);
        let next_poll = if hints.is_some() { Instant::now() + OWN_POLL_INTERVAL } else { Instant::now() };
        FollowedTask {
            broker: self.clone(),
            id: id.clone(),
            hints,
            timeline,
            newest: None,
            last_event: None,
            is_over: false,
            is_known: false,
            next_poll,
        }
    }
}

impl FollowedTask {
    /// The task's id.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Waits for news. Can be dropped while it waits: news is then told by the next call.
    pub async fn next(&mut self) -> Result<TaskUpdate, Refusal> {
        loop {
            if self.hints.as_ref().is_some_and(|hints| hints.borrow().has_ended) {
                (self.hints, self.is_over) = (None, true);
            }
            // A hint of an event is not worth a look at the record.
            if self.is_over || Instant::now() >= self.next_poll {
                if self.may_have_ended().await?
                    && let Some(record) = self.broker.ended(&self.id).await?
                {
                    return Ok(TaskUpdate::Ended(Box::new(self.broker.clean(record))));
                }
                self.is_known = true;
                self.is_over = false;
                self.next_poll = Instant::now() + if self.hints.is_some() { OWN_POLL_INTERVAL } else { POLL_INTERVAL };
            }
            if let Some(event) = self.new_event().await? {
                return Ok(TaskUpdate::Event(event));
            }
            if !self.is_over {
                self.wait_for_wakeup().await;
            }
        }
    }

    /// Whether a look at the record is worth its while: not while somebody holds the lease, once the task was seen to exist.
    async fn may_have_ended(&self) -> Result<bool, Refusal> {
        if self.is_over || !self.is_known {
            return Ok(true);
        }
        let id = self.id.clone();
        Ok(!self.broker.on_disk(move |broker| broker.reader.is_leased(&id)).await??)
    }

    /// Waits for a hint, or else for a report that the timeline was written to or a second.
    async fn wait_for_wakeup(&mut self) {
        let Some(hints) = &mut self.hints else { return self.timeline.changed().await };
        if let Ok(Err(_)) = timeout_at(self.next_poll, hints.changed()).await {
            self.hints = None;
        }
    }

    /// The newest step of the agent, if it was not told before.
    async fn new_event(&mut self) -> Result<Option<String>, Refusal> {
        let event = if self.read_steps().await? {
            self.newest.take()
        } else {
            // An older version runs the task, or its timeline could not be opened.
            let id = self.id.clone();
            let live = self.broker.on_disk(move |broker| broker.reader.live(&id)).await?;
            live.and_then(|live| live.last_event).map(Untrusted::into_raw)
        };
        if event.is_none() || event == self.last_event {
            return Ok(None);
        }
        self.last_event.clone_from(&event);
        Ok(event.map(|event| self.broker.redactor.text(&event).into_owned()))
    }

    /// Reads what is new in the timeline. Returns whether there is one that can be read.
    async fn read_steps(&mut self) -> Result<bool, Refusal> {
        loop {
            let (entries, has_more) = match self.timeline.read().await {
                Ok(Some(NewEntries { entries, has_more })) => (entries, has_more),
                Ok(None) => return Ok(false),
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%error, task = %self.id, "its timeline cannot be read");
                    return Ok(false);
                }
                Err(FollowError::TimedOut { .. }) => {
                    return Err(Refusal::TimedOut { directory: self.broker.config.data_dir.clone() });
                }
            };
            for entry in entries {
                self.is_over |= matches!(entry.event, TimelineEvent::Ended { .. });
                self.newest = entry.event.headline().or(self.newest.take());
            }
            if !has_more {
                return Ok(true);
            }
        }
    }
}

/// How long the holder of a lease may take to finish once the record is final.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

const CLOSE_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Broker {
    /// The task's record if it has ended: it is final, and its lease is free. A task whose supervisor is gone ends here.
    pub(super) async fn ended(&self, id: &TaskId) -> Result<Option<TaskRecord>, Refusal> {
        let deadline = Instant::now() + CLOSE_TIMEOUT;
        loop {
            let (is_leased, record) = self.state(id).await?;
            match (is_leased, record.is_final()) {
                (true, false) => {
                    self.guard(id);
                    return Ok(None);
                }
                (true, true) if Instant::now() < deadline => sleep(CLOSE_POLL_INTERVAL).await,
                (_, true) => return Ok(Some(record)),
                (false, false) => {
                    self.settle(id).await?;
                    let (settled, elsewhere) = self.settled(id).await?;
                    match elsewhere {
                        // Its end is known here once it is in the index.
                        Some(_) if settled.is_none() && Instant::now() < deadline => sleep(CLOSE_POLL_INTERVAL).await,
                        Some(there) if settled.is_none() => return Err(self.other_log_dir(id, there)),
                        Some(_) | None => return Ok(settled),
                    }
                }
            }
        }
    }

    /// Whether somebody holds the task's lease, and its record.
    async fn state(&self, id: &TaskId) -> Result<(bool, TaskRecord), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| Ok((broker.reader.is_leased(&id)?, broker.record(&id)?))).await?
    }

    /// The final record of a task that was settled just now, and the log directory that has it, if it is another one.
    async fn settled(&self, id: &TaskId) -> Result<(Option<TaskRecord>, Option<PathBuf>), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let record = broker.reader.record(&id)?.filter(|record| record.is_final());
            Ok((record, broker.reader.other_log_dir(&id)?))
        })
        .await?
    }

    /// The same as [`ended`](Self::ended) for whoever only wants to look. A task that cannot be finalized now, for example because the disk is
    /// full, leaves a notice and counts as running, so that it never hides itself or any other task.
    pub(super) async fn ended_if_possible(&self, id: &TaskId) -> Option<TaskRecord> {
        match self.ended(id).await {
            Ok(ended) => ended,
            Err(Refusal::Store(error)) => {
                self.reader.notices().add_unfinalized(id, &error);
                None
            }
            Err(problem) => {
                // It was removed, or taken back, while we looked.
                tracing::debug!(%problem, task = %id, "a task is gone");
                None
            }
        }
    }
}
