//! Telling clients that resources have changed.
//!
//! Files are looked at once a second, and only while someone listens: by `resources/subscribe` up to 2025-11-25, or by
//! `subscriptions/listen` from 2026-07-28 on. That the list has changed is told, in the older versions, to a client that
//! has listed it. Whoever does not read its messages holds up nobody: each connection has a watcher of its own, which ends
//! with it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rmcp::{
    Peer, RoleServer,
    model::{ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter},
    service::SubscriptionContext,
};
use tokio::{task::JoinSet, time::sleep};

use super::uri::{Part, Range, TaskUri};
use crate::{
    broker::Broker,
    store::{FileFacts, TaskFile},
};

/// How often the files are looked at: no resource is told of more often.
const LOOK: Duration = Duration::from_secs(1);

/// The most resources that one client can watch.
const MOST: usize = 200;

/// What the files were when they were last looked at.
#[derive(Debug, Clone, Default)]
struct Seen {
    resources: BTreeMap<String, Stamp>,
    list: Option<Option<FileFacts>>,
}

/// The state of the files of a resource.
type Stamp = [Option<FileFacts>; 2];

/// What a client of the older versions watches.
#[derive(Debug, Clone, Default)]
pub(in crate::mcp) struct Watcher {
    seen: Arc<Mutex<Seen>>,
    watching: Arc<Mutex<JoinSet<()>>>,
}

impl Watcher {
    /// Watches a resource from now on. Fails when there is no such name, or no such task, or too many are watched.
    pub(in crate::mcp) fn subscribe(
        &self,
        uri: &str,
        broker: &Broker,
        peer: &Peer<RoleServer>,
    ) -> Result<(), ErrorData> {
        let stamp = watchable(uri, broker)
            .ok_or_else(|| super::no_resource(uri, "there is no such resource to subscribe to".to_owned()))?;
        let mut seen = locked(&self.seen);
        if seen.resources.len() >= MOST && !seen.resources.contains_key(uri) {
            return Err(ErrorData::invalid_params(format!("{MOST} subscriptions are the most"), None));
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
    pub(in crate::mcp) fn watch_list(&self, broker: &Broker, peer: &Peer<RoleServer>) {
        locked(&self.seen).list = Some(broker.index_facts());
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
                let News { list, resources } = locked(&seen).look(&broker);
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

/// The part of a request to listen that can be served.
pub(in crate::mcp) fn accepted(requested: &SubscriptionFilter, broker: &Broker) -> SubscriptionFilter {
    let mut accepted = SubscriptionFilter::new();
    accepted.resources_list_changed = requested.resources_list_changed;
    accepted.resource_subscriptions = requested
        .resource_subscriptions
        .as_ref()
        .map(|uris| uris.iter().filter(|uri| watchable(uri, broker).is_some()).take(MOST).cloned().collect());
    accepted
}

/// Serves `subscriptions/listen` until it is cancelled.
pub(in crate::mcp) async fn listen(context: &SubscriptionContext, broker: &Broker) {
    let mut seen = Seen::default();
    if context.accepted().resources_list_changed == Some(true) {
        seen.list = Some(broker.index_facts());
    }
    for uri in context.accepted().resource_subscriptions.iter().flatten() {
        if let Some(stamp) = watchable(uri, broker) {
            seen.resources.insert(uri.clone(), stamp);
        }
    }
    if seen.list.is_none() && seen.resources.is_empty() {
        return context.cancelled().await;
    }
    let telling = async {
        loop {
            sleep(LOOK).await;
            let News { list, resources } = seen.look(broker);
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

impl Seen {
    /// Looks again.
    fn look(&mut self, broker: &Broker) -> News {
        let mut resources = Vec::new();
        for (uri, seen) in &mut self.resources {
            // A task that was removed has no files, and that is news once.
            let now = TaskUri::parse(uri).map_or([None, None], |name| stamp(&name, broker));
            if std::mem::replace(seen, now) != now {
                resources.push(uri.clone());
            }
        }
        let list = self.list.as_mut().is_some_and(|seen| {
            let now = broker.index_facts();
            std::mem::replace(seen, now) != now
        });
        News { list, resources }
    }
}

/// The stamp of a resource that can be watched: the whole of a part of a task that exists.
fn watchable(uri: &str, broker: &Broker) -> Option<Stamp> {
    let name = TaskUri::parse(uri).ok().filter(|name| name.range == Range::Whole)?;
    broker.file_facts(&name.id, TaskFile::Record)?;
    Some(stamp(&name, broker))
}

fn stamp(name: &TaskUri, broker: &Broker) -> Stamp {
    let facts = |file| broker.file_facts(&name.id, file);
    match name.part {
        // Between two writes of the record the live view says what has changed.
        Part::Record | Part::Diagnostics => [facts(TaskFile::Record), facts(TaskFile::Live)],
        Part::Log | Part::Result | Part::Events => [facts(name.part.file()), None],
    }
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
