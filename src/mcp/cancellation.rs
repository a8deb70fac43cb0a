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
pub(super) struct Cancellations(Arc<Mutex<HashMap<RequestId, oneshot::Sender<Withdrawn>>>>);

/// The client's word that it does not wait for a call any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Withdrawn {
    /// It waited as long as it could; the work goes on.
    TimedOut,
    /// It does not want it.
    Unwanted,
}

impl Withdrawn {
    /// What becomes of the task that the call waited for.
    pub(super) fn meant_for_the_task(self, serving: &Serving) -> OnCallEnd {
        match self {
            Self::TimedOut => serving.on_call_timed_out,
            Self::Unwanted => serving.on_call_cancelled,
        }
    }
}

/// One call's ear. Deaf when dropped.
#[derive(Debug)]
pub(super) struct Listening {
    id: RequestId,
    /// None when there is nothing to hear any more.
    told: Option<oneshot::Receiver<Withdrawn>>,
    all: Cancellations,
}

impl Cancellations {
    /// Listens for the call `id` to be withdrawn.
    pub(super) fn listen(&self, id: RequestId) -> Listening {
        let (tell, told) = oneshot::channel();
        self.locked().insert(id.clone(), tell);
        Listening { id, told: Some(told), all: self.clone() }
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
        self.told.as_mut().and_then(|told| told.try_recv().ok())
    }

    /// Waits until the call is withdrawn, which is told once. Can be dropped while it waits.
    pub(super) async fn withdrawn(&mut self) -> Withdrawn {
        if let Some(told) = &mut self.told {
            let heard = told.await;
            self.told = None;
            // Otherwise another call took the id, against the protocol: that one is told.
            if let Ok(withdrawn) = heard {
                return withdrawn;
            }
        }
        std::future::pending().await
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.told = None;
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

    #[tokio::test]
    async fn of_two_calls_with_one_id_the_later_is_cancelled() {
        let cancellations = Cancellations::default();
        let mut first = cancellations.listen(RequestId::Number(1));
        let mut second = cancellations.listen(RequestId::Number(1));
        for _ in 0..2 {
            assert_eq!(first.withdrawn().now_or_never(), None);
        }
        drop(first);
        cancellations.tell(&RequestId::Number(1), None);
        assert_eq!(second.withdrawn().await, Withdrawn::Unwanted);
    }

    #[test]
    fn a_finished_call_is_forgotten() {
        let cancellations = Cancellations::default();
        drop(cancellations.listen(RequestId::Number(1)));
        assert!(cancellations.locked().is_empty());
    }
}
