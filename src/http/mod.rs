//! An HTTP server for those who know its token. What it serves is a `Service`; here is everything before that.
//!
//! Nobody is served by a foreign name or from a foreign web page (see `guard`), connections are bounded (see `places`), and
//! a body has to come whole and in time (see `body`).

mod body;
mod cors;
mod guard;
mod listening;
mod places;
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

pub use self::listening::{Listening, PATH};
use self::places::{DESCRIPTORS, Dismissal, Place, Places};
pub(crate) use self::{
    guard::Guard,
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
const HEAD: Duration = Duration::from_secs(30);

/// After a connection that could not be taken, such as for want of file descriptors.
const TAKE_AGAIN: Duration = Duration::from_millis(100);

/// Time between two warnings that connections cannot be taken.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Serves until `stopped` returns. Responses that are under way then have `last_words` to be written.
pub(crate) async fn serve<S: Service>(
    listener: TcpListener,
    guard: Guard,
    service: S,
    stopped: impl Future<Output = ()>,
    last_words: Duration,
) {
    let guard = Arc::new(guard);
    let open = GracefulShutdown::new();
    tokio::select! {
        () = take_connections(&listener, &open, &guard, &service) => {}
        () = stopped => {}
    }
    drop(listener);
    let _ = timeout(last_words, open.shutdown()).await;
}

async fn take_connections<S: Service>(
    listener: &TcpListener,
    open: &GracefulShutdown,
    guard: &Arc<Guard>,
    service: &S,
) {
    let places = Places::for_open_files(raise_open_files(DESCRIPTORS));
    let mut told = None::<Instant>;
    for number in 0.. {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= TELL_AGAIN) {
                    told = Some(Instant::now());
                    tracing::warn!(%error, "connections cannot be taken");
                }
                places.dismiss_oldest();
                sleep(TAKE_AGAIN).await;
                continue;
            }
        };
        let (place, dismissal) = places.take(number).await;
        let connection = open.watch(connection(stream, place, Arc::clone(guard), service.clone()));
        tokio::spawn(carry(connection, dismissal));
    }
}

/// A connection until it ends or has to go.
async fn carry(connection: impl Future<Output = Result<(), hyper::Error>>, dismissal: Dismissal) {
    tokio::select! {
        ended = connection => if let Err(error) = ended {
            tracing::debug!(%error, "a connection ended early");
        },
        () = dismissal.heard() => tracing::debug!("a connection that showed no token made room for another"),
    }
}

/// One connection, to its end. It holds its place for as long.
fn connection<S: Service>(
    stream: TcpStream,
    place: Place,
    guard: Arc<Guard>,
    service: S,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let place = Arc::new(place);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (place, guard, service) = (Arc::clone(&place), Arc::clone(&guard), service.clone());
        async move {
            let origin = guard.allowed_origin(&request);
            let mut response = match admit(&guard, &place, &service, request).await {
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
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    http.serve_connection(TokioIo::new(stream), answer)
}

/// Lets a request in by its head, and takes its body.
async fn admit<S: Service>(
    guard: &Guard,
    place: &Place,
    service: &S,
    request: Request<Incoming>,
) -> Result<Request<Bytes>, Box<HttpResponse>> {
    guard.admit(&request)?;
    service.admit(&request).await?;
    place.is_known();
    body::received(request).await
}
