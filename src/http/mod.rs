//! An HTTP server that requires a token. It serves any `Service`, and does not know MCP.
//!
//! Requests under unknown host names or from unknown web origins are refused (see `guard`), the number of connections
//! is limited (see `connection_slots`), and so are the size and time of a body (see `body`).
//!
//! ```text
//! connection ── slot ──▶ head ── RequestGuard::admit ──▶ Service::admit ──▶ body ──▶ Service::respond
//! ```

mod body;
mod connection_slots;
mod cors;
mod guard;
mod listen_options;
mod refusal;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

use self::connection_slots::{ConnectionSlot, ConnectionSlots, Dismissal, WANTED_DESCRIPTORS};
pub use self::listen_options::{ENDPOINT_PATH, ListenOptions};
pub(crate) use self::{
    body::MAX_BODY_BYTES,
    guard::RequestGuard,
    refusal::{HttpResponse, refusal},
};
use crate::process::raise_open_files;

/// Answers the requests that were admitted.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Decides by its head whether there is room for a request. Fails with the refusal.
    fn admit<B: Sync>(&self, request: &Request<B>) -> impl Future<Output = Result<(), Box<HttpResponse>>> + Send;

    /// The response to a request with its whole body.
    fn respond(&self, request: Request<Bytes>) -> impl Future<Output = HttpResponse> + Send;
}

/// Time limit for the head of a request, including the idle time before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause after a connection could not be accepted, for example because the process has no free file descriptor.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Minimum time between two warnings that connections cannot be accepted.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until `stopped` completes. Responses in progress then have `shutdown_timeout` to complete.
pub(crate) async fn serve<S: Service>(
    listener: TcpListener,
    guard: RequestGuard,
    service: S,
    stopped: impl Future<Output = ()>,
    shutdown_timeout: Duration,
) {
    let guard = Arc::new(guard);
    let open = GracefulShutdown::new();
    tokio::select! {
        () = accept_connections(&listener, &open, &guard, &service) => {}
        () = stopped => {}
    }
    drop(listener);
    let _ = timeout(shutdown_timeout, open.shutdown()).await;
}

async fn accept_connections<S: Service>(
    listener: &TcpListener,
    open: &GracefulShutdown,
    guard: &Arc<RequestGuard>,
    service: &S,
) {
    let slots = ConnectionSlots::for_open_files(raise_open_files(WANTED_DESCRIPTORS));
    let mut last_warning = None::<Instant>;
    for number in 0.. {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
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
        let connection = open.watch(connection(stream, slot, Arc::clone(guard), service.clone()));
        tokio::spawn(drive(connection, dismissal));
    }
}

/// Runs a connection until it ends or is dismissed.
async fn drive(connection: impl Future<Output = Result<(), hyper::Error>>, dismissal: Dismissal) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = dismissal.received() => tracing::debug!("closed an unauthenticated connection to make room"),
    }
}

/// One connection, which keeps its slot until it ends.
fn connection<S: Service>(
    stream: TcpStream,
    slot: ConnectionSlot,
    guard: Arc<RequestGuard>,
    service: S,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let slot = Arc::new(slot);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (slot, guard, service) = (Arc::clone(&slot), Arc::clone(&guard), service.clone());
        async move {
            let origin = guard.allowed_origin(&request);
            let mut response = match admit(&guard, &slot, &service, request).await {
                Ok(request) => service.respond(request).await,
                Err(refused) => *refused,
            };
            if let Some(origin) = origin {
                cors::expose(response.headers_mut(), origin);
            }
            Ok::<_, std::convert::Infallible>(response)
        }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    http.serve_connection(TokioIo::new(stream), answer)
}

/// Admits a request by its head, and receives its body.
async fn admit<S: Service>(
    guard: &RequestGuard,
    slot: &ConnectionSlot,
    service: &S,
    request: Request<Incoming>,
) -> Result<Request<Bytes>, Box<HttpResponse>> {
    guard.admit(&request)?;
    service.admit(&request).await?;
    slot.mark_authenticated();
    body::receive(request).await
}
