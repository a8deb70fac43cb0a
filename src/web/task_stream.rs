//! The stream of one task: what its agent does, and the elements of the page that change with it.
//!
//! Each entry of the timeline is sent once and in order, with its number, so a page that reconnects misses nothing. An agent
//! that does very much does not flood its page: entries are sent at most ten times a second, or once a second if there are
//! many, and if there are too many for a page, its list is replaced by the newest ones.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::{Instant, sleep_until};

use super::{
    events::{self, Gone, HEARTBEAT, Sender},
    pages,
};
use crate::{
    broker::{Broker, Refusal, TaskEvents},
    present::web::{ElementId, Viewer, full_title, title},
    task::{TaskId, TaskState, TaskSummary, TimelineEntry},
};

/// Maximum number of entries that are added to a page at once. If there are more, only the newest ones are shown.
const MAX_NEW_ENTRIES: usize = 200;

/// Time between two batches of entries.
const BATCH_INTERVAL: Duration = Duration::from_millis(100);

/// A batch with more entries than this is followed by a longer pause.
const LARGE_BATCH: usize = 20;

/// Time after a large batch, and between two updates of the rest of the page.
const SECOND: Duration = Duration::from_secs(1);

/// Sends what happens to a task after its entry `after`, until the task has ended or its viewer is gone.
pub(super) async fn show(broker: Broker, id: TaskId, after: u64, viewer: Viewer, sender: Sender) {
    let stream =
        TaskStream { broker, id, viewer, sender: &sender, sent: BTreeMap::new(), title: String::new(), last: after };
    tokio::select! {
        // If the task cannot be read any more, for example because it was removed, the page reconnects and finds out.
        _ = stream.run() => {}
        () = sender.gone() => {}
    }
}

struct TaskStream<'a> {
    broker: Broker,
    id: TaskId,
    viewer: Viewer,
    sender: &'a Sender,
    /// The content of each element that was replaced.
    sent: BTreeMap<ElementId, String>,
    /// The title that was sent.
    title: String,
    /// The number of the last entry that was sent.
    last: u64,
}

/// Why a stream ends early.
enum Ended {
    Gone,
    Unreadable,
}

impl From<Gone> for Ended {
    fn from(_: Gone) -> Self {
        Self::Gone
    }
}

impl From<Refusal> for Ended {
    fn from(_: Refusal) -> Self {
        Self::Unreadable
    }
}

/// New entries, of which only the newest are kept.
#[derive(Debug, Default)]
struct Batch {
    entries: Vec<TimelineEntry>,
    /// The number of older ones that were dropped.
    omitted: usize,
}

impl TaskStream<'_> {
    async fn run(mut self) -> Result<(), Ended> {
        let mut timeline = self.broker.events_after(&self.id, self.last).await?;
        let (mut next_look, mut next_heartbeat) = (Instant::now(), Instant::now() + HEARTBEAT);
        loop {
            let is_due = Instant::now() >= next_look;
            // First, so that entries that were written before the end are read after it.
            let summary = if is_due { Some(self.broker.summary(&self.id).await?) } else { None };
            let has_ended = summary.as_ref().is_some_and(|task| task.state == TaskState::Ended);
            let batch = self.new_entries(&mut timeline).await?;
            let number = batch.entries.len();
            let mut has_sent = self.send_entries(batch).await?;
            if let Some(summary) = &summary {
                has_sent |= self.send_title(summary).await?;
                has_sent |= self.send_elements().await?;
                next_look = Instant::now() + SECOND;
            }
            if has_ended {
                return Ok(self.sender.send(events::end()).await?);
            }
            if has_sent {
                next_heartbeat = Instant::now() + HEARTBEAT;
            } else if Instant::now() >= next_heartbeat {
                self.sender.send(events::heartbeat()).await?;
                next_heartbeat = Instant::now() + HEARTBEAT;
            }
            sleep_until(Instant::now() + if number > LARGE_BATCH { SECOND } else { BATCH_INTERVAL }).await;
            if number == 0 {
                tokio::select! {
                    () = timeline.changed() => {}
                    () = sleep_until(next_look) => {}
                }
            }
        }
    }

    /// Reads all entries that were not sent.
    async fn new_entries(&self, timeline: &mut TaskEvents) -> Result<Batch, Refusal> {
        let mut batch = Batch::default();
        loop {
            let read = timeline.read().await?;
            batch.entries.extend(read.entries.into_iter().filter(|entry| entry.seq > self.last));
            batch.keep_newest();
            if !read.has_more {
                return Ok(batch);
            }
        }
    }

    async fn send_entries(&mut self, batch: Batch) -> Result<bool, Gone> {
        let Some(last) = batch.entries.last().map(|entry| entry.seq) else { return Ok(false) };
        self.last = last;
        let event = match batch.omitted {
            0 => {
                let html = pages::activity_items(&batch.entries).into_string();
                if html.is_empty() {
                    return Ok(false);
                }
                events::append(ElementId::Activity, &html, Some(last))
            }
            _ => {
                let html = pages::newest_activity(&self.id, &batch.entries).into_string();
                events::replace(ElementId::Activity, &html, Some(last))
            }
        };
        self.sender.send(event).await?;
        Ok(true)
    }

    /// Sends the title if it is not what was sent before.
    async fn send_title(&mut self, task: &TaskSummary) -> Result<bool, Gone> {
        let title = full_title(&title(task));
        if self.title == title {
            return Ok(false);
        }
        self.sender.send(events::title(&title)).await?;
        self.title = title;
        Ok(true)
    }

    /// Sends the elements whose content is not what was sent before.
    async fn send_elements(&mut self) -> Result<bool, Ended> {
        let mut has_sent = false;
        for (id, html) in pages::task_fragments(&self.broker, &self.id, &self.viewer).await? {
            let html = html.into_string();
            if self.sent.get(&id) != Some(&html) {
                self.sender.send(events::replace(id, &html, None)).await?;
                self.sent.insert(id, html);
                has_sent = true;
            }
        }
        Ok(has_sent)
    }
}

impl Batch {
    fn keep_newest(&mut self) {
        let excess = self.entries.len().saturating_sub(MAX_NEW_ENTRIES);
        self.entries.drain(..excess);
        self.omitted += excess;
    }
}
