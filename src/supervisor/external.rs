//! Events from other processes: the server's exit, and signals.

use futures_util::future::select_all;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::oneshot,
};

use super::machine::MachineInput;
use crate::process::NUDGE;

/// The lifeline to the server, signals that request termination, and the nudge.
pub(super) struct ExternalEvents {
    lifeline: Option<oneshot::Receiver<()>>,
    termination_signals: Vec<Signal>,
    nudged: Option<Signal>,
    received: Vec<MachineInput>,
}

impl ExternalEvents {
    /// Starts watching. A signal that cannot be watched keeps its default effect.
    pub(super) fn watch(lifeline: oneshot::Receiver<()>) -> Self {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let termination_signals = kinds.into_iter().filter_map(|kind| signal(kind).ok()).collect();
        let nudged = signal(SignalKind::from_raw(NUDGE)).ok();
        Self { lifeline: Some(lifeline), termination_signals, nudged, received: vec![] }
    }

    /// All events so far. They also apply to an agent that is started later.
    pub(super) fn received(&self) -> &[MachineInput] {
        &self.received
    }

    /// Waits for the next event. Can be dropped while it waits. Returns `None` on a nudge: the task's files may contain
    /// a new request.
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
