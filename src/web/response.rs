//! Responses of the web UI. All of them have the same headers, which limit what a page can do.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    HeaderMap, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use maud::Markup;

use crate::http::HttpResponse;

/// Headers of every response.
///
/// With the referrer policy `no-referrer`, browsers would send `Origin: null` with our own forms.
const HEADERS: [(HeaderName, &str); 6] = [
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
    ),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (REFERRER_POLICY, "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
];

/// Adds the headers that every response has.
pub(super) fn complete(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

/// A page.
pub(super) fn page(status: StatusCode, page: Markup) -> HttpResponse {
    content(status, "text/html; charset=utf-8", page.into_string().into())
}

/// A response with this content.
pub(super) fn content(status: StatusCode, media_type: &'static str, content: Bytes) -> HttpResponse {
    let mut response = Response::new(Full::new(content).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    response
}

/// Leads to another address of this server, which is requested with GET.
pub(super) fn redirect(to: &str) -> HttpResponse {
    let mut response = content(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", Bytes::new());
    let to = HeaderValue::from_str(to).unwrap_or(HeaderValue::from_static("/"));
    response.headers_mut().insert(LOCATION, to);
    response
}
