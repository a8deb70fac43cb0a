//! MCP on stdin and stdout, and over HTTP: the only code that mentions rmcp.
//!
//! A call goes through these modules: `server` takes it from the protocol, `crate::request` makes values of its arguments,
//! `calls` does with the broker what is asked (`run` begins tasks and waits for them), and `crate::present` puts the answer
//! into words. Both eras of the protocol are served, the one that begins with `initialize` and the stateless one of
//! 2026-07-28; the difference is rmcp's business.
//!
//! Nothing is known here about files, processes or agents: that is the broker's side.

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
    process::heed_file_limit,
    stdio::{self, InputReader, Stdin, Stdout},
};
use pacing::PacedTransport;
use readable::{AnsweringTransport, readable_lines};
use server::Server;
pub use server_state::ServerState;
pub use start_problem::StartProblem;
use transport_kind::TransportKind;

/// How long answers that need no waiting have after the end of stdin. What takes longer is abandoned: its supervisor
/// owns it.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// How long calls that are abandoned have to let go of what they started. Claude Code sends SIGTERM 100 ms after SIGINT.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(50);

/// Serves MCP on stdin and stdout until the client goes: until stdin ends, or SIGINT or SIGTERM comes.
///
/// Returns the exit code of the process, which has to end then: a thread may still wait for stdin. It is a failure when
/// stdin cannot be read. Fails when there is no room for the threads of a server.
///
/// `state` is asked for while the threads start.
pub fn serve(state: impl FnOnce() -> ServerState) -> Result<ExitCode, StartProblem> {
    let starting = runtime::start()?;
    let state = state();
    let runtime = starting.started()?;
    let (stdin, stdout, stdio_status) = {
        let _inside = runtime.enter();
        stdio::open().map_err(StartProblem::NoThreads)?
    };
    // On a worker: it would have to wake this thread for each message.
    let running = runtime.spawn(run(state, stdin, stdout));
    if let Err(failed) = runtime.block_on(running) {
        tracing::error!(%failed, "a fault in the server");
    }
    // Calls that are still running are dropped, together with anything they started.
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
    let serving = async {
        match Server::new(state, TransportKind::Stdio).serve(transport).await {
            Ok(running) => drop(running.waiting().await),
            Err(error) => tracing::debug!(%error, "the client went before it asked for anything"),
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
}

/// Finalizes tasks whose supervisor is gone, in the background. To be aborted at the end.
fn spawn_maintenance(state: &ServerState) -> Option<JoinHandle<()>> {
    match state {
        ServerState::Ready(broker) => {
            let broker = broker.clone();
            Some(tokio::spawn(async move { broker.run_maintenance().await }))
        }
        ServerState::Misconfigured(_) => None,
    }
}

/// Returns on SIGINT or SIGTERM.
async fn shutdown_signal() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        // Then they keep their default effect, which ends the process as well.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
