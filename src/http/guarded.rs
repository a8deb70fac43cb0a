//! A service behind the guard: every request needs the token.

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Request, body::Incoming};

use super::{
    body::{MAX_BODY_BYTES, receive},
    connection::Connection,
    cors,
    guard::RequestGuard,
    refusal::HttpResponse,
    site::Site,
};

/// Answers the requests that were admitted.
pub(crate) trait Service: Clone + Send + Sync + 'static {
    /// Decides by its head whether there is room for a request. Fails with the refusal.
    fn admit<B: Sync>(&self, request: &Request<B>) -> impl Future<Output = Result<(), Box<HttpResponse>>> + Send;

    /// The response to a request with its whole body.
    fn respond(&self, request: Request<Bytes>) -> impl Future<Output = HttpResponse> + Send;
}

/// A service and its guard.
#[derive(Debug, Clone)]
pub(crate) struct Guarded<S> {
    guard: Arc<RequestGuard>,
    service: S,
}

impl<S: Service> Guarded<S> {
    /// The service, for requests that `guard` admits.
    pub(crate) fn new(guard: Arc<RequestGuard>, service: S) -> Self {
        Self { guard, service }
    }

    /// Admits a request by its head, and receives its body.
    async fn admit(
        &self,
        request: Request<Incoming>,
        connection: &Connection,
    ) -> Result<Request<Bytes>, Box<HttpResponse>> {
        self.guard.admit(&request)?;
        self.service.admit(&request).await?;
        connection.mark_authenticated();
        receive(MAX_BODY_BYTES, request).await
    }
}

impl<S: Service> Site for Guarded<S> {
    async fn respond(&self, request: Request<Incoming>, connection: &Connection) -> HttpResponse {
        let origin = self.guard.allowed_origin(&request);
        let mut response = match self.admit(request, connection).await {
            Ok(request) => self.service.respond(request).await,
            Err(refused) => *refused,
        };
        if let Some(origin) = origin {
            cors::expose(response.headers_mut(), origin);
        }
        response
    }

    fn stop(&self) {}
}
