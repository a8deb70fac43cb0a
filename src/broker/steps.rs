//! The steps of an agent since somebody last looked at its task.

use super::{Broker, Refusal};
use crate::{
    store::TimelinePosition,
    task::{Steps, TaskId},
};

impl Broker {
    /// The steps in the task's timeline after a place in it, none without one, and the place after the last of them. A task
    /// that an older version ran has no place.
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
                        tracing::debug!(%error, task = %id, "its timeline cannot be read");
                        return (Steps::default(), None);
                    }
                }
            }
        })
        .await
    }
}
