//! MCP over Streamable HTTP: the same handler, for several clients at once.
//!
//! Only who knows the token is served, and nobody by a foreign name or from a foreign web page (see `guard`). Clients of the
//! versions up to 2025-11-25 have sessions here, which end when they are idle for long; those of 2026-07-28 have none, and
//! a request of theirs whose connection is closed counts as withdrawn. All share the tasks, which end with this process as
//! they do over stdio.

mod body;
mod cors;
mod guard;
mod listening;
mod places;
mod readable;
mod refusal;

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::local::{LocalSessionManager, SessionConfig},
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep, timeout},
};

pub use self::listening::{Listening, PATH};
use self::{
    guard::Guard,
    places::{DESCRIPTORS, Dismissal, Place, Places},
    refusal::Refused,
};
use super::{
    LAST_CLEANING, LAST_WORDS, Office, StartProblem, connection::Connection, keep_books, runtime, server::Server,
    told_to_go,
};
use crate::process::{heed_file_limit, raise_open_files};

/// A session without a message either way for so long ends. Progress is a message.
const SESSION_IDLE: Duration = Duration::from_secs(60 * 60);

/// How long a connection may take for the head of a request, and be idle before it.
const HEAD: Duration = Duration::from_secs(30);

/// After a connection that could not be taken, such as for want of file descriptors.
const TAKE_AGAIN: Duration = Duration::from_millis(100);

/// How often it is told that connections cannot be taken.
const TELL_AGAIN: Duration = Duration::from_secs(60);

/// Serves until SIGINT or SIGTERM comes. `listening` is told the address once it is open.
///
/// Fails when the address cannot be listened on, or there is no room for the threads of a server.
pub fn serve(office: Office, at: Listening, listening: impl FnOnce(SocketAddr)) -> Result<ExitCode, StartProblem> {
    let runtime = runtime::start()?.started()?;
    let address = at.address;
    let served = runtime.block_on(run(office, at, listening));
    runtime.shutdown_timeout(LAST_CLEANING);
    served.map(|()| ExitCode::SUCCESS).map_err(|error| StartProblem::NotListening { address, error })
}

async fn run(office: Office, at: Listening, listening: impl FnOnce(SocketAddr)) -> io::Result<()> {
    heed_file_limit();
    let listener = TcpListener::bind(at.address).await?;
    let address = listener.local_addr()?;
    listening(address);
    let books = keep_books(&office);
    let sessions = Arc::new(sessions());
    let guard = Arc::new(Guard::new(&at, Arc::clone(&sessions)));
    let config = StreamableHttpServerConfig::default().with_allowed_hosts(guard.hosts().to_vec());
    let service =
        StreamableHttpService::new(move || Ok(Server::new(office.clone(), Connection::Http)), sessions, config);
    let open = GracefulShutdown::new();
    tokio::select! {
        () = take_connections(&listener, &open, &guard, &service) => {}
        () = told_to_go() => {}
    }
    drop(listener);
    // Calls that wait for a task are not waited for: the task is in its files.
    let _ = timeout(LAST_WORDS, open.shutdown()).await;
    if let Some(books) = books {
        books.abort();
    }
    Ok(())
}

fn sessions() -> LocalSessionManager {
    let mut sessions = LocalSessionManager::default();
    let mut config = SessionConfig::default();
    config.keep_alive = Some(SESSION_IDLE);
    sessions.session_config = config;
    sessions
}

async fn take_connections(
    listener: &TcpListener,
    open: &GracefulShutdown,
    guard: &Arc<Guard>,
    service: &StreamableHttpService<Server, LocalSessionManager>,
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
fn connection(
    stream: TcpStream,
    place: Place,
    guard: Arc<Guard>,
    service: StreamableHttpService<Server, LocalSessionManager>,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    let place = Arc::new(place);
    let answer = service_fn(move |request: Request<Incoming>| {
        let (place, guard, service) = (Arc::clone(&place), Arc::clone(&guard), service.clone());
        async move {
            let origin = guard.allowed_origin(&request);
            let mut response = match admit(&guard, &place, request).await {
                Ok(request) => service.handle(request).await,
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
async fn admit(guard: &Guard, place: &Place, request: Request<Incoming>) -> Result<Request<Full<Bytes>>, Box<Refused>> {
    guard.admit(&request).await?;
    place.is_known();
    readable::readable(body::received(request).await?)
}
