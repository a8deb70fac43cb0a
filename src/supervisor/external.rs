//! What reaches a supervisor from other processes than its agent, besides a request to cancel.

use futures_util::future::select_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::machine::MachineInput;
use crate::process::NUDGE;

/// The lifeline to the server, and the signals that tell a process to go.
pub(super) struct ExternalEvents {
    lifeline: Option<oneshot::Receiver<()>>,
    termination_signals: Vec<Signal>,
    nudged: Option<Signal>,
    received: Vec<MachineInput>,
}

impl ExternalEvents {
    /// Watches from now on. A signal that the operating system does not let us watch keeps its usual effect.
    pub(super) fn watch(lifeline: oneshot::Receiver<()>) -> Self {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let termination_signals = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let nudged = signal(SignalKind::from_raw(NUDGE)).ok();
        Self { lifeline: Some(lifeline), termination_signals, nudged, received: vec![] }
    }

    /// Everything that happened so far: it also counts for an agent that is started later.
    pub(super) fn received(&self) -> &[MachineInput] {
        &self.received
    }

    /// Waits for the next thing to happen. Can be dropped while it waits. `None`: something may have been left in the
    /// task's files.
    pub(super) async fn next(&mut self) -> Option<MachineInput> {
        let lifeline = async {
            match &mut self.lifeline {
                Some(lifeline) => drop(lifeline.await),
                None => std::future::pending().await,
            }
        };
        let termination_signals = async {
            if self.termination_signals.is_empty() {
                return std::future::pending().await;
            }
            drop(select_all(self.termination_signals.iter_mut().map(|signal| Box::pin(signal.recv()))).await);
        };
        let nudged = async {
            match &mut self.nudged {
                Some(nudged) => drop(nudged.recv().await),
                None => std::future::pending().await,
            }
        };
        let input = tokio::select! {
            () = lifeline => MachineInput::ServerGone,
            () = termination_signals => MachineInput::TerminationRequested,
            () = nudged => return None,
        };
        if input == MachineInput::ServerGone {
            self.lifeline = None;
        }
        self.received.push(input);
        Some(input)
    }
}
