//! Telling clients that resources have changed.
//!
//! Files are looked at once a second, and only while someone listens: by `resources/subscribe` up to 2025-11-25, or by
//! `subscriptions/listen` from 2026-07-28 on. That the list has changed is told, in the older versions, to a client that
//! has listed it. Whoever does not read its messages holds up nobody: each connection has a watcher of its own, which ends
//! with it.

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

use super::uri::{Part, Range, TaskUri};
use crate::{
    broker::{Broker, Refusal},
    present::protocol,
    store::{FileMetadata, TaskFile},
};

/// How often the files are looked at: no resource is told of more often.
const LOOK: Duration = Duration::from_secs(1);

/// The most resources that one client can watch.
const MOST: usize = 200;

/// The most requests to listen that were accepted and that nobody listens to yet.
const MOST_ACCEPTED: usize = 16;

/// How long the files may take to answer before a request to listen is accepted without them.
const ACCEPTING: Duration = Duration::from_secs(5);

/// What the files were when they were last looked at.
#[derive(Debug, Clone, Default)]
struct Seen {
    resources: BTreeMap<String, Stamp>,
    list: Option<Option<FileMetadata>>,
}

/// The state of the files of a resource.
type Stamp = [Option<FileMetadata>; 2];

/// What a client of the older versions watches.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    watching: Arc<Mutex<JoinSet<()>>>,
    /// Requests that were accepted, and the state of their files at that time, until someone listens.
    accepted: Arc<Mutex<VecDeque<(SubscriptionFilter, Seen)>>>,
}

impl Watcher {
    /// Watches a resource from now on. Fails when there is no such name, or no such task, or too many are watched.
    pub(in crate::mcp) async fn subscribe(
        &self,
        uri: &str,
        broker: &Broker,
        peer: &Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let stamp =
            stamp(uri, broker).await.ok_or_else(|| super::no_resource(uri, protocol::NO_SUBSCRIPTION.to_owned()))?;
        let mut seen = locked(&self.seen);
        if seen.resources.len() >= MOST && !seen.resources.contains_key(uri) {
            return Err(ErrorData::invalid_params(protocol::too_many_subscriptions(MOST), None));
        }
        seen.resources.insert(uri.to_owned(), stamp);
        drop(seen);
        self.begin(broker, peer);
        Ok(())
    }

    pub(in crate::mcp) fn unsubscribe(&self, uri: &str) {
        locked(&self.seen).resources.remove(uri);
    }

    /// Watches the list from now on.
    pub(in crate::mcp) async fn watch_list(&self, broker: &Broker, peer: &Peer<RoleServer>) {
        let list = broker.index_metadata().await.ok().flatten();
        locked(&self.seen).list = Some(list);
        self.begin(broker, peer);
    }

    fn begin(&self, broker: &Broker, peer: &Peer<RoleServer>) {
        let mut watching = self.watching.lock().unwrap_or_else(PoisonError::into_inner);
        if is_running(&mut watching) {
            return;
        }
        let (seen, broker, peer) = (Arc::clone(&self.seen), broker.clone(), peer.clone());
        watching.spawn(async move {
            loop {
                sleep(LOOK).await;
                let News { list, resources } = look(&seen, &broker).await;
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
    /// The part of a request to listen that can be served. Whatever changes from now on will be news: the client is told that
    /// this was accepted before anybody [listens](Self::listen).
    ///
    /// To be called on a runtime with several threads, in a callback that cannot wait in any other way. The files are looked at
    /// on threads of their own, and this thread waits for them for at most [`ACCEPTING`].
    pub(in crate::mcp) fn accept(&self, requested: &SubscriptionFilter, broker: &Broker) -> SubscriptionFilter {
        // Another thread takes over what this one has to do.
        let seen = block_in_place(|| Handle::current().block_on(seen_within(ACCEPTING, look_first(requested, broker))));
        let accepted = served(requested, &seen);
        let mut waiting = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == MOST_ACCEPTED {
            waiting.pop_front();
        }
        waiting.push_back((accepted.clone(), seen));
        accepted
    }

    /// Serves `subscriptions/listen` until it is cancelled.
    pub(in crate::mcp) async fn listen(&self, context: &SubscriptionContext, broker: &Broker) {
        let seen = match self.take_accepted(context.accepted()) {
            Some(seen) => seen,
            None => look_first(context.accepted(), broker).await,
        };
        tell(seen, context, broker).await;
    }

    fn take_accepted(&self, accepted: &SubscriptionFilter) -> Option<Seen> {
        let mut waiting = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(waiting, _)| waiting == accepted)?;
        waiting.remove(at).map(|(_, seen)| seen)
    }
}

/// The part of a request that can be served, by the files that were seen.
fn served(requested: &SubscriptionFilter, seen: &Seen) -> SubscriptionFilter {
    let mut served = SubscriptionFilter::new();
    served.resources_list_changed = requested.resources_list_changed.map(|wanted| wanted && seen.list.is_some());
    served.resource_subscriptions = requested
        .resource_subscriptions
        .as_ref()
        .map(|uris| uris.iter().filter(|uri| seen.resources.contains_key(*uri)).cloned().collect());
    served
}

/// The result of a look, or nothing if the files do not answer.
async fn seen_within(patience: Duration, look: impl Future<Output = Seen>) -> Seen {
    timeout(patience, look).await.unwrap_or_default()
}

/// The current state of the files of a request. A resource that cannot be watched is left out.
async fn look_first(requested: &SubscriptionFilter, broker: &Broker) -> Seen {
    let mut seen = Seen::default();
    if requested.resources_list_changed == Some(true) {
        seen.list = broker.index_metadata().await.ok();
    }
    for uri in requested.resource_subscriptions.iter().flatten() {
        if seen.resources.len() == MOST {
            break;
        }
        if let Some(stamp) = stamp(uri, broker).await {
            seen.resources.insert(uri.clone(), stamp);
        }
    }
    seen
}

async fn tell(seen: Seen, context: &SubscriptionContext, broker: &Broker) {
    if seen.list.is_none() && seen.resources.is_empty() {
        return context.cancelled().await;
    }
    let seen = Mutex::new(seen);
    let telling = async {
        loop {
            sleep(LOOK).await;
            let News { list, resources } = look(&seen, broker).await;
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
        () = telling => context.cancelled().await,
        () = context.cancelled() => {}
    }
}

/// What has changed.
struct News {
    list: bool,
    resources: Vec<String>,
}

/// Looks again. A data directory that does not answer is no news.
async fn look(seen: &Mutex<Seen>, broker: &Broker) -> News {
    let Seen { resources: before, list: watches_list } = locked(seen).clone();
    let mut resources = Vec::new();
    for (uri, was) in before {
        let Ok(now) = now(&uri, broker).await else { continue };
        // It may have been unsubscribed meanwhile.
        if now != was && locked(seen).resources.get_mut(&uri).map(|seen| *seen = now).is_some() {
            resources.push(uri);
        }
    }
    let list = match watches_list {
        Some(was) => match broker.index_metadata().await {
            Ok(now) => {
                locked(seen).list = Some(now);
                now != was
            }
            Err(_) => false,
        },
        None => false,
    };
    News { list, resources }
}

/// A resource that can be watched: the whole of a part of a task.
fn watchable(uri: &str) -> Option<TaskUri> {
    TaskUri::parse(uri).ok().filter(|name| name.range == Range::Whole)
}

/// The stamp of a resource that can be watched, of a task that exists.
async fn stamp(uri: &str, broker: &Broker) -> Option<Stamp> {
    let name = watchable(uri)?;
    broker.file_metadata(vec![(name.id, TaskFile::Record)]).await.ok()?.first()?.as_ref()?;
    now(uri, broker).await.ok()
}

/// The stamp of a resource. A task that was removed has no files, and that is news once.
async fn now(uri: &str, broker: &Broker) -> Result<Stamp, Refusal> {
    let Some(TaskUri { id, part, .. }) = watchable(uri) else { return Ok([None, None]) };
    let files = match part {
        // Between two writes of the record the timeline grows; of a task without one, the live view changes.
        Part::Record | Part::Diagnostics => vec![TaskFile::Record, TaskFile::Timeline, TaskFile::Live],
        Part::Log | Part::Result | Part::Events => vec![part.file()],
    };
    let facts = broker.file_metadata(files.into_iter().map(|file| (id.clone(), file)).collect()).await?;
    let facts_of = |file: usize| facts.get(file).copied().flatten();
    Ok([facts_of(0), facts_of(1).or(facts_of(2))])
}

/// Whether somebody is at work. One whose message was not taken has stopped, and stays in the set until it is joined.
fn is_running(watching: &mut JoinSet<()>) -> bool {
    while watching.try_join_next().is_some() {}
    !watching.is_empty()
}

fn locked(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_data_directory_that_does_not_answer_delays_a_request_to_listen_for_a_short_time_only() {
        const SHORT: Duration = Duration::from_millis(20);
        let uri = "task://1a2b3c4d".to_owned();
        let mut requested = SubscriptionFilter::new();
        requested.resources_list_changed = Some(true);
        requested.resource_subscriptions = Some(vec![uri.clone()]);
        let seen = timeout(ACCEPTING, seen_within(SHORT, std::future::pending())).await.expect("it gives up before");
        let refused = served(&requested, &seen);
        assert_eq!((refused.resources_list_changed, refused.resource_subscriptions), (Some(false), Some(vec![])));
        let seen = Seen { resources: BTreeMap::from([(uri, Stamp::default())]), list: Some(None) };
        assert_eq!(served(&requested, &seen), requested, "all of it can be served");
    }

    #[tokio::test]
    async fn one_that_has_stopped_can_be_followed_by_another() {
        let mut watching = JoinSet::new();
        assert!(!is_running(&mut watching));
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let stopping = watching.spawn(async move { drop(stopped.await) });
        assert!(is_running(&mut watching));
        drop(stop);
        while !stopping.is_finished() {
            tokio::task::yield_now().await;
        }
        assert!(!is_running(&mut watching));
    }
}
