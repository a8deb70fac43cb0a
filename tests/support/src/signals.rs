//! Signals that whoever started the tests told them to ignore.
//!
//! A shell starts its background jobs with SIGINT and SIGQUIT ignored, `nohup` does so with SIGHUP, and some CI systems
//! with others. Children inherit that, and a program that ignores SIGINT cannot show what it does on SIGINT. A signal that
//! has a handler has its default effect again in whatever this process starts.

use std::{fs, sync::Once};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// From now on whatever this process starts begins with its signals as from a terminal. This process itself goes on to
/// take no notice of those that it was told to ignore.
///
/// # Panics
///
/// When a handler cannot be set.
pub fn restore_for_children() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let runtime = Builder::new_current_thread().enable_all().build().expect("a small runtime can be made");
        let _inside = runtime.enter();
        for kind in [SignalKind::interrupt(), SignalKind::quit(), SignalKind::hangup(), SignalKind::terminate()] {
            if is_ignored(kind.as_raw_value()) {
                // The handler stays when its stream is dropped.
                drop(signal(kind).expect("a handler can be set"));
            }
        }
    });
}

/// Whether this process ignores the signal; unknown, and so no, where there is no `/proc`.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (signal - 1)) != 0)
}
