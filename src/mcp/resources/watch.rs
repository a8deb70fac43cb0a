//! Notifies clients when resources change.
//!
//! | protocol version | a resource is watched after | the list is watched after |
//! |---|---|---|
//! | up to 2025-11-25 | `resources/subscribe` | `resources/list` |
//! | 2026-07-28 | `subscriptions/listen` | `subscriptions/listen` |
//!
//! A watcher polls the files once a second, and only while a client is listening. Each connection has its own watcher,
//! which ends with the connection. So a client that does not read its messages delays no other client.
//!
//! A listen request takes two steps, because rmcp reports its acceptance to the client before it starts the listener:
//!
//! ```text
//! accept   checks which resources exist, remembers the state of their files
//!   │      (the answer lists the accepted resources)
//! listen   takes over that state, then polls: changes between the two steps are reported too
//! ```

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter},
    service::SubscriptionContext,
};
use tokio::{
    runtime::Handle,
    task::{JoinSet, block_in_place},
    time::{sleep, timeout},
};

use super::uri::{ResourceRange, TaskResource, TaskUri};
use crate::{
    broker::{Broker, Refusal},
    present::protocol,
    store::{FileMetadata, TaskFile},
};

/// Time between two polls, and so between two notifications about the same resource.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum number of resources that one client can watch.
const MAX_WATCHED_RESOURCES: usize = 200;

/// Maximum number of accepted listen requests whose listener has not started.
const MAX_ACCEPTED_REQUESTS: usize = 16;

/// Time limit for checking the files of a listen request. After it, the request is accepted without them.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(5);

/// The state of the watched files at the last poll.
#[derive(Debug, Clone, Default)]
struct WatchedFiles {
    resources: BTreeMap<String, Stamp>,
    list: Option<Option<FileMetadata>>,
}

/// The state of the files of a resource; it changes if the resource does.
type Stamp = [Option<FileMetadata>; 2];

/// Watches resources for one connection.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Watcher {
    watched: Arc<Mutex<WatchedFiles>>,
    watchers: Arc<Mutex<JoinSet<()>>>,
    /// Accepted listen requests, and the state of their files at that time, until their listeners start.
    accepted: Arc<Mutex<VecDeque<(SubscriptionFilter, WatchedFiles)>>>,
}

impl Watcher {
    /// Watches a resource from now on. Fails if the URI is invalid, the task does not exist, or too many are watched.
    pub(in crate::mcp) async fn subscribe(
        &self,
        uri: &str,
        broker: &Broker,
        peer: &Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let stamp = stamp(uri, broker)
            .await
            .ok_or_else(|| super::resource_not_found(uri, protocol::CANNOT_SUBSCRIBE.to_owned()))?;
        let mut watched = locked(&self.watched);
        if watched.resources.len() >= MAX_WATCHED_RESOURCES && !watched.resources.contains_key(uri) {
            return Err(ErrorData::invalid_params(protocol::too_many_subscriptions(MAX_WATCHED_RESOURCES), None));
        }
        watched.resources.insert(uri.to_owned(), stamp);
        drop(watched);
        self.ensure_running(broker, peer);
        Ok(())
    }

    pub(in crate::mcp) fn unsubscribe(&self, uri: &str) {
        locked(&self.watched).resources.remove(uri);
    }

    /// Watches the list from now on.
    pub(in crate::mcp) async fn watch_list(&self, broker: &Broker, peer: &Peer<RoleServer>) {
        let list = broker.index_metadata().await.ok().flatten();
        locked(&self.watched).list = Some(list);
        self.ensure_running(broker, peer);
    }

    fn ensure_running(&self, broker: &Broker, peer: &Peer<RoleServer>) {
        let mut watchers = self.watchers.lock().unwrap_or_else(PoisonError::into_inner);
        if is_running(&mut watchers) {
            return;
        }
        let (watched, broker, peer) = (Arc::clone(&self.watched), broker.clone(), peer.clone());
        watchers.spawn(async move {
            loop {
                sleep(POLL_INTERVAL).await;
                let ResourceChanges { list, resources } = poll_changes(&watched, &broker).await;
                if list && peer.notify_resource_list_changed().await.is_err() {
                    return;
                }
                for uri in resources {
                    if peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri)).await.is_err() {
                        return;
                    }
                }
            }
        });
    }
}

/// Subscriptions of clients of the newer versions.
impl Watcher {
    /// The part of a listen request that can be served. All changes from now on will be reported, even those before
    /// [`listen`](Self::listen) is called.
    ///
    /// For a callback that cannot be async. Requires a multi-threaded runtime, because it blocks this thread for up to
    /// [`ACCEPT_TIMEOUT`] while other threads check the files.
    pub(in crate::mcp) fn accept(&self, requested: &SubscriptionFilter, broker: &Broker) -> SubscriptionFilter {
        // `block_in_place` moves the other futures of this thread to another one.
        let watched = block_in_place(|| {
            Handle::current().block_on(state_within(ACCEPT_TIMEOUT, initial_state(requested, broker)))
        });
        let accepted = servable(requested, &watched);
        let mut waiting = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MAX_ACCEPTED_REQUESTS {
            waiting.pop_front();
        }
        waiting.push_back((accepted.clone(), watched));
        accepted
    }

    /// Serves `subscriptions/listen` until it is cancelled.
    pub(in crate::mcp) async fn listen(&self, context: &SubscriptionContext, broker: &Broker) {
        let watched = match self.take_accepted(context.accepted()) {
            Some(watched) => watched,
            None => initial_state(context.accepted(), broker).await,
        };
        notify_changes(watched, context, broker).await;
    }

    fn take_accepted(&self, accepted: &SubscriptionFilter) -> Option<WatchedFiles> {
        let mut waiting = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(waiting, _)| waiting == accepted)?;
        waiting.remove(at).map(|(_, watched)| watched)
    }
}

/// The part of a request that can be served, given the files that were found.
fn servable(requested: &SubscriptionFilter, watched: &WatchedFiles) -> SubscriptionFilter {
    let mut served = SubscriptionFilter::new();
    served.resources_list_changed = requested.resources_list_changed.map(|wanted| wanted && watched.list.is_some());
    served.resource_subscriptions = requested
        .resource_subscriptions
        .as_ref()
        .map(|uris| uris.iter().filter(|uri| watched.resources.contains_key(*uri)).cloned().collect());
    served
}

/// The result of `poll`, or nothing if the file system does not respond in time.
async fn state_within(time_limit: Duration, poll: impl Future<Output = WatchedFiles>) -> WatchedFiles {
    timeout(time_limit, poll).await.unwrap_or_default()
}

/// The current state of the files of a request. Resources that cannot be watched are left out.
async fn initial_state(requested: &SubscriptionFilter, broker: &Broker) -> WatchedFiles {
    let mut watched = WatchedFiles::default();
    if requested.resources_list_changed == Some(true) {
        watched.list = broker.index_metadata().await.ok();
    }
    for uri in requested.resource_subscriptions.iter().flatten() {
        if watched.resources.len() == MAX_WATCHED_RESOURCES {
            break;
        }
        if let Some(stamp) = stamp(uri, broker).await {
            watched.resources.insert(uri.clone(), stamp);
        }
    }
    watched
}

async fn notify_changes(watched: WatchedFiles, context: &SubscriptionContext, broker: &Broker) {
    if watched.list.is_none() && watched.resources.is_empty() {
        return context.cancelled().await;
    }
    let watched = Mutex::new(watched);
    let notifications = async {
        loop {
            sleep(POLL_INTERVAL).await;
            let ResourceChanges { list, resources } = poll_changes(&watched, broker).await;
            if list && context.sink().notify_resource_list_changed().await.is_err() {
                return;
            }
            for uri in resources {
                if context.sink().notify_resource_updated(uri).await.is_err() {
                    return;
                }
            }
        }
    };
    tokio::select! {
        () = notifications => context.cancelled().await,
        () = context.cancelled() => {}
    }
}

/// The changes since the last poll.
struct ResourceChanges {
    list: bool,
    resources: Vec<String>,
}

/// Polls the files again. Nothing is reported while the data directory does not respond.
async fn poll_changes(watched: &Mutex<WatchedFiles>, broker: &Broker) -> ResourceChanges {
    let WatchedFiles { resources: before, list: watches_list } = locked(watched).clone();
    let mut resources = Vec::new();
    for (uri, was) in before {
        let Ok(now) = current_stamp(&uri, broker).await else { continue };
        // The client may have unsubscribed meanwhile.
        if now != was && locked(watched).resources.get_mut(&uri).map(|watched| *watched = now).is_some() {
            resources.push(uri);
        }
    }
    let list = match watches_list {
        Some(was) => match broker.index_metadata().await {
            Ok(now) => {
                locked(watched).list = Some(now);
                now != was
            }
            Err(_) => false,
        },
        None => false,
    };
    ResourceChanges { list, resources }
}

/// The resource that `uri` refers to, if it can be watched: only complete resources can, not ranges.
fn watchable(uri: &str) -> Option<TaskUri> {
    TaskUri::parse(uri).ok().filter(|name| name.range == ResourceRange::All)
}

/// The stamp of a resource, if it can be watched and its task exists.
async fn stamp(uri: &str, broker: &Broker) -> Option<Stamp> {
    let name = watchable(uri)?;
    broker.file_metadata(vec![(name.id, TaskFile::Record)]).await.ok()?.first()?.as_ref()?;
    current_stamp(uri, broker).await.ok()
}

/// The stamp of a resource. After the task is removed the stamp is empty, which is reported once.
async fn current_stamp(uri: &str, broker: &Broker) -> Result<Stamp, Refusal> {
    let Some(TaskUri { id, part, .. }) = watchable(uri) else { return Ok([None, None]) };
    let files = match part {
        // Between two writes of the record, the timeline grows. Without a timeline, the live view changes.
        TaskResource::Record | TaskResource::Diagnostics => vec![TaskFile::Record, TaskFile::Timeline, TaskFile::Live],
        // A running agent changes files at any time. The timeline grows when it says so.
        TaskResource::Diff => vec![TaskFile::Workspace, TaskFile::Timeline],
        TaskResource::Log | TaskResource::Result | TaskResource::Events => vec![part.file()],
    };
    let facts = broker.file_metadata(files.into_iter().map(|file| (id.clone(), file)).collect()).await?;
    let facts_of = |file: usize| facts.get(file).copied().flatten();
    Ok([facts_of(0), facts_of(1).or(facts_of(2))])
}

/// Whether a watcher is running. A watcher that could not send stops, but stays in the set until it is joined.
fn is_running(watchers: &mut JoinSet<()>) -> bool {
    while watchers.try_join_next().is_some() {}
    !watchers.is_empty()
}

fn locked(watched: &Mutex<WatchedFiles>) -> MutexGuard<'_, WatchedFiles> {
    watched.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_unresponsive_data_directory_delays_a_listen_request_only_briefly() {
        const SHORT: Duration = Duration::from_millis(20);
        let uri = "task://1a2b3c4d".to_owned();
        let mut requested = SubscriptionFilter::new();
        requested.resources_list_changed = Some(true);
        requested.resource_subscriptions = Some(vec![uri.clone()]);
        let watched = timeout(ACCEPT_TIMEOUT, state_within(SHORT, std::future::pending()))
            .await
            .expect("the shorter time limit applies");
        let refused = servable(&requested, &watched);
        assert_eq!((refused.resources_list_changed, refused.resource_subscriptions), (Some(false), Some(vec![])));
        let watched = WatchedFiles { resources: BTreeMap::from([(uri, Stamp::default())]), list: Some(None) };
        assert_eq!(servable(&requested, &watched), requested, "the whole request can be served");
    }

    #[tokio::test]
    async fn a_stopped_watcher_can_be_replaced() {
        let mut watchers = JoinSet::new();
        assert!(!is_running(&mut watchers));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopping = watchers.spawn(async move { drop(stopped.await) });
        assert!(is_running(&mut watchers));
        drop(stop);
        while !stopping.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!is_running(&mut watchers));
    }
}
