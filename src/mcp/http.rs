//! MCP over Streamable HTTP: the same handler, for several clients at once.
//!
//! Clients of the versions up to 2025-11-25 have sessions here, which end when they are idle for long; those of 2026-07-28
//! have none, and a request of theirs whose connection is closed counts as withdrawn. All share the tasks, which end with
//! this process as they do over stdio. Who is let in is decided in `crate::http`.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use rmcp::transport::streamable_http_server::{
    StreamableHttpServerConfig, StreamableHttpService,
    session::local::{LocalSessionManager, SessionConfig},
};
use tokio::net::TcpListener;

use super::{
    LAST_CLEANING, LAST_WORDS, Office, StartProblem, connection::Connection, keep_books, readable_body, runtime,
    server::Server, told_to_go,
};
use crate::{
    http::{self, Guard, HttpResponse, Listening, Service},
    present::protocol,
    process::heed_file_limit,
};

/// A session without a message either way for so long ends. Progress is a message.
const SESSION_IDLE: Duration = Duration::from_secs(60 * 60);

/// The header that names a session.
const SESSION: &str = "mcp-session-id";

/// The header that names the version of the protocol.
const VERSION: &str = "mcp-protocol-version";

/// The first version without sessions; versions are dates.
const STATELESS: &str = "2026-07-28";

/// Maximum number of sessions at a time.
const MAX_SESSIONS: usize = 200;

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
    listening(listener.local_addr()?);
    let books = keep_books(&office);
    let guard = Guard::new(&at);
    let service = Mcp::new(office, &guard);
    // Calls that wait for a task are not waited for: the task is in its files.
    http::serve(listener, guard, service, told_to_go(), LAST_WORDS).await;
    if let Some(books) = books {
        books.abort();
    }
    Ok(())
}

/// The protocol, as rmcp serves it.
#[derive(Clone)]
struct Mcp {
    service: StreamableHttpService<Server, LocalSessionManager>,
    sessions: Arc<LocalSessionManager>,
}

impl Mcp {
    fn new(office: Office, guard: &Guard) -> Self {
        let mut sessions = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(SESSION_IDLE);
        sessions.session_config = config;
        let sessions = Arc::new(sessions);
        let config = StreamableHttpServerConfig::default().with_allowed_hosts(guard.hosts().to_vec());
        let server = move || Ok(Server::new(office.clone(), Connection::Http));
        Self { service: StreamableHttpService::new(server, Arc::clone(&sessions), config), sessions }
    }
}

impl Service for Mcp {
    async fn admit<B: Sync>(&self, request: &Request<B>) -> Result<(), Box<HttpResponse>> {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        let begins_session = request.method() == Method::POST
            && header(SESSION).is_none()
            && header(VERSION).is_none_or(|version| version < STATELESS);
        if begins_session && self.sessions.sessions.read().await.len() >= MAX_SESSIONS {
            return Err(Box::new(http::refusal(StatusCode::SERVICE_UNAVAILABLE, protocol::TOO_MANY_SESSIONS)));
        }
        Ok(())
    }

    async fn respond(&self, request: Request<Bytes>) -> HttpResponse {
        match readable_body::readable(request) {
            Ok(request) => self.service.handle(request).await,
            Err(refused) => *refused,
        }
    }
}
