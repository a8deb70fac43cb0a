//! An HTTP server for those who know its token. What it serves is a `Service`; here is everything before that.
//!
//! Nobody is served by a foreign name or from a foreign web page (see `guard`), connections are bounded (see `connection_slots`), and
//! a body has to come whole and in time (see `body`).

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
    guard::RequestGuard,
    refusal::{HttpResponse, refusal},
};
use crate::process::raise_open_files;

/// A service for those who are let in.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Whether there is room for a request, by its head. Otherwise the response that says so.
    fn admit<B: Sync>(&self, request: &Request<B>) -> impl Future<Output = Result<(), Box<HttpResponse>>> + Send;

    /// The response to a request whose body has come whole.
    fn respond(&self, request: Request<Bytes>) -> impl Future<Output = HttpResponse> + Send;
}

/// Time limit for the head of a request, and for a connection to be idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// After a connection that could not be taken, such as for want of file descriptors.
const ACCEPT_RETRY_DELAY: Duration = Duration::from_millis(100);

/// Time between two warnings that connections cannot be taken.
const WARNING_INTERVAL: Duration = Duration::from_secs(60);

/// Serves until `stopped` returns. Responses that are under way then have `shutdown_timeout` to be written.
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
                    tracing::warn!(%error, "connections cannot be taken");
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

/// A connection until it ends or has to go.
async fn drive(connection: impl Future<Output = Result<(), hyper::Error>>, dismissal: Dismissal) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = dismissal.received() => tracing::debug!("a connection that showed no token made room for another"),
    }
}

/// One connection, to its end. It holds its slot for as long.
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

/// Lets a request in by its head, and takes its body.
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
