//! MCP over Streamable HTTP, for several clients at once, with the same handler as stdio.
//!
//! | protocol version | connection | a call is cancelled |
//! |---|---|---|
//! | up to 2025-11-25 | a session, which ends when it is idle for long | by a notification |
//! | 2026-07-28 | single requests | also by closing the request's connection |
//!
//! All clients share the tasks. The tasks end with this process, as they do over stdio. `crate::http` decides which
//! requests are admitted.

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
    http::{self, EndpointAnd, Guarded, HttpResponse, ListenOptions, RequestGuard, Service, Site},
    present::protocol,
    process::heed_file_limit,
};

/// A session ends after this time without a message in either direction. Progress notifications count as messages.
const SESSION_IDLE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The header with the session ID.
const SESSION_HEADER: &str = "mcp-session-id";

/// The header with the protocol version.
const VERSION_HEADER: &str = "mcp-protocol-version";

/// The first protocol version without sessions. Versions are dates, so they can be compared as strings.
const FIRST_STATELESS_VERSION: &str = "2026-07-28";

/// Maximum number of sessions at a time.
const MAX_SESSIONS: usize = 200;

/// Serves until SIGINT or SIGTERM arrives. Calls `listening` with the address once the server accepts connections.
/// `site` answers the requests for all paths except the endpoint's.
///
/// Fails if the server cannot listen on the address or start its threads.
pub(crate) fn serve(
    state: ServerState,
    options: ListenOptions,
    site: Option<impl Site>,
    listening: impl FnOnce(SocketAddr),
) -> Result<ExitCode, StartProblem> {
    let runtime = runtime::start()?.started()?;
    let address = options.address;
    let served = runtime.block_on(run(state, options, site, listening));
    runtime.shutdown_timeout(CLEANUP_TIMEOUT);
    served.map(|()| ExitCode::SUCCESS).map_err(|error| StartProblem::NotListening { address, error })
}

async fn run(
    state: ServerState,
    options: ListenOptions,
    site: Option<impl Site>,
    listening: impl FnOnce(SocketAddr),
) -> io::Result<()> {
    heed_file_limit();
    let listener = TcpListener::bind(options.address).await?;
    let shutdown = shutdown_signal();
    listening(listener.local_addr()?);
    let maintenance = spawn_maintenance(&state);
    let guard = Arc::new(RequestGuard::new(&options));
    let endpoint = Guarded::new(Arc::clone(&guard), Mcp::new(state, &guard));
    // Shutdown does not wait for calls that wait for a task: the task's state is on disk.
    http::serve(listener, EndpointAnd { endpoint, site }, shutdown, ANSWER_TIMEOUT).await;
    if let Some(maintenance) = maintenance {
        maintenance.abort();
    }
    Ok(())
}

/// The MCP service of rmcp.
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
