//! What an agent did since somebody last looked at its task.

use super::{Broker, Refusal};
use crate::{
    store::TimelinePlace,
    task::{TaskId, TimelineEvent},
};

/// The number of an agent's steps of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Steps {
    /// Messages.
    pub messages: u64,
    /// Commands that ended.
    pub commands: u64,
    /// Changes of files, each of any number of files.
    pub changes: u64,
    /// Calls of tools.
    pub tools: u64,
    /// Warnings, and failures of the agent.
    pub warnings: u64,
}

impl Steps {
    fn count(&mut self, event: &TimelineEvent) {
        let counter = match event {
            TimelineEvent::Message { .. } => &mut self.messages,
            TimelineEvent::CommandFinished { .. } => &mut self.commands,
            TimelineEvent::FilesChanged { applied: true, .. } => &mut self.changes,
            TimelineEvent::Tool { .. } => &mut self.tools,
            TimelineEvent::Warning { .. } | TimelineEvent::Silence { .. } => &mut self.warnings,
            TimelineEvent::FilesChanged { applied: false, .. }
            | TimelineEvent::Queued { .. }
            | TimelineEvent::Started { .. }
            | TimelineEvent::Session { .. }
            | TimelineEvent::Reasoning { .. }
            | TimelineEvent::CommandStarted { .. }
            | TimelineEvent::Plan { .. }
            | TimelineEvent::Usage { .. }
            | TimelineEvent::Output { .. }
            | TimelineEvent::Fallback { .. }
            | TimelineEvent::Stopping { .. }
            | TimelineEvent::Changes { .. }
            | TimelineEvent::Ended { .. }
            | TimelineEvent::Omitted { .. }
            | TimelineEvent::Unknown { .. } => return,
        };
        *counter += 1;
    }
}

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
