//! Follows a task to its end, no matter which server started it.
//!
//! The agent's steps come from the task's timeline. The end comes from the record and the lease, because the timeline
//! of a killed supervisor has no end; following such a task finalizes it. The record and the lease are checked once a
//! second, and at once when the timeline ends. For a task of this server, whose supervisor reports its end in a hint,
//! they are checked only every two seconds.
//!
//! [`FollowedTask::next`] is for a caller that shows only the newest step, [`FollowedTask::next_entries`] for one that
//! needs every entry.

use std::{path::PathBuf, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout_at},
};

use super::{Broker, Refusal};
use crate::{
    executor::LatestHint,
    follower::{FollowError, Follower, NewEntries, Watches},
    store::TimelineReader,
    task::{LiveView, TaskId, TaskRecord, TimelineEntry, TimelineEvent},
};

/// How often the record and the lease of another server's task are checked.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// How often those of our own task are checked, in case its hints are lost.
const OWN_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A task being followed.
#[derive(Debug)]
pub struct FollowedTask {
    broker: Broker,
    id: TaskId,
    hints: Option<watch::Receiver<LatestHint>>,
    timeline: Follower,
    /// Entries that were read but not returned yet.
    entries: Vec<TimelineEntry>,
    /// The last step that was returned.
    last_event: Option<String>,
    /// The final record, if the task has ended but not all entries were returned.
    ended: Option<Box<TaskRecord>>,
    /// Whether the timeline or a hint says that the task has ended.
    is_over: bool,
    /// Whether the task is known to exist.
    is_known: bool,
    /// When to check the record and the lease next.
    next_poll: Instant,
}

/// News about a task that is being followed.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskUpdate {
    /// The agent's newest step, in one line.
    Event(String),
    /// The agent only waits for the network.
    Offline {
        /// When the wait began.
        since: DateTime<Utc>,
    },
    /// The task has ended: its record is final.
    Ended(Box<TaskRecord>),
}

/// New entries of a task that is being followed, or its end.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskNews {
    /// New entries, oldest first.
    Entries(Vec<TimelineEntry>),
    /// The task has ended: its record is final. All entries were returned before.
    Ended(Box<TaskRecord>),
}

impl Broker {
    /// Follows a task from now on. If there is no such task, [`FollowedTask::next`] fails.
    pub fn follow(&self, id: &TaskId) -> FollowedTask {
        self.follow_with(id, self.reader.newest_timeline(id))
    }

    /// Follows a task from its first entry.
    pub fn follow_from_start(&self, id: &TaskId) -> FollowedTask {
        self.follow_with(id, self.reader.timeline(id, 0))
    }

    fn follow_with(&self, id: &TaskId, timeline: TimelineReader) -> FollowedTask {
        // Only a running task of this server has hints. They arrive sooner than the reports of a watch.
        let hints = self.executor.hints(id);
        let watches = if hints.is_some() { Watches::polling() } else { self.watches.clone() };
        let timeline = Follower::new(timeline, &watches);
        let next_poll = if hints.is_some() { Instant::now() + OWN_POLL_INTERVAL } else { Instant::now() };
        FollowedTask {
            broker: self.clone(),
            id: id.clone(),
            hints,
            timeline,
            entries: Vec::new(),
            last_event: None,
            ended: None,
            is_over: false,
            is_known: false,
            next_poll,
        }
    }
}

impl FollowedTask {
    /// The task's ID.
    pub fn id(&self) -> &TaskId {
        &self.id
    }

    /// Waits for news. Cancel-safe: if this is dropped, the next call returns the news.
    pub async fn next(&mut self) -> Result<TaskUpdate, Refusal> {
        loop {
            if let Some(record) = self.check_end().await? {
                return Ok(TaskUpdate::Ended(record));
            }
            if let Some(event) = self.new_event().await? {
                return Ok(event);
            }
            if !self.is_over {
                self.wait_for_wakeup().await;
            }
        }
    }

    /// Waits for new entries, or for the end if there are no more. Cancel-safe, like [`next`](Self::next).
    pub async fn next_entries(&mut self) -> Result<TaskNews, Refusal> {
        loop {
            if self.ended.is_none() {
                self.ended = self.check_end().await?;
            }
            self.read_entries().await?;
            if !self.entries.is_empty() {
                let mut entries = std::mem::take(&mut self.entries);
                let texts = entries.iter_mut().flat_map(|entry| entry.event.untrusted_texts());
                texts.for_each(|text| self.broker.redactor.redact(text));
                return Ok(TaskNews::Entries(entries));
            }
            if let Some(record) = self.ended.take() {
                return Ok(TaskNews::Ended(record));
            }
            if !self.is_over {
                self.wait_for_wakeup().await;
            }
        }
    }

    /// The final record if the task has ended. Checks only when it is time, or when the timeline or a hint says so.
    async fn check_end(&mut self) -> Result<Option<Box<TaskRecord>>, Refusal> {
        if self.hints.as_ref().is_some_and(|hints| hints.borrow().has_ended) {
            (self.hints, self.is_over) = (None, true);
        }
        // A hint about an event does not require reading the record.
        if !self.is_over && Instant::now() < self.next_poll {
            return Ok(None);
        }
        if self.may_have_ended().await?
            && let Some(record) = self.broker.ended(&self.id).await?
        {
            let cleaned = self.broker.on_disk(move |broker| broker.clean_with_neighbors(record)).await?;
            return Ok(Some(Box::new(cleaned)));
        }
        self.is_known = true;
        self.is_over = false;
        self.next_poll = Instant::now() + if self.hints.is_some() { OWN_POLL_INTERVAL } else { POLL_INTERVAL };
        Ok(None)
    }

    /// Whether the record has to be read. Not if the task is known to exist and its lease is held.
    async fn may_have_ended(&self) -> Result<bool, Refusal> {
        if self.is_over || !self.is_known {
            return Ok(true);
        }
        let id = self.id.clone();
        Ok(!self.broker.on_disk(move |broker| broker.reader.is_leased(&id)).await??)
    }

    /// Waits for a hint if there can be one, and otherwise for a write to the timeline. Neither wait is longer than the
    /// poll interval.
    async fn wait_for_wakeup(&mut self) {
        let Some(hints) = &mut self.hints else { return self.timeline.changed().await };
        if let Ok(Err(_)) = timeout_at(self.next_poll, hints.changed()).await {
            self.hints = None;
        }
    }

    /// The agent's newest step, if it has not been returned yet.
    async fn new_event(&mut self) -> Result<Option<TaskUpdate>, Refusal> {
        let (event, offline_since) = if self.read_entries().await? {
            // Earlier entries may have reported the same wait. A live view that is older than the entries has no time.
            let is_offline = self.entries.iter().any(|entry| entry.event.is_offline());
            let live = if is_offline { self.live().await? } else { None };
            // Nothing may be awaited from here on: the entries would be lost if this were dropped.
            let step =
                |entry: TimelineEntry| Some((entry.event.headline()?, entry.event.is_offline().then_some(entry.at)));
            let Some((event, offline_at)) = self.entries.drain(..).rev().find_map(step) else { return Ok(None) };
            (event, offline_at.map(|at| live.and_then(|live| live.offline_since).unwrap_or(at)))
        } else {
            // An older version runs the task, or its timeline cannot be read.
            let Some(live) = self.live().await? else { return Ok(None) };
            let Some(event) = live.last_event else { return Ok(None) };
            (event.into_raw(), live.offline_since)
        };
        if self.last_event.as_ref() == Some(&event) {
            return Ok(None);
        }
        let update = match offline_since {
            Some(since) => TaskUpdate::Offline { since },
            None => TaskUpdate::Event(self.broker.redactor.text(&event).into_owned()),
        };
        self.last_event = Some(event);
        Ok(Some(update))
    }

    async fn live(&self) -> Result<Option<LiveView>, Refusal> {
        let id = self.id.clone();
        self.broker.on_disk(move |broker| broker.reader.live(&id)).await
    }

    /// Reads the new entries of the timeline. Returns whether the timeline exists and can be read.
    async fn read_entries(&mut self) -> Result<bool, Refusal> {
        loop {
            let (entries, has_more) = match self.timeline.read().await {
                Ok(Some(NewEntries { entries, has_more })) => (entries, has_more),
                Ok(None) => return Ok(false),
                Err(FollowError::Store(error)) => {
                    tracing::debug!(%error, task = %self.id, "cannot read the task's timeline");
                    return Ok(false);
                }
                Err(FollowError::TimedOut { .. }) => {
                    return Err(Refusal::TimedOut { directory: self.broker.config.data_dir.clone() });
                }
            };
            self.is_over |= entries.iter().any(|entry| matches!(entry.event, TimelineEvent::Ended { .. }));
            self.entries.extend(entries);
            if !has_more {
                return Ok(true);
            }
        }
    }
}

/// How long the holder of a lease may take to release it once the record is final.
pub(super) const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

const CLOSE_POLL_INTERVAL: Duration = Duration::from_millis(5);

impl Broker {
    /// The task's record if the task has ended, so its record is final and its lease is free. Finalizes a task whose
    /// supervisor is gone.
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
                        // Servers with another log directory learn of the end through the index.
                        Some(_) if settled.is_none() && Instant::now() < deadline => sleep(CLOSE_POLL_INTERVAL).await,
                        Some(there) if settled.is_none() => return Err(self.other_log_dir(id, there)),
                        Some(_) | None => return Ok(settled),
                    }
                }
            }
        }
    }

    /// Whether the task's lease is held, and its record.
    async fn state(&self, id: &TaskId) -> Result<(bool, TaskRecord), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| Ok((broker.reader.is_leased(&id)?, broker.record(&id)?))).await?
    }

    /// The final record of a task that was just settled, and the log directory of its files if that is not the
    /// configured one.
    async fn settled(&self, id: &TaskId) -> Result<(Option<TaskRecord>, Option<PathBuf>), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let record = broker.reader.record(&id)?.filter(|record| record.is_final());
            Ok((record, broker.reader.other_log_dir(&id)?))
        })
        .await?
    }

    /// Like [`ended`](Self::ended), but never fails, for views and listings. A task that cannot be finalized now, for
    /// example because the disk is full, causes a notice and counts as running, so that it remains visible and hides no
    /// other task.
    pub(super) async fn ended_if_possible(&self, id: &TaskId) -> Option<TaskRecord> {
        match self.ended(id).await {
            Ok(ended) => ended,
            Err(Refusal::Store(error)) => {
                self.reader.notices().add_unfinalized(id, &error);
                None
            }
            Err(problem) => {
                // For example, the task was removed in the meantime.
                tracing::debug!(%problem, task = %id, "cannot read a task");
                None
            }
        }
    }
}
