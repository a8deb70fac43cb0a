//! The async runtime for the verbs that need only one thread.

use std::{io, time::Duration};

use tokio::runtime::{Builder, Runtime};

/// How long idle threads are kept: longer than any task takes. If an agent exhausts the process limit, no new thread
/// can be started.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// A runtime on the current thread.
pub(super) fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().thread_keep_alive(THREAD_KEEP_ALIVE).build()
}
