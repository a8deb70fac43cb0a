//! Calls that the client has cancelled, with the reason.
//!
//! rmcp's cancellation token is not enough: rmcp cancels it before it reports the reason, and also for internal
//! reasons. So a call that must react to the client's cancellation waits for it here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::RequestId;
use tokio::sync::oneshot;

use crate::config::{OnCallEnd, Serving};

/// The calls that are waiting for a cancellation, by request ID.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Cancellation>>>>);

/// The reason why the client no longer waits for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// The client's time limit was reached. It may still want the result.
    TimedOut,
    /// The client no longer wants the result.
    Unwanted,
}

impl Cancellation {
    /// The configured action for the task that the call was waiting for.
    pub(super) fn on_call_end(self, serving: &Serving) -> OnCallEnd {
        match self {
            Self::TimedOut => serving.on_call_timed_out,
            Self::Unwanted => serving.on_call_cancelled,
        }
    }
}

/// Waits for the cancellation of one call. Unregisters it when dropped.
#[derive(Debug)]
pub(super) struct CancellationListener {
    id: RequestId,
    /// `None` after the cancellation was received, or another call took over the ID.
    receiver: Option<oneshot::Receiver<Cancellation>>,
    all: Cancellations,
}

impl Cancellations {
    /// Listens for the cancellation of the call `id`.
    pub(super) fn listen(&self, id: RequestId) -> CancellationListener {
        let (sender, receiver) = oneshot::channel();
        self.locked().insert(id.clone(), sender);
        CancellationListener { id, receiver: Some(receiver), all: self.clone() }
    }

    /// The client cancelled the call `id` for this reason.
    pub(super) fn cancel(&self, id: &RequestId, reason: Option<&str>) {
        // Claude Code sends "McpError: MCP error -32001: Request timed out".
        let timed_out = reason.is_some_and(|reason| reason.to_lowercase().contains("timed out"));
        let cancellation = if timed_out { Cancellation::TimedOut } else { Cancellation::Unwanted };
        if let Some(sender) = self.locked().remove(id) {
            let _ = sender.send(cancellation);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Cancellation>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl CancellationListener {
    /// The cancellation, if it has been received.
    pub(super) fn try_cancelled(&mut self) -> Option<Cancellation> {
        self.receiver.as_mut().and_then(|receiver| receiver.try_recv().ok())
    }

    /// Waits until the call is cancelled. Returns only once, and can be dropped and called again.
    pub(super) async fn cancelled(&mut self) -> Cancellation {
        if let Some(receiver) = &mut self.receiver {
            let received = receiver.await;
            self.receiver = None;
            // Otherwise another call used the same ID, against the protocol, and receives the cancellation instead.
            if let Ok(cancellation) = received {
                return cancellation;
            }
        }
        std::future::pending().await
    }
}

impl Drop for CancellationListener {
    fn drop(&mut self) {
        self.receiver = None;
        let mut calls = self.all.locked();
        if calls.get(&self.id).is_some_and(oneshot::Sender::is_closed) {
            calls.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn a_call_learns_why_it_was_cancelled() {
        for (reason, cancellation) in [
            (None, Cancellation::Unwanted),
            (Some("AbortError: user-cancel"), Cancellation::Unwanted),
            (Some("McpError: MCP error -32001: Request timed out"), Cancellation::TimedOut),
            (Some("SdkError: Request timed out"), Cancellation::TimedOut),
        ] {
            let cancellations = Cancellations::default();
            let mut listener = cancellations.listen(RequestId::Number(1));
            cancellations.cancel(&RequestId::Number(2), None);
            cancellations.cancel(&RequestId::Number(1), reason);
            assert_eq!(listener.cancelled().await, cancellation, "{reason:?}");
        }
    }

    #[tokio::test]
    async fn if_two_calls_share_an_id_the_later_one_is_cancelled() {
        let cancellations = Cancellations::default();
        let mut first = cancellations.listen(RequestId::Number(1));
        let mut second = cancellations.listen(RequestId::Number(1));
        for _ in 0..2 {
            assert_eq!(first.cancelled().now_or_never(), None);
        }
        drop(first);
        cancellations.cancel(&RequestId::Number(1), None);
        assert_eq!(second.cancelled().await, Cancellation::Unwanted);
    }

    #[test]
    fn a_finished_call_is_forgotten() {
        let cancellations = Cancellations::default();
        drop(cancellations.listen(RequestId::Number(1)));
        assert!(cancellations.locked().is_empty());
    }
}
