//! The threads of the server.
//!
//! All of them are started before the first request. Later the user's process limit may be exhausted, for example by an
//! agent's processes, and a server without threads for file access could not even report that.

use std::{
    io::{self, Write},
    panic::{set_hook, take_hook},
    process::exit,
    sync::mpsc::{Receiver, Sender, channel},
    time::Duration,
};

use rustix::io::Errno;
use tokio::runtime::{Builder, Runtime};

use super::StartProblem;

/// Threads for calls, which must not block. There are two, so that one long computation does not delay all other calls.
const WORKER_THREADS: usize = 2;

/// Threads for blocking work that are started at once. More are started on demand.
const BLOCKING_THREADS: usize = 2;

/// Lifetime of an idle thread: longer than any server runs.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// Time limit for the start of the threads.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A runtime whose threads are being started.
#[derive(Debug)]
pub(super) struct Starting {
    runtime: Runtime,
    /// Receives a message from each blocking thread that has started.
    ready: Receiver<()>,
    /// Keeps each blocking thread busy until all have started, so that tokio starts a new one each time.
    releases: Vec<Sender<()>>,
}

/// Starts the threads. If the operating system refuses, returns an error or exits.
pub(super) fn start() -> Result<Starting, StartProblem> {
    // If tokio cannot start a thread, it panics, and while unwinding it waits forever for the threads that it did
    // start. So the hook exits before the panic unwinds.
    let hook = take_hook();
    set_hook(Box::new(|_| {
        let _ = writeln!(io::stderr(), "{}", out_of_threads().explain().plain());
        exit(1)
    }));
    let started = build();
    set_hook(hook);
    started
}

fn build() -> Result<Starting, StartProblem> {
    let mut builder = Builder::new_multi_thread();
    let runtime = builder.worker_threads(WORKER_THREADS).thread_keep_alive(THREAD_KEEP_ALIVE).enable_all().build();
    let runtime = runtime.map_err(StartProblem::NoThreads)?;
    let (started, ready) = channel();
    let (releases, released): (Vec<_>, Vec<_>) = (0..BLOCKING_THREADS).map(|_| channel::<()>()).unzip();
    for release in released {
        let started = started.clone();
        runtime.spawn_blocking(move || {
            let _ = started.send(());
            let _ = release.recv();
        });
    }
    Ok(Starting { runtime, ready, releases })
}

impl Starting {
    /// Waits until all threads are running. Fails if the operating system refuses to start them.
    pub(super) fn started(self) -> Result<Runtime, StartProblem> {
        let Self { runtime, ready, releases } = self;
        let started = (0..BLOCKING_THREADS).try_for_each(|_| ready.recv_timeout(START_TIMEOUT));
        drop(releases);
        if started.is_err() {
            // A normal shutdown would wait for the thread that could not be started.
            runtime.shutdown_background();
            return Err(out_of_threads());
        }
        Ok(runtime)
    }
}

fn out_of_threads() -> StartProblem {
    StartProblem::NoThreads(Errno::AGAIN.into())
}
