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
    ANSWER_TIMEOUT, CLEANUP_TIMEOUT, ServerState, StartProblem, readable_body, runtime, server::Server,
    shutdown_signal, spawn_maintenance, transport_kind::TransportKind,
};
use crate::{
    http::{self, HttpResponse, ListenOptions, RequestGuard, Service},
    present::protocol,
    process::heed_file_limit,
};

/// A session without a message either way for so long ends. Progress is a message.
const SESSION_IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The header that names a session.
const SESSION_HEADER: &str = "mcp-session-id";

/// The header that names the version of the protocol.
const VERSION_HEADER: &str = "mcp-protocol-version";

/// The first version without sessions; versions are dates.
const FIRST_STATELESS_VERSION: &str = "2026-07-28";

/// Maximum number of sessions at a time.
const MAX_SESSIONS: usize = 200;

/// Serves until SIGINT or SIGTERM comes. `listening` is told the address once it is open.
///
/// Fails when the address cannot be listened on, or there is no room for the threads of a server.
pub fn serve(
    state: ServerState,
    options: ListenOptions,
    listening: impl FnOnce(SocketAddr),
) -> Result<ExitCode, StartProblem> {
    let runtime = runtime::start()?.started()?;
    let address = options.address;
    let served = runtime.block_on(run(state, options, listening));
    runtime.shutdown_timeout(CLEANUP_TIMEOUT);
    served.map(|()| ExitCode::SUCCESS).map_err(|error| StartProblem::NotListening { address, error })
}

async fn run(state: ServerState, options: ListenOptions, listening: impl FnOnce(SocketAddr)) -> io::Result<()> {
    heed_file_limit();
    let listener = TcpListener::bind(options.address).await?;
    listening(listener.local_addr()?);
    let maintenance = spawn_maintenance(&state);
    let guard = RequestGuard::new(&options);
    let service = Mcp::new(state, &guard);
    // Calls that wait for a task are not waited for: the task is in its files.
    http::serve(listener, guard, service, shutdown_signal(), ANSWER_TIMEOUT).await;
    if let Some(maintenance) = maintenance {
        maintenance.abort();
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
    fn new(state: ServerState, guard: &RequestGuard) -> Self {
        let mut sessions = LocalSessionManager::default();
        let mut config = SessionConfig::default();
        config.keep_alive = Some(SESSION_IDLE_TIMEOUT);
        sessions.session_config = config;
        let sessions = Arc::new(sessions);
        let config = StreamableHttpServerConfig::default().with_allowed_hosts(guard.hosts().to_vec());
        let server = move || Ok(Server::new(state.clone(), TransportKind::Http));
        Self { service: StreamableHttpService::new(server, Arc::clone(&sessions), config), sessions }
    }
}

impl Service for Mcp {
    async fn admit<B: Sync>(&self, request: &Request<B>) -> Result<(), Box<HttpResponse>> {
        let header = |name| request.headers().get(name).map(|value| value.to_str().unwrap_or("?"));
        let begins_session = request.method() == Method::POST
            && header(SESSION_HEADER).is_none()
            && header(VERSION_HEADER).is_none_or(|version| version < FIRST_STATELESS_VERSION);
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
