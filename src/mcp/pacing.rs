//! Backpressure: the server reads from a client only as fast as the client reads answers.
//!
//! rmcp reads every request as soon as it arrives, spawns a future for it, and keeps its answer until it can be
//! written. A client that writes but never reads would fill the server's memory. So reading depends on two limits:
//!
//! | limit reached | effect |
//! |---|---|
//! | [`MAX_UNWRITTEN_MESSAGES`] messages wait to be written | reading stops until the client reads |
//! | [`MAX_UNANSWERED_REQUESTS`] requests have no answer yet | one message is read every [`SLOW_READ_INTERVAL`] |
//!
//! In the second case reading must not stop: the requests can be calls that wait for tasks, and the client must be able
//! to cancel them.
//!
//! A request with the ID of an unanswered request is refused here. rmcp would execute both but answer only the first to
//! finish, which would make the number of unanswered requests wrong.

use std::{collections::HashSet, sync::Arc, time::Duration};

use rmcp::{
    RoleServer,
    model::{ClientNotification, ErrorData, JsonRpcMessage, RequestId},
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::Transport,
};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};

use crate::present::protocol::ID_IN_USE;

/// Maximum number of messages that wait to be written.
const MAX_UNWRITTEN_MESSAGES: usize = 64;

/// Number of unanswered requests at which reading slows down.
const MAX_UNANSWERED_REQUESTS: usize = 256;

/// Time between two messages while reading is slow.
const SLOW_READ_INTERVAL: Duration = Duration::from_millis(50);

/// Time limit for writing refusals when the connection ends.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// A transport that applies these limits.
#[derive(Debug)]
pub(super) struct PacedTransport<T> {
    transport: T,
    /// One permit for each message that waits to be written. A message is sent even if no permit is left.
    unwritten: Arc<Semaphore>,
    unanswered: HashSet<RequestId>,
    /// Refusals being written.
    refusals: JoinSet<()>,
    /// When the next message may be read, while there are too many unanswered requests.
    next: Option<Instant>,
}

impl<T> PacedTransport<T> {
    pub(super) fn new(transport: T) -> Self {
        Self {
            transport,
            unwritten: Arc::new(Semaphore::new(MAX_UNWRITTEN_MESSAGES)),
            unanswered: HashSet::new(),
            refusals: JoinSet::new(),
            next: None,
        }
    }

    /// Returns when the next message may be read. Callers may drop it at any time and call it again.
    async fn wait_for_capacity(&mut self) {
        // Only waits for a free permit, and returns it at once. The semaphore is never closed, so this cannot fail.
        let _ = self.unwritten.acquire().await;
        if self.unanswered.len() < MAX_UNANSWERED_REQUESTS {
            self.next = None;
        } else {
            sleep_until(*self.next.get_or_insert_with(|| Instant::now() + SLOW_READ_INTERVAL)).await;
        }
    }

    /// Fails with the ID of a request if another unanswered request has the same ID.
    fn count_received(&mut self, message: &RxJsonRpcMessage<RoleServer>) -> Result<(), RequestId> {
        self.next = None;
        match message {
            JsonRpcMessage::Request(request) => {
                if !self.unanswered.insert(request.id.clone()) {
                    return Err(request.id.clone());
                }
            }
            // rmcp does not answer a cancelled request.
            JsonRpcMessage::Notification(notification) => {
                if let ClientNotification::CancelledNotification(cancelled) = &notification.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.unanswered.remove(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Ok(())
    }

    fn count_sent(&mut self, message: &TxJsonRpcMessage<RoleServer>) -> Option<OwnedSemaphorePermit> {
        match message {
            JsonRpcMessage::Response(response) => drop(self.unanswered.remove(&response.id)),
            JsonRpcMessage::Error(error) => drop(error.id.as_ref().map(|id| self.unanswered.remove(id))),
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => {}
        }
        Arc::clone(&self.unwritten).try_acquire_owned().ok()
    }
}

impl<T: Transport<RoleServer>> PacedTransport<T> {
    fn refuse(&mut self, id: RequestId) {
        while self.refusals.try_join_next().is_some() {}
        let unwritten = Arc::clone(&self.unwritten).try_acquire_owned().ok();
        let sending = self.transport.send(JsonRpcMessage::error(ErrorData::invalid_request(ID_IN_USE, None), Some(id)));
        self.refusals.spawn(async move {
            if sending.await.is_err() {
                tracing::debug!("a refusal could not be written");
            }
            drop(unwritten);
        });
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for PacedTransport<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        let unwritten = self.count_sent(&message);
        let sending = self.transport.send(message);
        async move {
            let sent = sending.await;
            drop(unwritten);
            sent
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.wait_for_capacity().await;
            let message = self.transport.receive().await?;
            match self.count_received(&message) {
                Ok(()) => return Some(message),
                Err(id) => self.refuse(id),
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        let refusals = async { while self.refusals.join_next().await.is_some() {} };
        let _ = timeout(CLOSE_TIMEOUT, refusals).await;
        self.transport.close().await
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::VecDeque, convert::Infallible};

    use futures_util::FutureExt;
    use rmcp::model::{EmptyObject, ServerResult};
    use serde_json::json;
    use tokio::{sync::watch, task::yield_now};

    use super::*;

    /// A client that has written these messages, and reads nothing until `reads` becomes true.
    struct Client {
        written: VecDeque<RxJsonRpcMessage<RoleServer>>,
        reads: watch::Receiver<bool>,
    }

    impl Transport<RoleServer> for Client {
        type Error = Infallible;

        fn send(
            &mut self,
            _: TxJsonRpcMessage<RoleServer>,
        ) -> impl Future<Output = Result<(), Infallible>> + Send + 'static {
            let mut reads = self.reads.clone();
            async move {
                let _ = reads.wait_for(|reads| *reads).await;
                Ok(())
            }
        }

        async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
            self.written.pop_front()
        }

        async fn close(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
    }

    fn ping(id: usize) -> RxJsonRpcMessage<RoleServer> {
        serde_json::from_value(json!({"jsonrpc": "2.0", "id": id, "method": "ping"})).expect("valid request")
    }

    fn cancelled(id: usize) -> RxJsonRpcMessage<RoleServer> {
        let params = json!({"requestId": id});
        serde_json::from_value(json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": params}))
            .expect("valid notification")
    }

    fn pong(id: usize) -> TxJsonRpcMessage<RoleServer> {
        let id = RequestId::Number(id.try_into().expect("small ID"));
        JsonRpcMessage::response(ServerResult::EmptyResult(EmptyObject {}), id)
    }

    fn client(
        written: impl Iterator<Item = RxJsonRpcMessage<RoleServer>>,
    ) -> (PacedTransport<Client>, watch::Sender<bool>) {
        let (reads, can_read) = watch::channel(false);
        (PacedTransport::new(Client { written: written.collect(), reads: can_read }), reads)
    }

    /// Number of messages that can be read without waiting.
    async fn read_at_once(paced: &mut PacedTransport<Client>) -> usize {
        let mut read = 0;
        while paced.receive().now_or_never().flatten().is_some() {
            read += 1;
            yield_now().await;
        }
        read
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_is_not_read_from() {
        let (mut paced, reads) = client((0..10_000).map(ping));
        let mut sending = tokio::task::JoinSet::new();
        let mut read = 0;
        while paced.receive().now_or_never().flatten().is_some() {
            sending.spawn(paced.send(pong(read)));
            yield_now().await;
            read += 1;
        }
        assert_eq!(read, MAX_UNWRITTEN_MESSAGES);
        reads.send(true).expect("the client exists");
        while sending.join_next().await.is_some() {}
        assert_eq!(read_at_once(&mut paced).await, MAX_UNANSWERED_REQUESTS, "reading continues");
    }

    #[tokio::test]
    async fn requests_that_share_an_id_are_refused_and_still_bounded() {
        let (mut paced, reads) = client((0..10_000).map(|_| ping(1)));
        paced.receive().await.expect("more messages");
        assert_eq!(read_at_once(&mut paced).await, 0, "the others are refused");
        let unread = paced.transport.written.len();
        assert!((10_000 - MAX_UNWRITTEN_MESSAGES - 1..10_000 - 1).contains(&unread), "{unread} messages are unread");
        reads.send(true).expect("the client exists");
        drop(paced.send(pong(1)));
        paced.receive().await.expect("the ID can be used again");
    }

    #[tokio::test]
    async fn many_slow_requests_are_read_slowly_but_never_blocked() {
        let (mut paced, _reads) = client((0..10_000).map(ping));
        assert_eq!(read_at_once(&mut paced).await, MAX_UNANSWERED_REQUESTS);
        let start = Instant::now();
        for _ in 0..10 {
            paced.receive().await.expect("more messages");
        }
        assert!(start.elapsed() >= 9 * SLOW_READ_INTERVAL, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn answers_and_cancellations_make_room_for_requests() {
        let cancellations = [cancelled(1), cancelled(2)];
        let (mut paced, _reads) =
            client((0..MAX_UNANSWERED_REQUESTS).map(ping).chain(cancellations).chain((300..400).map(ping)));
        assert_eq!(read_at_once(&mut paced).await, MAX_UNANSWERED_REQUESTS);
        drop(paced.send(pong(0)));
        assert_eq!(
            read_at_once(&mut paced).await,
            5,
            "two cancellations and three requests: one answer and two cancellations make room for three"
        );
    }
}
