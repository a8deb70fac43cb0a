//! The threads of a server.
//!
//! All of them exist before the first request: a user's process limit can fill up later, for example with what an agent
//! starts, and a server without threads to look at files could not even say so.

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

/// Calls run on these. Nothing that may block runs here; two, so that a call that computes for long delays no other.
const WORKER_THREADS: usize = 2;

/// Threads for blocking work that are there from the start. More are started when they are needed.
const BLOCKING_THREADS: usize = 2;

/// How long a thread without work stays: as long as any server lives.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long the threads may take to start.
const START_TIMEOUT: Duration = Duration::from_secs(5);

/// A runtime whose threads are being started.
#[derive(Debug)]
pub(super) struct Starting {
    runtime: Runtime,
    begun: Receiver<()>,
    /// Keeps each blocking thread occupied until all have started.
    hold: Vec<Sender<()>>,
}

/// Starts the threads. Ends the process, or fails, when there is no room for them.
pub(super) fn start() -> Result<Starting, StartProblem> {
    // tokio panics when it cannot start a thread, and then waits for those that it has started, for good. So the process
    // ends before the panic unwinds.
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
    let (begin, begun) = channel();
    let (hold, held): (Vec<_>, Vec<_>) = (0..BLOCKING_THREADS).map(|_| channel::<()>()).unzip();
    for held in held {
        let begin = begin.clone();
        runtime.spawn_blocking(move || {
            let _ = begin.send(());
            let _ = held.recv();
        });
    }
    Ok(Starting { runtime, begun, hold })
}

impl Starting {
    /// Waits until all threads run. Fails when there is no room for them.
    pub(super) fn started(self) -> Result<Runtime, StartProblem> {
        let Self { runtime, begun, hold } = self;
        let started = (0..BLOCKING_THREADS).try_for_each(|_| begun.recv_timeout(START_TIMEOUT));
        drop(hold);
        if started.is_err() {
            // It waits for a thread that it could not have.
            runtime.shutdown_background();
            return Err(out_of_threads());
        }
        Ok(runtime)
    }
}

fn out_of_threads() -> StartProblem {
    StartProblem::NoThreads(Errno::AGAIN.into())
}
