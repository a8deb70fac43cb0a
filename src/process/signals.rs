//! Signals as this process finds them at its start.
//!
//! The parent of a program decides which signals it ignores and which are blocked, and its children inherit that. Some
//! supervisors and CI systems ignore SIGCHLD: the kernel then reaps each child by itself, and nobody learns how it ended. Others
//! leave signals blocked, by which a program is told to stop.

use std::fs;

use nix::sys::signal::SigSet;
use rustix::process::Signal;
use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Signals that an agent must not inherit as ignored. SIGPIPE is not among them: every program in Rust ignores it, and its
/// children do not.
const RESET_SIGNALS: [Signal; 8] =
    [Signal::INT, Signal::TERM, Signal::QUIT, Signal::HUP, Signal::ALARM, Signal::USR1, Signal::USR2, Signal::CHILD];

/// Unblocks all signals, and makes ignored ones have their default effect in everything that this process starts. SIGCHLD is no
/// longer ignored here either; this process still takes no notice of the others.
///
/// Called first, because threads inherit the signals that are blocked.
pub fn reset_signals() {
    if let Err(error) = SigSet::empty().thread_set_mask() {
        tracing::warn!(%error, "signals may be blocked");
    }
    let ignored: Vec<_> = RESET_SIGNALS.into_iter().filter(|signal| is_ignored(*signal)).collect();
    if ignored.is_empty() {
        return;
    }
    let Ok(runtime) = Builder::new_current_thread().enable_io().build() else { return };
    let _inside = runtime.enter();
    for ignored in ignored {
        // The handler stays when its stream and the runtime are dropped, and a child begins without it.
        if let Err(error) = signal(SignalKind::from_raw(ignored.as_raw())) {
            tracing::warn!(%error, signal = ignored.as_raw(), "it stays ignored");
        }
    }
}

/// Whether this process ignores the signal. Where there is no `/proc`, SIGCHLD may be ignored, and the others are not.
fn is_ignored(signal: Signal) -> bool {
    match fs::read_to_string("/proc/self/status") {
        Ok(status) => has_bit(&status, "SigIgn:", signal),
        Err(_) => signal == Signal::CHILD,
    }
}

/// Whether the signal is in this set of `/proc/<pid>/status`.
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
