//! The MCP server, over stdio and HTTP. Only this module uses rmcp.
//!
//! The path of a tool call:
//!
//! ```text
//! stdin ── readable, repair ── pacing ── rmcp ── server ── calls ── run ── broker
//! HTTP  ── readable_body ─────────────── rmcp ──┘            │
//!                                                            ├ crate::request   parses the arguments
//!                                                            └ crate::present   writes the answer
//! ```
//!
//! - `readable` and `repair` fix messages that are almost JSON, and `pacing` limits how much is read from a client.
//! - `server` receives requests from rmcp, `calls` executes tools, and `run` starts a task and waits for it.
//! - `resources`, `prompts`, `completion` and `handles` serve the other parts of the protocol.
//!
//! Clients can use either form of the protocol: sessions that begin with `initialize`, or the stateless requests of
//! 2026-07-28. rmcp handles most of the difference.
//!
//! This module does not access files, processes or agents; the broker does.

mod answer;
mod caller;
mod calls;
mod cancellation;
mod channel;
mod completion;
mod extra;
mod handles;
pub mod http;
mod icon;
mod listener;
mod pacing;
mod progress;
mod prompts;
mod readable;
mod readable_body;
mod repair;
mod resources;
mod run;
mod runtime;
mod server;
mod server_state;
mod start_problem;
mod status_polls;
mod tools;
mod transport_kind;

use std::{process::ExitCode, time::Duration};

use rmcp::{ServiceExt, transport::async_rw::AsyncRwTransport};
use tokio::{
    signal::unix::{SignalKind, signal},
    task::JoinHandle,
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::{
    process::{claude_session, claude_window, heed_file_limit},
    stdio::{self, InputReader, Stdin, Stdout},
    store::PresentSession,
};
use pacing::PacedTransport;
use readable::{AnsweringTransport, readable_lines};
use server::Server;
pub use server_state::ServerState;
pub use start_problem::StartProblem;
use transport_kind::TransportKind;

/// Time limit for answers after the end of stdin. Calls that take longer are abandoned; their tasks belong to
/// supervisors.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// Time limit for abandoned calls to clean up. Claude Code sends SIGTERM 100 ms after SIGINT.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(50);

/// Serves MCP on stdin and stdout until stdin ends, or until SIGINT or SIGTERM arrives.
///
/// Returns the exit code, which is a failure if stdin could not be read. The process must then exit, because a thread
/// may still be waiting for stdin. Returns an error if the operating system refuses to start the threads.
///
/// `state` is called while the threads start.
pub fn serve(state: impl FnOnce() -> ServerState) -> Result<ExitCode, StartProblem> {
    let starting = runtime::start()?;
    let state = state();
    let runtime = starting.started()?;
    let (stdin, stdout, stdio_status) = {
        let _inside = runtime.enter();
        stdio::open().map_err(StartProblem::NoThreads)?
    };
    // On a worker thread: on this thread, each message would cost a switch between threads.
    let running = runtime.spawn(run(state, stdin, stdout));
    if let Err(failed) = runtime.block_on(running) {
        tracing::error!(%failed, "the server failed because of a bug");
    }
    // Drops calls that are still running, and everything they started inside this process.
    runtime.shutdown_timeout(CLEANUP_TIMEOUT);
    stdio_status.drain(CLEANUP_TIMEOUT);
    Ok(if stdio_status.stdin_failed() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

async fn run(state: ServerState, stdin: Stdin, stdout: Stdout) {
    heed_file_limit();
    let stdin_ended = CancellationToken::new();
    let (stdin, unreadable) = readable_lines(InputReader::new(stdin, stdin_ended.clone()));
    let transport =
        PacedTransport::new(AnsweringTransport::new(AsyncRwTransport::new_server(stdin, stdout), unreadable));
    let maintenance = spawn_maintenance(&state);
    let present = enter_session(&state);
    let serving = async {
        match Server::new(state, TransportKind::Stdio).serve(transport).await {
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!(%error, "the client disconnected before it sent a request"),
        }
    };
    let abandoned = async {
        stdin_ended.cancelled().await;
        sleep(ANSWER_TIMEOUT).await;
    };
    tokio::select! {
        () = serving => {}
        () = abandoned => {}
        () = shutdown_signal() => {}
    }
    if let Some(maintenance) = maintenance {
        maintenance.abort();
    }
    drop(present);
}

/// Keeps this server's session present until the returned value is dropped. In the background, because the data
/// directory may be slow.
fn enter_session(state: &ServerState) -> Option<JoinHandle<Option<PresentSession>>> {
    match state {
        ServerState::Ready(broker) => {
            let (broker, session) = (broker.clone(), claude_session()?);
            Some(tokio::spawn(async move { broker.enter_session(session, claude_window()).await }))
        }
        ServerState::Misconfigured { viewer: _, problems: _ } => None,
    }
}

/// Starts background maintenance, which finalizes tasks whose supervisor is gone. The caller aborts it at the end.
fn spawn_maintenance(state: &ServerState) -> Option<JoinHandle<()>> {
    match state {
        ServerState::Ready(broker) => {
            let broker = broker.clone();
            Some(tokio::spawn(async move { broker.run_maintenance().await }))
        }
        ServerState::Misconfigured { .. } => None,
    }
}

/// Completes on SIGINT or SIGTERM. The signals are handled from the call on, not only when the future is polled.
fn shutdown_signal() -> impl Future<Output = ()> {
    let signals = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        let (Ok(mut interrupt), Ok(mut terminate)) = signals else {
            // Without handlers, the signals keep their default effect: they end the process.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}
