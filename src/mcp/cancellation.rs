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

/// The calls that want to know.
#[derive(Debug, Clone, Default)]
pub(super) struct Cancellations(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Withdrawn>>>>);

/// The client's word that it does not wait for a call any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withdrawn {
    /// It waited as long as it could; the work goes on.
    TimedOut,
    /// It does not want it.
    Unwanted,
}

/// One call's ear. Deaf when dropped.
#[derive(Debug)]
pub(super) struct Listening {
    id: RequestId,
    told: oneshot::Receiver<Withdrawn>,
    all: Cancellations,
}

impl Cancellations {
    /// Listens for the call `id` to be withdrawn.
    pub(super) fn listen(&self, id: RequestId) -> Listening {
        let (tell, told) = oneshot::channel();
        self.locked().insert(id.clone(), tell);
        Listening { id, told, all: self.clone() }
    }

    /// The client withdrew the call `id`, for this reason.
    pub(super) fn tell(&self, id: &RequestId, reason: Option<&str>) {
        // Claude Code: "McpError: MCP error -32001: Request timed out".
        let timed_out = reason.is_some_and(|reason| reason.to_lowercase().contains("timed out"));
        let withdrawn = if timed_out { Withdrawn::TimedOut } else { Withdrawn::Unwanted };
        if let Some(tell) = self.locked().remove(id) {
            let _ = tell.send(withdrawn);
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<RequestId, oneshot::Sender<Withdrawn>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Listening {
    /// Whether the call was withdrawn until now.
    pub(super) fn heard(&mut self) -> Option<Withdrawn> {
        self.told.try_recv().ok()
    }

    /// Waits until the call is withdrawn. Can be dropped while it waits, and not be called again once it returned.
    pub(super) async fn withdrawn(&mut self) -> Withdrawn {
        match (&mut self.told).await {
            Ok(withdrawn) => withdrawn,
            // Another call took the id, against the protocol. This one is not told any more.
            Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut calls = self.all.locked();
        self.told.close();
        if calls.get(&self.id).is_some_and(oneshot::Sender::is_closed) {
            calls.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_told_why_it_is_withdrawn() {
        for (reason, withdrawn) in [
            (None, Withdrawn::Unwanted),
            (Some("AbortError: user-cancel"), Withdrawn::Unwanted),
            (Some("McpError: MCP error -32001: Request timed out"), Withdrawn::TimedOut),
            (Some("SdkError: Request timed out"), Withdrawn::TimedOut),
        ] {
            let cancellations = Cancellations::default();
            let mut listening = cancellations.listen(RequestId::Number(1));
            cancellations.tell(&RequestId::Number(2), None);
            cancellations.tell(&RequestId::Number(1), reason);
            assert_eq!(listening.withdrawn().await, withdrawn, "{reason:?}");
        }
    }

    #[test]
    fn a_call_that_is_over_is_forgotten() {
        let cancellations = Cancellations::default();
        drop(cancellations.listen(RequestId::Number(1)));
        assert!(cancellations.locked().is_empty());
    }
}
