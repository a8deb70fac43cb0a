//! The body of a request, as JSON that rmcp can read.

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue},
};

use super::{
    super::repair::{Repair, Unreadable, repair},
    MAX_BODY,
    guard::{Refused, refusal},
};

/// A body, read or not.
pub(super) type Body = Either<Incoming, Full<Bytes>>;

/// Reads and repairs the message in a request that has one.
pub(super) async fn readable(request: Request<Incoming>) -> Result<Request<Body>, Box<Refused>> {
    if request.method() != Method::POST {
        return Ok(request.map(Either::Left));
    }
    let (mut head, body) = request.into_parts();
    let text = Limited::new(body, MAX_BODY).collect().await.map_err(|error| {
        Box::new(if error.is::<LengthLimitError>() {
            refusal(StatusCode::PAYLOAD_TOO_LARGE, &format!("a message may have {MAX_BODY} bytes"))
        } else {
            refusal(StatusCode::BAD_REQUEST, "the message did not come whole; next: send it again")
        })
    })?;
    let text = text.to_bytes();
    let text = match repair(&text) {
        Repair::None => text,
        Repair::Done { messages, unreadable } => {
            match (<[String; 1]>::try_from(messages), unreadable.into_iter().next()) {
                (Ok([message]), None) => Bytes::from(message),
                (_, Some(unreadable)) => return Err(Box::new(unreadable_answer(unreadable))),
                (Err(_), None) => {
                    let problem = "a body holds one message".to_owned();
                    return Err(Box::new(unreadable_answer(Unreadable::new(&text, problem))));
                }
            }
        }
    };
    head.headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    Ok(Request::from_parts(head, Either::Right(Full::new(text))))
}

/// The error as JSON-RPC: without an id where the message has none that can be read.
fn unreadable_answer(unreadable: Unreadable) -> Refused {
    let answer = serde_json::to_string(&unreadable.answer()).unwrap_or_default();
    let mut response = Response::new(Full::new(Bytes::from(answer)).boxed());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
