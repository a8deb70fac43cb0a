//! Event streams: their format, their number, and what happens to a client that does not read.
//!
//! A stream has a producer, which is a task of the runtime, and a body, which belongs to the connection. Between them is a
//! short queue, so a slow client makes its producer wait. If the client reads nothing for a while, its connection is closed.
//! The producer ends with the connection, with the server, or when there is nothing more to say.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{
    Response, StatusCode,
    body::{Body, Frame},
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::json;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use crate::{http::HttpResponse, present::web::ElementId};

/// Maximum number of streams and downloads at a time.
pub(super) const MAX_STREAMS: usize = 200;

/// Number of events that wait for a client, in addition to those in the buffers of the connection.
const QUEUE_LENGTH: usize = 4;

/// How long a client may read nothing while events wait for it.
const STALL_LIMIT: Duration = Duration::from_secs(10);

/// How often a stream without events sends something, so that both ends notice a dead connection.
pub(super) const HEARTBEAT: Duration = Duration::from_secs(15);

/// The streams of a server.
#[derive(Debug, Clone)]
pub(super) struct Streams {
    free: Arc<Semaphore>,
    stop: CancellationToken,
}

/// A place for one stream.
#[derive(Debug)]
pub(super) struct StreamSlot {
    permit: OwnedSemaphorePermit,
    stop: CancellationToken,
}

/// The producer's end of a stream.
#[derive(Debug)]
pub(super) struct Sender {
    queue: mpsc::Sender<Bytes>,
    stop: CancellationToken,
    /// Closes the connection.
    closing: CancellationToken,
}

/// The client is gone, does not read, or the server stops: the producer must end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gone;

/// The connection's end of a stream. The stream counts until this is dropped.
#[derive(Debug)]
struct StreamBody {
    queue: mpsc::Receiver<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_STREAMS)), stop: CancellationToken::new() }
    }

    /// A place for a stream; `None` if there are too many.
    pub(super) fn slot(&self) -> Option<StreamSlot> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        Some(StreamSlot { permit, stop: self.stop.clone() })
    }

    /// Ends all streams.
    pub(super) fn stop(&self) {
        self.stop.cancel();
    }

    /// Completes when all streams must end.
    pub(super) fn stopped(&self) -> CancellationToken {
        self.stop.clone()
    }
}

impl StreamSlot {
    /// A response of this media type, and the end through which its body is sent. `closing` closes the connection.
    pub(super) fn open(self, media_type: &'static str, closing: CancellationToken) -> (HttpResponse, Sender) {
        let (sender, queue) = mpsc::channel(QUEUE_LENGTH);
        let mut response = Response::new(StreamBody { queue, _permit: self.permit }.boxed());
        *response.status_mut() = StatusCode::OK;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        (response, Sender { queue: sender, stop: self.stop, closing })
    }
}

impl Sender {
    /// Sends a part of the body. Waits while the client is slow, but not for long.
    pub(super) async fn send(&self, part: Bytes) -> Result<(), Gone> {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => Err(Gone),
            sent = timeout(STALL_LIMIT, self.queue.send(part)) => match sent {
                Ok(sent) => sent.map_err(|_| Gone),
                Err(_) => {
                    self.closing.cancel();
                    Err(Gone)
                }
            },
        }
    }

    /// Completes when the client or the server is gone.
    pub(super) async fn gone(&self) {
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = self.queue.closed() => {}
        }
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.queue.poll_recv(context).map(|part| part.map(|part| Ok(Frame::data(part))))
    }
}

/// The media type of event streams.
pub(super) const EVENT_STREAM: &str = "text/event-stream";

/// A comment, which pages ignore.
pub(super) fn heartbeat() -> Bytes {
    Bytes::from_static(b": still here\n\n")
}

/// Replaces the content of an element. With `last`, the page has all entries up to this one.
pub(super) fn replace(id: ElementId, html: &str, last: Option<u64>) -> Bytes {
    event("replace", &json!({"id": id.as_str(), "html": html}), last)
}

/// Adds at the end of an element. With `last`, the page has all entries up to this one.
pub(super) fn append(id: ElementId, html: &str, last: Option<u64>) -> Bytes {
    event("append", &json!({"id": id.as_str(), "html": html}), last)
}

/// Sets the title of the page.
pub(super) fn title(text: &str) -> Bytes {
    event("title", &json!({"text": text}), None)
}

/// Nothing more will come.
pub(super) fn end() -> Bytes {
    event("end", &json!({}), None)
}

fn event(kind: &str, data: &serde_json::Value, id: Option<u64>) -> Bytes {
    // JSON text has no line breaks.
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    format!("{id}event: {kind}\ndata: {data}\n\n").into()
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
