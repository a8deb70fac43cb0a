//! How many connections there are, and whose turn it is to go.
//!
//! Anyone on this machine can open connections, and a client shows the token only in the head of its first request. Until
//! then it is a stranger. There is room for few strangers, and when there are more, the one that has been silent for
//! longest has to go: so strangers never use up the places of clients. A client that pauses before its first request can
//! be dismissed, too, if strangers connect faster than that.
//!
//! ```text
//! accepted ──▶ stranger ── shows the token ──▶ client ──▶ closed
//!                  └────── dismissed ────────────────────────▲
//! ```

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// The most connections at a time; more wait until others end.
const MOST: usize = 2_000;

/// The most of them that are strangers.
const MOST_STRANGERS: usize = 200;

/// The descriptors that a server wants: one for each connection, and as many for everything else.
pub(super) const DESCRIPTORS: u64 = 2 * MOST as u64;

/// All places.
#[derive(Debug, Clone)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    strangers: Strangers,
    most_strangers: usize,
}

/// How to dismiss each stranger, the oldest first.
type Strangers = Arc<Mutex<BTreeMap<u64, oneshot::Sender<()>>>>;

/// The place of one connection, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    number: u64,
    strangers: Strangers,
    _permit: OwnedSemaphorePermit,
}

/// Tells a connection that it has to go.
#[derive(Debug)]
pub(super) struct Dismissal(oneshot::Receiver<()>);

impl Places {
    /// Limits for a process that may have this many open files.
    pub(super) fn for_open_files(limit: u64) -> Self {
        let most = usize::try_from(limit / 2).map_or(MOST, |half| half.clamp(1, MOST));
        Self::new(most, MOST_STRANGERS.min(most.div_ceil(4)))
    }

    fn new(most: usize, most_strangers: usize) -> Self {
        Self { free: Arc::new(Semaphore::new(most)), strangers: Arc::default(), most_strangers }
    }

    /// A place for a connection that was accepted just now. The number is larger for each.
    pub(super) async fn take(&self, number: u64) -> (Place, Dismissal) {
        let permit = match Arc::clone(&self.free).try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                self.dismiss_oldest();
                Arc::clone(&self.free).acquire_owned().await.expect("the semaphore is never closed")
            }
        };
        while locked(&self.strangers).len() >= self.most_strangers {
            self.dismiss_oldest();
        }
        let (dismiss, dismissal) = oneshot::channel();
        locked(&self.strangers).insert(number, dismiss);
        (Place { number, strangers: Arc::clone(&self.strangers), _permit: permit }, Dismissal(dismissal))
    }

    /// Tells the stranger to go that has been here for longest, if there is one.
    pub(super) fn dismiss_oldest(&self) {
        if let Some((_, dismiss)) = locked(&self.strangers).pop_first() {
            // One that went by itself does not need to know.
            let _ = dismiss.send(());
        }
    }
}

impl Place {
    /// It has shown the token: from now on it may stay.
    pub(super) fn is_known(&self) {
        locked(&self.strangers).remove(&self.number);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        locked(&self.strangers).remove(&self.number);
    }
}

impl Dismissal {
    /// Returns when the connection has to go, and never for one that may stay.
    pub(super) async fn heard(self) {
        if self.0.await.is_err() {
            std::future::pending().await
        }
    }
}

fn locked(strangers: &Strangers) -> MutexGuard<'_, BTreeMap<u64, oneshot::Sender<()>>> {
    strangers.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn the_oldest_unauthenticated_connection_makes_room_for_a_new_one() {
        let places = Places::new(100, 2);
        let (_first, first_told) = places.take(1).await;
        let (_second, second_told) = places.take(2).await;
        let (_third, third_told) = places.take(3).await;
        assert!(first_told.heard().now_or_never().is_some());
        assert!(second_told.heard().now_or_never().is_none() && third_told.heard().now_or_never().is_none());
    }

    #[tokio::test]
    async fn an_authenticated_connection_stays_and_no_longer_counts_as_unauthenticated() {
        let places = Places::new(100, 1);
        let (client, client_told) = places.take(1).await;
        client.is_known();
        let (_stranger, stranger_told) = places.take(2).await;
        let (_next, _) = places.take(3).await;
        assert!(client_told.heard().now_or_never().is_none());
        assert!(stranger_told.heard().now_or_never().is_some());
    }

    #[tokio::test]
    async fn when_all_slots_are_taken_an_unauthenticated_connection_is_closed_first() {
        let places = Places::new(2, 2);
        let (client, client_told) = places.take(1).await;
        client.is_known();
        let (stranger, stranger_told) = places.take(2).await;
        assert!(places.take(3).now_or_never().is_none(), "there is none until one goes");
        assert!(stranger_told.heard().now_or_never().is_some());
        drop(stranger);
        assert!(places.take(3).now_or_never().is_some());
        assert!(client_told.heard().now_or_never().is_none());
    }

    #[tokio::test]
    async fn authenticated_clients_can_fill_all_slots() {
        let places = Places::new(2, 1);
        let mut clients = Vec::new();
        for number in 0..2 {
            let (client, _) = places.take(number).await;
            client.is_known();
            clients.push(client);
        }
        assert!(places.take(2).now_or_never().is_none());
        clients.pop();
        assert!(places.take(3).now_or_never().is_some());
    }

    #[test]
    fn half_of_the_open_files_are_for_connections() {
        let most = |limit| Places::for_open_files(limit).free.available_permits();
        assert_eq!([most(0), most(256), most(1_024), most(4_096), most(u64::MAX)], [1, 128, 512, 2_000, 2_000]);
    }
}
