//! Restores signals that the test process inherited as ignored.
//!
//! A shell starts its background jobs with SIGINT and SIGQUIT ignored, `nohup` does so with SIGHUP, and some CI
//! systems with other signals. Children inherit that, and a program that ignores SIGINT cannot show how it reacts to
//! it. A signal that has a handler in this process has its default effect in the programs that it starts.

use std::{fs, sync::Once};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Makes sure that programs started by this process from now on begin with default signals, as from a terminal. This
/// process itself keeps ignoring the signals that it inherited as ignored.
///
/// # Panics
///
/// Panics if a handler cannot be installed.
pub fn restore_for_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a small runtime can be made");
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup(), SignalKind::terminate()] {
            if is_ignored(kind.as_raw_value()) {
                // The handler remains installed when its stream is dropped.
                drop(signal(kind).expect("a handler can be set"));
            }
        }
    });
}

/// Whether this process ignores the signal. Without `/proc` this is unknown, and the answer is no.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
