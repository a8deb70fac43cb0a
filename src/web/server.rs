//! The server of the verb `web`, which serves nothing else.

use std::{io, net::SocketAddr, process::ExitCode, time::Duration};

use tokio::{
    net::TcpListener,
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

use super::site::Web;
use crate::{
    http,
    present::{Refused, refusals},
    process::heed_file_limit,
};

/// Threads for requests, which must not block.
const WORKER_THREADS: usize = 2;

/// How long idle threads are kept: longer than any server runs. If an agent exhausts the process limit, no new thread can be
/// started.
const THREAD_KEEP_ALIVE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

/// How long responses in progress may take to complete when the server stops.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(200);

/// Time limit for abandoned requests to clean up.
const CLEANUP_TIMEOUT: Duration = Duration::from_millis(50);

/// Serves until SIGINT or SIGTERM arrives. Calls `listening` with the address once the server accepts connections.
///
/// Fails if the server cannot listen on the address or start its threads.
pub(crate) fn serve(web: &Web, address: SocketAddr, listening: impl FnOnce(SocketAddr)) -> Result<ExitCode, Refused> {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(WORKER_THREADS).thread_keep_alive(THREAD_KEEP_ALIVE).enable_all();
    let runtime = builder.build().map_err(|error| refusals::no_threads(&error))?;
    let served = runtime.block_on(async {
        heed_file_limit();
        let listener = TcpListener::bind(address).await?;
        // Handled from here on, so that a signal at any later time ends the server in an orderly way.
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let stopped = async {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        };
        listening(listener.local_addr()?);
        let broker = web.broker().clone();
        let maintenance = tokio::spawn(async move { broker.run_maintenance().await });
        http::serve(listener, web.clone(), stopped, ANSWER_TIMEOUT).await;
        maintenance.abort();
        io::Result::Ok(())
    });
    runtime.shutdown_timeout(CLEANUP_TIMEOUT);
    served.map(|()| ExitCode::SUCCESS).map_err(|error| refusals::cannot_listen(address, &error))
}
