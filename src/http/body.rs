//! Receives the body of a request, within limits on its size and time.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::{
    Request, StatusCode,
    body::Body,
    header::{CONNECTION, HeaderValue},
};
use tokio::time::{Instant, timeout_at};

use super::refusal::{HttpResponse, refusal};

/// Maximum length of the body of a message, in bytes.
pub(crate) const MAX_BODY_BYTES: usize = 4 << 20;

/// Maximum length of the body of a form, in bytes.
pub(crate) const MAX_FORM_BYTES: usize = 64 << 10;

/// How many times its maximum length is read from a body. Bytes beyond the maximum are dropped: they are read only so
/// that a client that writes its whole request before it reads the answer receives the reason for the refusal.
const READ_FACTOR: usize = 5;

/// Time limit for a body: a client that stops in the middle would otherwise occupy its connection slot forever.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);

/// Receives the body of a request, which may have up to `max` bytes: [`MAX_BODY_BYTES`] or [`MAX_FORM_BYTES`]. Fails with
/// a response that closes the connection, so that the rest of the body is not read.
pub(crate) async fn receive<B>(max: usize, request: Request<B>) -> Result<Request<Bytes>, Box<HttpResponse>>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
{
    receive_within(BODY_TIMEOUT, max, request).await
}

async fn receive_within<B>(
    time_limit: Duration,
    max: usize,
    request: Request<B>,
) -> Result<Request<Bytes>, Box<HttpResponse>>
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
{
    let max_read = READ_FACTOR * max;
    if request.body().size_hint().lower() > max_read as u64 {
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, too_large(max));
    }
    let (head, mut body) = request.into_parts();
    let deadline = Instant::now() + time_limit;
    match timeout_at(deadline, Limited::new(&mut body, max).collect()).await {
        Ok(Ok(body)) => Ok(Request::from_parts(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let _ = timeout_at(deadline, drop_up_to(max_read - max, &mut body)).await;
            refuse(StatusCode::PAYLOAD_TOO_LARGE, too_large(max))
        }
        Ok(Err(_)) => refuse(StatusCode::BAD_REQUEST, "the body is incomplete; next: send the request again"),
        Err(_) => refuse(
            StatusCode::REQUEST_TIMEOUT,
            "the body took longer than 30 seconds; next: send the whole request at once",
        ),
    }
}

async fn drop_up_to<B>(max: usize, body: &mut B)
where
    B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
{
    let mut rest = Limited::new(body, max);
    while let Some(Ok(_)) = rest.frame().await {}
}

fn too_large(max: usize) -> &'static str {
    match max {
        MAX_FORM_BYTES => "the form is larger than 64 KiB; next: send a shorter text",
        _ => "the body is larger than 4 MiB; next: send a shorter message, such as one that names a file",
    }
}

fn refuse(status: StatusCode, why: &str) -> Result<Request<Bytes>, Box<HttpResponse>> {
    let mut refused = refusal(status, why);
    refused.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Err(Box::new(refused))
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        pin::Pin,
        task::{Context, Poll},
    };

    use hyper::body::{Frame, SizeHint};

    use http_body_util::Full;

    use super::*;

    /// A body that sends one frame and then hangs or fails.
    struct BrokenBody(Option<Bytes>, Option<io::Error>);

    impl Body for BrokenBody {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            match (self.0.take(), self.1.take()) {
                (Some(data), error) => {
                    self.1 = error;
                    Poll::Ready(Some(Ok(Frame::data(data))))
                }
                (None, Some(error)) => Poll::Ready(Some(Err(error))),
                (None, None) => Poll::Pending,
            }
        }
    }

    /// A body of a number of MiB, with or without a length in its header.
    struct LargeBody(u64, bool);

    impl Body for LargeBody {
        type Data = Bytes;
        type Error = io::Error;

        fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
            let Some(rest) = self.0.checked_sub(1) else { return Poll::Ready(None) };
            self.0 = rest;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b' '; 1 << 20])))))
        }

        fn size_hint(&self) -> SizeHint {
            if self.1 { SizeHint::with_exact(self.0 << 20) } else { SizeHint::default() }
        }
    }

    async fn status<B>(body: B) -> u16
    where
        B: Body<Data = Bytes, Error: std::error::Error + Send + Sync + 'static> + Unpin,
    {
        let received = receive_within(Duration::from_millis(50), MAX_BODY_BYTES, Request::new(body)).await;
        received.map_or_else(|refused| refused.status().as_u16(), |_| 200)
    }

    #[tokio::test]
    async fn the_body_of_a_form_is_limited_to_64_kib() {
        for (length, expected) in [(MAX_FORM_BYTES, 200), (MAX_FORM_BYTES + 1, 413), (10 * MAX_FORM_BYTES, 413)] {
            let request = Request::new(Full::new(Bytes::from(vec![b'x'; length])));
            let received = receive(MAX_FORM_BYTES, request).await;
            let status = received.map_or_else(|refused| refused.status().as_u16(), |_| 200);
            assert_eq!(status, expected, "{length}");
        }
    }

    #[tokio::test]
    async fn a_body_is_received_completely_and_in_time_or_refused() {
        let beginning = || Some(Bytes::from_static(b"{"));
        assert_eq!(status(Full::new(Bytes::from_static(b"{}"))).await, 200);
        assert_eq!(status(Full::new(Bytes::from(vec![b' '; MAX_BODY_BYTES]))).await, 200);
        assert_eq!(status(Full::new(Bytes::from(vec![b' '; MAX_BODY_BYTES + 1]))).await, 413);
        assert_eq!(
            status(BrokenBody(Some(Bytes::from(vec![b' '; MAX_BODY_BYTES + 1])), None)).await,
            413,
            "a body without a length"
        );
        assert_eq!(status(BrokenBody(beginning(), Some(io::ErrorKind::ConnectionReset.into()))).await, 400);
        assert_eq!(status(BrokenBody(beginning(), None)).await, 408, "a body that stops in the middle");
    }

    /// A client that writes its whole request before it reads the answer would otherwise report a broken pipe.
    #[tokio::test]
    async fn a_client_can_finish_writing_a_body_that_is_too_large() {
        for has_length in [true, false] {
            let mut body = LargeBody(5, has_length);
            assert_eq!(status(&mut body).await, 413);
            assert_eq!(body.0, 0, "the whole body is read, with a length: {has_length}");
        }
        let mut body = LargeBody(100, true);
        assert_eq!(status(&mut body).await, 413);
        assert_eq!(body.0, 100, "nothing is read");
        let mut body = LargeBody(100, false);
        assert_eq!(status(&mut body).await, 413);
        let read = 100 - body.0;
        assert!(read <= 22, "{read} MiB were read; the limit is 20, plus one frame beyond each of two limits");
    }
}
