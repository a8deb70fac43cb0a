//! The parts of a server that answer requests.

use hyper::{Request, body::Incoming};

use super::{connection::Connection, listen_options::ENDPOINT_PATH, refusal::HttpResponse};

/// Decides which requests it admits, and answers them.
pub(crate) trait Site: Clone + Send + Sync + 'static {
    /// The response to a request. The site receives the body itself, after it has admitted the head.
    fn respond(&self, request: Request<Incoming>, connection: &Connection)
    -> impl Future<Output = HttpResponse> + Send;

    /// Ends long-lived responses, because the server stops.
    fn stop(&self);
}

/// The endpoint of MCP, and, if there is one, a site for all other paths.
#[derive(Debug, Clone)]
pub(crate) struct EndpointAnd<E, S> {
    /// Answers requests for [`ENDPOINT_PATH`], and all others if there is no site.
    pub(crate) endpoint: E,
    /// Answers the others.
    pub(crate) site: Option<S>,
}

impl<E: Site, S: Site> Site for EndpointAnd<E, S> {
    async fn respond(&self, request: Request<Incoming>, connection: &Connection) -> HttpResponse {
        match &self.site {
            Some(site) if request.uri().path() != ENDPOINT_PATH => site.respond(request, connection).await,
            Some(_) | None => self.endpoint.respond(request, connection).await,
        }
    }

    fn stop(&self) {
        self.endpoint.stop();
        self.site.iter().for_each(Site::stop);
    }
}
