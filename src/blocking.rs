//! Runs file system calls that may never return on separate threads.
//!
//! If the server of a mount is gone (NFS, sshfs, an automount), a call does not fail. It hangs for minutes or forever,
//! and nothing can cancel it. On a thread of the async runtime, such a call would block every other task of the
//! process. So every access to a path goes through a [`Lane`]:
//!
//! - The work runs on one of the runtime's blocking threads.
//! - The caller waits until a deadline and then gets [`BlockingTimeout`]. The thread stays blocked.
//! - Each lane has a limited number of threads, so hanging calls can exhaust their own lane but no other.
//!
//! The work owns its inputs and returns a value. It must be harmless if it completes after its caller has given up:
//!
//! ```text
//! let exists = CALLER_PATHS.run(PATH_DEADLINE, move || path.exists()).await?;
//! ```

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, timeout_at},
};

/// How long a path may take to respond before the call that names it is refused.
pub const PATH_DEADLINE: Duration = Duration::from_secs(10);

/// The lane for paths that a caller names, such as a working directory.
pub static CALLER_PATHS: Lane = Lane::new(64);

/// A limited number of blocking threads. The runtime has 512 for all lanes together.
#[derive(Debug)]
pub struct Lane {
    threads: Semaphore,
}

/// The work did not complete within its deadline, or found no free thread in that time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("does not respond")]
pub struct BlockingTimeout;

/// Whether this process cannot create threads. If so, work runs on the caller's thread.
static IS_SINGLE_THREADED: AtomicBool = AtomicBool::new(false);

/// Starts a thread for blocking work, if the system allows another one. Otherwise, work will run on the caller's
/// thread.
///
/// Only for a process that serves nobody else, because blocking then delays nobody else. Must be called inside a
/// runtime that keeps its threads.
pub fn start_thread_if_possible() {
    match thread::Builder::new().spawn(|| ()) {
        Ok(_) => drop(spawn_blocking(|| ())),
        // `spawn_blocking` would panic.
        Err(_) => IS_SINGLE_THREADED.store(true, Ordering::Relaxed),
    }
}

impl Lane {
    /// A lane that uses at most `threads` threads at once.
    pub const fn new(threads: usize) -> Self {
        Self { threads: Semaphore::const_new(threads) }
    }

    /// Runs `work` on a blocking thread and waits for its result, at most for `deadline`.
    ///
    /// Fails with [`BlockingTimeout`] after that time. `work` then continues, and its result is dropped. A panic in
    /// `work` is passed on to the caller.
    pub async fn run<T, F>(&'static self, deadline: Duration, work: F) -> Result<T, BlockingTimeout>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        if IS_SINGLE_THREADED.load(Ordering::Relaxed) {
            return Ok(work());
        }
        let until = Instant::now() + deadline;
        let thread = timeout_at(until, self.threads.acquire()).await.map_err(|_| BlockingTimeout)?;
        let thread = thread.expect("the semaphore of a lane is never closed");
        let working = spawn_blocking(move || {
            // Held until the work returns, even if the caller has given up.
            let _thread = thread;
            work()
        });
        match timeout_at(until, working).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(failed)) => match failed.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(_) => Err(BlockingTimeout),
            },
            Err(_) => Err(BlockingTimeout),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// Longer than any test takes.
    const LONG_DEADLINE: Duration = Duration::from_secs(60);
    const SHORT_DEADLINE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn the_result_of_the_work_is_returned() {
        static LANE: Lane = Lane::new(1);
        assert_eq!(LANE.run(LONG_DEADLINE, || 7).await, Ok(7));
    }

    #[tokio::test]
    async fn work_that_hangs_delays_neither_its_caller_nor_another_lane() {
        static HUNG: Lane = Lane::new(2);
        static OTHER: Lane = Lane::new(1);
        let (release, hold) = mpsc::channel::<()>();
        assert_eq!(HUNG.run(SHORT_DEADLINE, move || hold.recv().is_err()).await, Err(BlockingTimeout));
        assert_eq!(HUNG.run(LONG_DEADLINE, || 1).await, Ok(1), "one thread of two is free");
        assert_eq!(OTHER.run(LONG_DEADLINE, || 2).await, Ok(2));
        drop(release);
    }

    #[tokio::test]
    async fn a_lane_never_exceeds_its_thread_limit() {
        static LANE: Lane = Lane::new(2);
        let (release, hold) = mpsc::channel::<()>();
        let (release_too, hold_too) = mpsc::channel::<()>();
        for hold in [hold, hold_too] {
            assert_eq!(LANE.run(SHORT_DEADLINE, move || hold.recv().is_err()).await, Err(BlockingTimeout));
        }
        assert_eq!(LANE.run(SHORT_DEADLINE, || ()).await, Err(BlockingTimeout), "both threads hang");
        drop(release);
        assert_eq!(LANE.run(LONG_DEADLINE, || 3).await, Ok(3), "a thread that returns is free again");
        drop(release_too);
    }

    #[tokio::test]
    #[should_panic(expected = "in the work")]
    async fn a_panic_in_the_work_reaches_its_caller() {
        static LANE: Lane = Lane::new(1);
        let _ = LANE.run(LONG_DEADLINE, || panic!("in the work")).await;
    }
}
