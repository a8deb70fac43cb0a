//! Counts an agent's steps since the caller last asked about the task.

use super::{Broker, Refusal};
use crate::{
    store::TimelinePosition,
    task::{Steps, TaskId},
};

impl Broker {
    /// The number of steps in the task's timeline after `position`, and the new position at its end. Without a
    /// position, no steps are counted. Returns no position if the task has no timeline, because an older version ran
    /// it.
    pub async fn steps_since(
        &self,
        id: &TaskId,
        position: Option<TimelinePosition>,
    ) -> Result<(Steps, Option<TimelinePosition>), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let mut timeline = match position {
                Some(position) => broker.reader.timeline_from(&id, &position),
                None => broker.reader.newest_timeline(&id),
            };
            let mut steps = Steps::default();
            loop {
                match timeline.read() {
                    Ok(Some(read)) => {
                        if position.is_some() {
                            read.entries.iter().for_each(|entry| steps.count(&entry.event));
                        }
                        if !read.has_more {
                            return (steps, Some(timeline.position()));
                        }
                    }
                    Ok(None) => return (Steps::default(), None),
                    Err(error) => {
                        tracing::debug!(%error, task = %id, "cannot read the task's timeline");
                        return (Steps::default(), None);
                    }
                }
            }
        })
        .await
    }
}
