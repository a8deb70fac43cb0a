//! Starts the supervisor's threads before its task exists. Later, the agent's processes could reach the user's process
//! limit, and a supervisor that cannot start a thread to access files could not end its task.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use rustix::io::Errno;
use tokio::task::spawn_blocking;

/// Starts the runtime's thread for blocking work. The runtime must be configured to keep its threads.
pub(super) fn begin_blocking() -> Result<(), String> {
    // tokio panics if it cannot start a thread.
    let begun = catch_unwind(AssertUnwindSafe(|| drop(spawn_blocking(|| ()))));
    begun.map_err(|_| thread_error(Errno::AGAIN))
}

/// Runs `work` on a new thread, which is never joined.
pub(super) fn begin(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    thread::Builder::new().spawn(work).map(drop).map_err(thread_error)
}

fn thread_error(error: impl std::fmt::Display) -> String {
    format!("cannot start a thread: {error}")
}
