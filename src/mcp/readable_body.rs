//! Repairs the message in the body of an HTTP request, so that rmcp can parse it.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, Request, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};

use super::repair::{Repair, Unreadable, repair};
use crate::{http::HttpResponse, present::protocol};

/// Repairs the message of a POST request. Fails with the answer for a message that cannot be repaired.
pub(super) fn readable(request: Request<Bytes>) -> Result<Request<Full<Bytes>>, Box<HttpResponse>> {
    if request.method() != Method::POST {
        return Ok(request.map(Full::new));
    }
    let (mut head, text) = request.into_parts();
    let text = match repair(&text) {
        Repair::None => text,
        Repair::Done { messages, unreadable } => {
            match (<[String; 1]>::try_from(messages), unreadable.into_iter().next()) {
                (Ok([message]), None) => Bytes::from(message),
                (_, Some(unreadable)) => return Err(Box::new(unreadable_answer(unreadable))),
                (Err(_), None) => {
                    let problem = protocol::EXPECTED_ONE_MESSAGE.to_owned();
                    return Err(Box::new(unreadable_answer(Unreadable::new(&text, problem))));
                }
            }
        }
    };
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(Request::from_parts(head, Full::new(text)))
}

/// The error as JSON-RPC. It has no ID if the ID of the message cannot be read.
fn unreadable_answer(unreadable: Unreadable) -> HttpResponse {
    let answer = serde_json::to_string(&unreadable.answer()).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(answer)).boxed());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
