//! Limits the number of connections, and closes unauthenticated ones first.
//!
//! Anyone on this machine can open connections. A connection is unauthenticated until its first request presents the
//! token. Only few connections may be unauthenticated: if there are more, the oldest of them is dismissed. So they can
//! never use up the slots of authenticated clients. A client that pauses before its first request can be dismissed too,
//! if others connect in the meantime.
//!
//! ```text
//! accepted ──▶ unauthenticated ── presents the token ──▶ client ──▶ closed
//!                     └────── dismissed ─────────────────────────────▲
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Maximum number of connections at a time. Further ones wait until others end.
const MAX_CONNECTIONS: usize = 2_000;

/// Maximum number of unauthenticated connections at a time.
const MAX_UNAUTHENTICATED: usize = 200;

/// The number of file descriptors that a server wants: one for each connection, and the same number for everything
/// else.
pub(super) const WANTED_DESCRIPTORS: u64 = 2 * MAX_CONNECTIONS as u64;

/// The slots of all connections.
#[derive(Debug, Clone)]
pub(super) struct ConnectionSlots {
    free: Arc<Semaphore>,
    unauthenticated: UnauthenticatedConnections,
    max_unauthenticated: usize,
}

/// The senders that dismiss unauthenticated connections, by number, the oldest first.
type UnauthenticatedConnections = Arc<Mutex<BTreeMap<u64, oneshot::Sender<()>>>>;

/// The slot of one connection. Dropping it frees the slot.
#[derive(Debug)]
pub(super) struct ConnectionSlot {
    number: u64,
    unauthenticated: UnauthenticatedConnections,
    _permit: OwnedSemaphorePermit,
}

/// Signals a connection that it must close.
#[derive(Debug)]
pub(super) struct Dismissal(oneshot::Receiver<()>);

impl ConnectionSlots {
    /// Slots for a process that may open `limit` files.
    pub(super) fn for_open_files(limit: u64) -> Self {
        let max = usize::try_from(limit / 2).map_or(MAX_CONNECTIONS, |half| half.clamp(1, MAX_CONNECTIONS));
        Self::new(max, MAX_UNAUTHENTICATED.min(max.div_ceil(4)))
    }

    fn new(max: usize, max_unauthenticated: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(max)), unauthenticated: Arc::default(), max_unauthenticated }
    }

    /// Waits for a slot for a new connection. The numbers of connections must increase.
    pub(super) async fn take(&self, number: u64) -> (ConnectionSlot, Dismissal) {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.dismiss_oldest();
                Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        while locked(&self.unauthenticated).len() >= self.max_unauthenticated {
            self.dismiss_oldest();
        }
        let (dismiss, dismissal) = oneshot::channel();
        locked(&self.unauthenticated).insert(number, dismiss);
        (
            ConnectionSlot { number, unauthenticated: Arc::clone(&self.unauthenticated), _permit: permit },
            Dismissal(dismissal),
        )
    }

    /// Dismisses the oldest unauthenticated connection, if there is one.
    pub(super) fn dismiss_oldest(&self) {
        if let Some((_, dismiss)) = locked(&self.unauthenticated).pop_first() {
            // The connection may have closed by itself.
            let _ = dismiss.send(());
        }
    }
}

impl ConnectionSlot {
    /// Records that the connection has presented the token. It is no longer dismissed.
    pub(super) fn mark_authenticated(&self) {
        locked(&self.unauthenticated).remove(&self.number);
    }
}

impl Drop for ConnectionSlot {
    fn drop(&mut self) {
        locked(&self.unauthenticated).remove(&self.number);
    }
}

impl Dismissal {
    /// Completes when the connection must close. Never completes for an authenticated connection.
    pub(super) async fn received(self) {
        if self.0.await.is_err() {
            std::future::pending().await
        }
    }
}

fn locked(unauthenticated: &UnauthenticatedConnections) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<()>>> {
    unauthenticated.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_oldest_unauthenticated_connection_makes_room_for_a_new_one() {
        let slots = ConnectionSlots::new(100, 2);
        let (_first, first_dismissal) = slots.take(1).await;
        let (_second, second_dismissal) = slots.take(2).await;
        let (_third, third_dismissal) = slots.take(3).await;
        assert!(first_dismissal.received().now_or_never().is_some());
        assert!(
            second_dismissal.received().now_or_never().is_none() && third_dismissal.received().now_or_never().is_none()
        );
    }

    #[tokio::test]
    async fn an_authenticated_connection_stays_and_no_longer_counts_as_unauthenticated() {
        let slots = ConnectionSlots::new(100, 1);
        let (client, client_dismissal) = slots.take(1).await;
        client.mark_authenticated();
        let (_unauthenticated, unauthenticated_dismissal) = slots.take(2).await;
        let (_next, _) = slots.take(3).await;
        assert!(client_dismissal.received().now_or_never().is_none());
        assert!(unauthenticated_dismissal.received().now_or_never().is_some());
    }

    #[tokio::test]
    async fn when_all_slots_are_taken_an_unauthenticated_connection_is_closed_first() {
        let slots = ConnectionSlots::new(2, 2);
        let (client, client_dismissal) = slots.take(1).await;
        client.mark_authenticated();
        let (unauthenticated, unauthenticated_dismissal) = slots.take(2).await;
        assert!(slots.take(3).now_or_never().is_none(), "no slot is free until a connection closes");
        assert!(unauthenticated_dismissal.received().now_or_never().is_some());
        drop(unauthenticated);
        assert!(slots.take(3).now_or_never().is_some());
        assert!(client_dismissal.received().now_or_never().is_none());
    }

    #[tokio::test]
    async fn authenticated_clients_can_fill_all_slots() {
        let slots = ConnectionSlots::new(2, 1);
        let mut clients = Vec::new();
        for number in 0..2 {
            let (client, _) = slots.take(number).await;
            client.mark_authenticated();
            clients.push(client);
        }
        assert!(slots.take(2).now_or_never().is_none());
        clients.pop();
        assert!(slots.take(3).now_or_never().is_some());
    }

    #[test]
    fn half_of_the_open_files_are_for_connections() {
        let max = |limit| ConnectionSlots::for_open_files(limit).free.available_permits();
        assert_eq!([max(0), max(256), max(1_024), max(4_096), max(u64::MAX)], [1, 128, 512, 2_000, 2_000]);
    }
}
