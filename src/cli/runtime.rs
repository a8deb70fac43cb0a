//! The runtime of the verbs that need only one thread.

use std::{io, time::Duration};

use tokio::runtime::{Builder, Runtime};

/// How long threads that have nothing to do are kept: when an agent fills the process limit, no new one can be started.
/// Longer than any task takes.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A runtime on the current thread.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_keep_alive(THREAD_KEEP_ALIVE).build()
}
