//! Responses to requests that are not admitted.

use std::convert::Infallible;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, combinators::BoxBody};
use hyper::{
    Response, StatusCode,
    header::{CONTENT_TYPE, HeaderValue},
};

/// A response whose body cannot fail.
pub(crate) type HttpResponse = Response<BoxBody<Bytes, Infallible>>;

/// A response with the reason in plain text.
pub(crate) fn refusal(status: StatusCode, why: &str) -> HttpResponse {
    let mut response = Response::new(Full::new(Bytes::from(format!("{why}\n"))).boxed());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
