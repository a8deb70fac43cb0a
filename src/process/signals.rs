//! Resets the signal dispositions that this process inherits.
//!
//! A process inherits ignored and blocked signals from its parent. Some process managers and CI systems ignore SIGCHLD;
//! then the kernel reaps children by itself, and their exit statuses are lost. Others leave signals blocked that are
//! used to stop a program.

use std::fs;

use nix::sys::signal::SigSet;
use rustix::process::Signal;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Signals that an agent must not inherit as ignored. SIGPIPE is not among them, because Rust ignores it in every
/// program and resets it in children.
const RESET_SIGNALS: [Signal; 8] =
    [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP, Signal::ALARM, Signal::USR1, Signal::USR2, Signal::CHILD];

/// Unblocks all signals, and restores the default effect of ignored ones in every child of this process. In this
/// process, SIGCHLD is no longer ignored; the others still have no effect.
///
/// Must be called before any thread is started, because threads inherit blocked signals.
pub fn reset_signals() {
    if let Err(error) = SigSet::empty().thread_set_mask() {
        tracing::warn!(%error, "cannot unblock signals");
    }
    let ignored = ignored_signals();
    if ignored.is_empty() {
        return;
    }
    let Ok(runtime) = Builder::new_current_thread().enable_io().build() else { return };
    let _inside = runtime.enter();
    for ignored in ignored {
        // The handler remains after its stream and the runtime are dropped, and children do not inherit it.
        if let Err(error) = signal(SignalKind::from_raw(ignored.as_raw())) {
            tracing::warn!(%error, signal = ignored.as_raw(), "the signal is still ignored");
        }
    }
}

/// The signals that this process ignores. Without `/proc`, assumes that only SIGCHLD is ignored.
fn ignored_signals() -> Vec<Signal> {
    // Read once: each read takes the kernel about as long as starting a thread.
    let status = fs::read_to_string("/proc/self/status");
    let is_ignored = |signal: &Signal| match &status {
        Ok(status) => has_bit(status, "SigIgn:", *signal),
        Err(_) => *signal == Signal::CHILD,
    };
    RESET_SIGNALS.into_iter().filter(is_ignored).collect()
}

/// Whether the signal is in this set in the text of `/proc/<pid>/status`.
fn has_bit(status: &str, set: &str, signal: Signal) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix(set));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    mask & (1 << (signal.as_raw() - 1)) != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_set_is_parsed() {
        let status = "Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t0000000000011000\n";
        let ignored: Vec<_> = RESET_SIGNALS.into_iter().filter(|signal| has_bit(status, "SigIgn:", *signal)).collect();
        assert_eq!(ignored, [Signal::CHILD]);
        assert!(has_bit(status, "SigBlk:", Signal::HUP) && !has_bit("", "SigIgn:", Signal::CHILD));
    }
}
