//! Calls that the client no longer wants.
//!
//! rmcp cancels a call's token before it tells the reason, and also cancels tokens for reasons of its own. So a call
//! that does something about it waits for the reason, here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use rmcp::model::RequestId;
use tokio::sync::oneshot;

use crate::config::{OnCallEnd, Serving};

/// The calls that want to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Cancellation>>>>);

/// The client's word that it does not wait for a call any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancellation {
    /// It waited as long as it could; the work goes on.
    TimedOut,
    /// It does not want it.
    Unwanted,
}

impl Cancellation {
    /// What becomes of the task that the call waited for.
    pub(super) fn on_call_end(self, serving: &Serving) -> OnCallEnd {
        match self {
            Self::TimedOut => serving.on_call_timed_out,
            Self::Unwanted => serving.on_call_cancelled,
        }
    }
}

/// One call's ear. Deaf when dropped.
#[derive(Debug)]
pub(super) struct CancellationListener {
    id: RequestId,
    /// None when there is nothing to hear any more.
    receiver: Option<oneshot::Receiver<Cancellation>>,
    all: Cancellations,
}

impl Cancellations {
    /// Listens for the call `id` to be withdrawn.
    pub(super) fn listen(&self, id: RequestId) -> CancellationListener {
        let (sender, receiver) = oneshot::channel();
        self.locked().insert(id.clone(), sender);
        CancellationListener { id, receiver: Some(receiver), all: self.clone() }
    }

    /// The client withdrew the call `id`, for this reason.
    pub(super) fn cancel(&self, id: &RequestId, reason: Option<&str>) {
        // Claude Code: "McpError: MCP error -32001: Request timed out".
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
    /// Whether the call was withdrawn until now.
    pub(super) fn try_cancelled(&mut self) -> Option<Cancellation> {
        self.receiver.as_mut().and_then(|receiver| receiver.try_recv().ok())
    }

    /// Waits until the call is withdrawn, which is told once. Can be dropped while it waits.
    pub(super) async fn cancelled(&mut self) -> Cancellation {
        if let Some(receiver) = &mut self.receiver {
            let received = receiver.await;
            self.receiver = None;
            // Otherwise another call took the id, against the protocol: that one is told.
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
    async fn of_two_calls_with_one_id_the_later_is_cancelled() {
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
