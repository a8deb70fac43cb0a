//! An HTTP server for one or several *sites*: the MCP endpoint, and the web UI. It does not know either of them.
//!
//! A site decides which requests it admits, and answers them. The MCP endpoint is a `Service` behind a `RequestGuard`,
//! which requires a token: requests under unknown host names or from unknown web origins are refused (see `guard`). The
//! number of connections is limited (see `connection_slots`), and so are the size and time of a body (see `body`).
//!
//! ```text
//! connection ── slot ──▶ head ──▶ Site ─┬─▶ Guarded: RequestGuard::admit ──▶ Service::admit ──▶ body ──▶ Service::respond
//!                                       └─▶ another site, with its own rules
//! ```

mod body;
mod connection;
mod connection_slots;
mod cors;
mod guard;
mod guarded;
mod listen_options;
mod refusal;
mod site;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use self::connection_slots::{ConnectionSlot, ConnectionSlots, Dismissal, WANTED_DESCRIPTORS};
pub use self::listen_options::{ENDPOINT_PATH, ListenOptions};
pub(crate) use self::{
    body::{MAX_BODY_BYTES, MAX_FORM_BYTES, receive},
    connection::Connection,
    guard::{RequestGuard, host_of, is_local},
    guarded::{Guarded, Service},
    refusal::{HttpResponse, refusal},
    site::{EndpointAnd, Site},
};
use crate::process::raise_open_files;

/// Time limit for the head of a request, including the idle time before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after a connection could not be accepted, for example because the process has no free file descriptor.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Minimum time between two warnings that connections cannot be accepted.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until `stopped` completes. Long-lived responses end then, and others have `shutdown_timeout` to complete.
pub(crate) async fn serve<S: Site>(
    listener: TcpListener,
    site: S,
    stopped: impl Future<Output = ()>,
    shutdown_timeout: Duration,
) {
    let open = GracefulShutdown::new();
    tokio::select! {
        () = accept_connections(&listener, &open, &site) => {}
        () = stopped => {}
    }
    drop(listener);
    site.stop();
    let _ = timeout(shutdown_timeout, open.shutdown()).await;
}

async fn accept_connections<S: Site>(listener: &TcpListener, open: &GracefulShutdown, site: &S) {
    let slots = ConnectionSlots::for_open_files(raise_open_files(WANTED_DESCRIPTORS));
    let mut last_warning = None::<Instant>;
    for number in 0.. {
        let (stream, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                if last_warning.is_none_or(|last_warning| last_warning.elapsed() >= WARNING_INTERVAL) {
                    last_warning = Some(Instant::now());
                    tracing::warn!(%error, "cannot accept connections");
                }
                slots.dismiss_oldest();
                sleep(ACCEPT_RETRY_DELAY).await;
                continue;
            }
        };
        let (slot, dismissal) = slots.take(number).await;
        let closing = CancellationToken::new();
        let connection = open.watch(connection(stream, peer, slot, closing.clone(), site.clone()));
        tokio::spawn(drive(connection, dismissal, closing));
    }
}

/// Runs a connection until it ends, is dismissed, or its site closes it.
async fn drive(
    connection: impl Future<Output = Result<(), hyper::Error>>,
    dismissal: Dismissal,
    closing: CancellationToken,
) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = dismissal.received() => tracing::debug!("closed an unauthenticated connection to make room"),
        () = closing.cancelled() => tracing::debug!("closed a connection whose client does not read"),
    }
}

/// One connection, which keeps its slot until it ends.
fn connection<S: Site>(
    stream: TcpStream,
    peer: SocketAddr,
    slot: ConnectionSlot,
    closing: CancellationToken,
    site: S,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let connection = Arc::new(Connection::new(slot, stream.local_addr().ok(), peer, closing));
    let answer = service_fn(move |request: Request<Incoming>| {
        let (connection, site) = (Arc::clone(&connection), site.clone());
        async move { Ok::<_, std::convert::Infallible>(site.respond(request, &connection).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    http.serve_connection(TokioIo::new(stream), answer)
}
