//! Reads the log and the timeline of a task, and follows them.

use super::{Broker, Refusal};
use crate::{
    follower::{FollowError, Follower, LogEnd, LogFollower, NewEntries},
    redact::Redactor,
    store::{LogLines, LogStart},
    task::{TaskId, TimelineEntry, TimelineEvent},
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
        let id = id.clone();
        let open = move |broker: &Self| {
            Ok::<_, Refusal>((broker.redactor_for(&broker.record(&id)?), broker.reader.timeline(&id, 0)))
        };
        let (redactor, timeline) = self.on_disk(open).await??;
        Ok(TaskEvents { broker: self.clone(), redactor, follower: Follower::new(timeline, &self.watches) })
    }

    fn follow_failed(&self, error: FollowError) -> Refusal {
        match error {
            FollowError::Store(error) => Refusal::Store(error),
            FollowError::TimedOut { .. } => Refusal::TimedOut { directory: self.config.data_dir.clone() },
        }
    }
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
        let texts = read.entries.iter_mut().map(|entry: &mut TimelineEntry| &mut entry.event);
        texts.flat_map(TimelineEvent::untrusted_texts).for_each(|text| self.redactor.redact(text));
        Ok(read)
    }

    /// Waits until there may be new entries, for at most a second.
    pub async fn changed(&self) {
        self.follower.changed().await;
    }
}
