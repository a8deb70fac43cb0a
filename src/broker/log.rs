//! Reads the log and the timeline of a task, and follows them.

use chrono::Utc;

use super::{Broker, Refusal};
use crate::{
    follower::{FollowError, Follower, LogEnd, LogFollower, NewEntries},
    redact::Redactor,
    store::{LogLines, LogStart},
    task::{ActivityPage, ActivitySpan, LogPage, TaskId, TimelineEntry, TimelineEvent},
};

/// The log of a task.
#[derive(Debug)]
pub struct TaskLog {
    broker: Broker,
    redactor: Redactor,
    follower: LogFollower,
}

/// The timeline of a task.
#[derive(Debug)]
pub struct TaskEvents {
    broker: Broker,
    redactor: Redactor,
    follower: Follower,
}

impl Broker {
    /// The log of a task, starting at `start`. Fails if there is no such task.
    pub async fn log(&self, id: &TaskId, start: LogStart) -> Result<TaskLog, Refusal> {
        let id = id.clone();
        let open = move |broker: &Self| {
            Ok::<_, Refusal>((broker.redactor_for(&broker.record(&id)?), broker.reader.log(&id, start)))
        };
        let (redactor, log) = self.on_disk(open).await??;
        Ok(TaskLog { broker: self.clone(), redactor, follower: LogFollower::new(log, &self.watches) })
    }

    /// The timeline of a task, from its beginning. Fails if there is no such task.
    pub async fn events(&self, id: &TaskId) -> Result<TaskEvents, Refusal> {
        self.events_after(id, 0).await
    }

    /// The timeline of a task, from after the entry with the number `seq`. Fails if there is no such task.
    pub async fn events_after(&self, id: &TaskId, seq: u64) -> Result<TaskEvents, Refusal> {
        let id = id.clone();
        let open = move |broker: &Self| {
            Ok::<_, Refusal>((broker.redactor_for(&broker.record(&id)?), broker.reader.timeline(&id, seq)))
        };
        let (redactor, timeline) = self.on_disk(open).await??;
        Ok(TaskEvents { broker: self.clone(), redactor, follower: Follower::new(timeline, &self.watches) })
    }

    /// The last `limit` entries of the task's timeline before the entry with the number `before`, or the newest ones.
    /// Redacted. Takes a few milliseconds, however long the timeline is. Fails if there is no such task.
    pub async fn activity_page(&self, id: &TaskId, before: Option<u64>, limit: usize) -> Result<ActivityPage, Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let redactor = broker.redactor_for(&broker.record(&id)?);
            let mut page = broker.reader.activity_page(&id, before, limit)?;
            redact(&mut page.entries, &redactor);
            Ok(page)
        })
        .await?
    }

    /// The last lines of the task's log before the offset `before` in bytes, or before its end, up to `lines`. Redacted.
    /// The lines have at most about 1 MiB together; of a line, at most 16 KiB are shown. Takes a few milliseconds, however
    /// large the log is. Fails if there is no such task.
    pub async fn log_page(&self, id: &TaskId, before: Option<u64>, lines: usize) -> Result<LogPage, Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let redactor = broker.redactor_for(&broker.record(&id)?);
            Ok(broker.reader.log_page(&id, before, lines, &redactor)?)
        })
        .await?
    }

    /// The periods of thinking, commands, edits and so on: at most `limit` spans from its start to its end, or to now while it runs. Reads the whole
    /// timeline, which takes up to a tenth of a second. Fails if there is no such task.
    pub async fn activity_spans(&self, id: &TaskId, limit: usize) -> Result<Vec<ActivitySpan>, Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let record = broker.record(&id)?;
            Ok(broker.reader.activity_spans(&record, Utc::now(), limit)?)
        })
        .await?
    }

    fn follow_failed(&self, error: FollowError) -> Refusal {
        match error {
            FollowError::Store(error) => Refusal::Store(error),
            FollowError::TimedOut { .. } => Refusal::TimedOut { directory: self.config.data_dir.clone() },
        }
    }
}

fn redact(entries: &mut [TimelineEntry], redactor: &Redactor) {
    let texts = entries.iter_mut().map(|entry| &mut entry.event);
    texts.flat_map(TimelineEvent::untrusted_texts).for_each(|text| redactor.redact(text));
}

impl TaskLog {
    /// The new lines since the last call, redacted. Cancel-safe.
    pub async fn read(&mut self, end: LogEnd) -> Result<LogLines, Refusal> {
        let mut read = self.follower.read(end).await.map_err(|error| self.broker.follow_failed(error))?;
        if !self.redactor.is_idle() {
            read.lines.iter_mut().for_each(|line| *line = self.redactor.bytes(line).into_owned());
        }
        Ok(read)
    }

    /// Waits until there may be new lines, for at most a second.
    pub async fn changed(&self) {
        self.follower.changed().await;
    }
}

impl TaskEvents {
    /// The new entries since the last call, redacted; none if there is no timeline (yet). Cancel-safe.
    pub async fn read(&mut self) -> Result<NewEntries, Refusal> {
        let read = self.follower.read().await.map_err(|error| self.broker.follow_failed(error))?;
        let mut read = read.unwrap_or_default();
        redact(&mut read.entries, &self.redactor);
        Ok(read)
    }

    /// Waits until there may be new entries, for at most a second.
    pub async fn changed(&self) {
        self.follower.changed().await;
    }
}
