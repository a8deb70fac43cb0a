//! The threads of a supervisor exist before its task does: what its agent starts can fill the user's process limit, and a task
//! whose supervisor could not look at files any more would have no end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use rustix::io::Errno;
use tokio::task::spawn_blocking;

/// Starts the thread that the runtime keeps for work that may block. Called inside a runtime that keeps its threads.
pub(super) fn begin_blocking() -> Result<(), String> {
    // tokio panics when it cannot have one.
    let begun = catch_unwind(AssertUnwindSafe(|| drop(spawn_blocking(|| ()))));
    begun.map_err(|_| thread_error(Errno::AGAIN))
}

/// Runs `work` on a thread of its own, which ends with the process.
pub(super) fn begin(work: impl FnOnce() + Send + 'static) -> Result<(), String> {
    thread::Builder::new().spawn(work).map(drop).map_err(thread_error)
}

fn thread_error(error: impl std::fmt::Display) -> String {
    format!("it cannot start a thread: {error}")
}
