//! The streams of lists of tasks. All streams of one list share one reader, so many open pages cost about as much as one.
//!
//! ```text
//!              once a second                    for each open page
//! pages ──▶ reader ──▶ newest fragments ──┬──▶ viewer ──▶ events for what changed
//!                                         └──▶ viewer ──▶ …
//! ```
//!
//! A reader begins with its first viewer and ends with its last one.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    events::{self, Gone, HEARTBEAT, Sender},
    pages,
};
use crate::{
    broker::{Broker, Refusal},
    present::web::{ElementId, NavItem, TaskListQuery, Viewer},
    store::FileMetadata,
};

/// How often a list is read.
const READ_INTERVAL: Duration = Duration::from_secs(1);

/// How often a list is read although no task began, ended or runs, because it shows the age of tasks.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

/// The newest events that replace the elements of a page.
type Fragments = BTreeMap<ElementId, Bytes>;

/// The readers of all lists that are shown somewhere.
#[derive(Debug, Clone)]
pub(super) struct ListStreams {
    broker: Broker,
    can_act: bool,
    stop: CancellationToken,
    /// By the query of the list.
    readers: Arc<Mutex<HashMap<String, watch::Sender<Fragments>>>>,
}

impl ListStreams {
    /// Readers that end when `stop` is cancelled.
    pub(super) fn new(broker: Broker, can_act: bool, stop: CancellationToken) -> Self {
        Self { broker, can_act, stop, readers: Arc::default() }
    }

    /// Sends the changes of a list until its viewer is gone.
    pub(super) async fn show(self, query: TaskListQuery, sender: Sender) {
        let fragments = self.subscribe(query);
        tokio::select! {
            _ = send_changes(fragments, &sender) => {}
            () = sender.gone() => {}
        }
    }

    fn subscribe(&self, query: TaskListQuery) -> watch::Receiver<Fragments> {
        let key = query.to_query_string();
        let mut readers = locked(&self.readers);
        if let Some(reader) = readers.get(&key) {
            return reader.subscribe();
        }
        let (sender, receiver) = watch::channel(Fragments::new());
        readers.insert(key.clone(), sender.clone());
        tokio::spawn(self.clone().read(query, key, sender));
        receiver
    }

    /// Reads the list again and again while somebody sees it.
    async fn read(self, query: TaskListQuery, key: String, newest: watch::Sender<Fragments>) {
        let viewer = Viewer { can_act: self.can_act, nav: NavItem::Tasks, ..Viewer::default() };
        let (mut last_state, mut refreshed) = (None, Instant::now());
        while self.is_seen(&key, &newest) {
            let state = self.state().await.ok();
            let is_due = state.as_ref().is_none_or(|state| state.may_change_silently())
                || last_state != state
                || refreshed.elapsed() >= REFRESH_INTERVAL;
            if is_due && let Ok(read) = pages::tasks_fragments(&self.broker, &query, &viewer).await {
                (last_state, refreshed) = (state, Instant::now());
                let read = read.into_iter().map(|(id, html)| (id, events::replace(id, &html.into_string(), None)));
                let read: Fragments = read.collect();
                newest.send_if_modified(|known| {
                    let is_new = *known != read;
                    if is_new {
                        *known = read;
                    }
                    is_new
                });
            }
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(READ_INTERVAL) => {}
            }
        }
    }

    /// Whether the reader still has viewers. If not, it is forgotten, and must end.
    fn is_seen(&self, key: &str, newest: &watch::Sender<Fragments>) -> bool {
        let mut readers = locked(&self.readers);
        let is_seen = newest.receiver_count() > 0 && !self.stop.is_cancelled();
        if !is_seen {
            readers.remove(key);
        }
        is_seen
    }

    async fn state(&self) -> Result<ListState, Refusal> {
        let index = self.broker.index_metadata().await?;
        Ok(ListState { index, unfinished: self.broker.count_unfinished(&Default::default()).await? })
    }

    /// The number of readers.
    #[cfg(test)]
    pub(super) fn readers(&self) -> usize {
        locked(&self.readers).len()
    }
}

/// A cheap summary: if it is unchanged and no task runs, so is the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ListState {
    /// Changes when a task begins or ends.
    index: Option<FileMetadata>,
    unfinished: usize,
}

impl ListState {
    /// Whether tasks run, whose steps do not change the state.
    fn may_change_silently(&self) -> bool {
        self.unfinished > 0
    }
}

/// Sends each element whose content is not what was sent before.
async fn send_changes(mut fragments: watch::Receiver<Fragments>, sender: &Sender) -> Result<(), Gone> {
    let mut sent = Fragments::new();
    loop {
        let newest = fragments.borrow_and_update().clone();
        for (id, event) in newest {
            if sent.get(&id) != Some(&event) {
                sender.send(event.clone()).await?;
                sent.insert(id, event);
            }
        }
        match timeout(HEARTBEAT, fragments.changed()).await {
            Ok(changed) => changed.map_err(|_| Gone)?,
            Err(_) => sender.send(events::heartbeat()).await?,
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
