//! The steps of an agent since somebody last looked at its task.

use super::{Broker, Refusal};
use crate::{
    store::TimelinePlace,
    task::{Steps, TaskId},
};

impl Broker {
    /// The steps in the task's timeline after a place in it, none without one, and the place after the last of them. A task
    /// that an older version ran has no place.
    pub async fn steps_since(
        &self,
        id: &TaskId,
        place: Option<TimelinePlace>,
    ) -> Result<(Steps, Option<TimelinePlace>), Refusal> {
        let id = id.clone();
        self.on_disk(move |broker| {
            let mut timeline = match place {
                Some(place) => broker.reader.timeline_from(&id, &place),
                None => broker.reader.newest_timeline(&id),
            };
            let mut steps = Steps::default();
            loop {
                match timeline.read() {
                    Ok(Some(read)) => {
                        if place.is_some() {
                            read.entries.iter().for_each(|entry| steps.count(&entry.event));
                        }
                        if !read.more {
                            return (steps, Some(timeline.place()));
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
