//! What reaches a supervisor from other processes than its agent, besides a request to cancel.

use futures_util::future::select_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::machine::Input;
use crate::process::NUDGE;

/// The lifeline to the server, and the signals that tell a process to go.
pub(super) struct Outside {
    lifeline: Option<oneshot::Receiver<()>>,
    told_to_go: Vec<Signal>,
    nudged: Option<Signal>,
    heard: Vec<Input>,
}

impl Outside {
    /// Watches from now on. A signal that the operating system does not let us watch keeps its usual effect.
    pub(super) fn watch(lifeline: oneshot::Receiver<()>) -> Self {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let told_to_go = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let nudged = signal(SignalKind::from_raw(NUDGE)).ok();
        Self { lifeline: Some(lifeline), told_to_go, nudged, heard: vec![] }
    }

    /// Everything that happened so far: it also counts for an agent that is started later.
    pub(super) fn heard(&self) -> &[Input] {
        &self.heard
    }

    /// Waits for the next thing to happen. Can be dropped while it waits. `None`: something may have been left in the
    /// task's files.
    pub(super) async fn next(&mut self) -> Option<Input> {
        let lifeline = async {
            match &mut self.lifeline {
                Some(lifeline) => drop(lifeline.await),
                None => std::future::pending().await,
            }
        };
        let told_to_go = async {
            if self.told_to_go.is_empty() {
                return std::future::pending().await;
            }
            drop(select_all(self.told_to_go.iter_mut().map(|signal| Box::pin(signal.recv()))).await);
        };
        let nudged = async {
            match &mut self.nudged {
                Some(nudged) => drop(nudged.recv().await),
                None => std::future::pending().await,
            }
        };
        let input = tokio::select! {
            () = lifeline => Input::ServerGone,
            () = told_to_go => Input::ToldToGo,
            () = nudged => return None,
        };
        if input == Input::ServerGone {
            self.lifeline = None;
        }
        self.heard.push(input);
        Some(input)
    }
}
