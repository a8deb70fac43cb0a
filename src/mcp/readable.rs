//! Repairs the lines of stdin for rmcp, and answers those that cannot be repaired.
//!
//! ```text
//! stdin ──▶ ReadableLines ── repaired lines ──▶ rmcp's line transport ──▶ AnsweringTransport ──▶ rmcp
//!                 │                                    │                        ▲
//!                 └────────── unreadable messages ─────┼────────────────────────┘
//!                                                      ▼
//!                                                   stdout
//! ```
//!
//! [`ReadableLines`] does not answer by itself, because only rmcp's transport writes to stdout. It passes unreadable
//! messages to [`AnsweringTransport`], which sends the errors.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rmcp::{
    RoleServer,
    model::JsonRpcMessage,
    service::{RxJsonRpcMessage, TxJsonRpcMessage},
    transport::{Transport, async_rw::DEFAULT_MAX_LINE_LENGTH},
};
use tokio::{
    io::{AsyncRead, ReadBuf},
    sync::mpsc,
};
use tokio_util::sync::PollSender;

use super::repair::{Repair, Unreadable, repair};
use crate::present::protocol;

/// Size of one read.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// Maximum number of unreadable lines that wait for their answer. At this number, reading stops.
const MAX_WAITING_LINES: usize = 16;

/// A reader that returns repaired lines.
#[derive(Debug)]
pub(super) struct ReadableLines<R> {
    reader: R,
    /// The line that is being read, until it is complete.
    line: Vec<u8>,
    /// Whether the rest of the current line is skipped, because it is longer than rmcp accepts.
    is_skipping: bool,
    /// Repaired lines for rmcp, in order.
    readable: VecDeque<u8>,
    unreadable: VecDeque<Unreadable>,
    answers: PollSender<Unreadable>,
    has_ended: bool,
}

/// Wraps `reader`. Returns the reader for rmcp, and the unreadable messages for [`AnsweringTransport`].
pub(super) fn readable_lines<R>(reader: R) -> (ReadableLines<R>, mpsc::Receiver<Unreadable>) {
    let (sender, receiver) = mpsc::channel(MAX_WAITING_LINES);
    let lines = ReadableLines {
        reader,
        line: vec![],
        is_skipping: false,
        readable: VecDeque::new(),
        unreadable: VecDeque::new(),
        answers: PollSender::new(sender),
        has_ended: false,
    };
    (lines, receiver)
}

impl<R: AsyncRead + Unpin> AsyncRead for ReadableLines<R> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        loop {
            if !this.readable.is_empty() {
                let (first, _) = this.readable.as_slices();
                let length = first.len().min(buf.remaining());
                buf.put_slice(&first[..length]);
                this.readable.drain(..length);
                return Poll::Ready(Ok(()));
            }
            while !this.unreadable.is_empty() {
                // An error means that the receiver is gone, because rmcp has ended.
                let is_open = ready!(this.answers.poll_reserve(cx)).is_ok();
                if let Some(unreadable) = this.unreadable.pop_front().filter(|_| is_open) {
                    let _ = this.answers.send_item(unreadable);
                }
            }
            if this.has_ended {
                return Poll::Ready(Ok(()));
            }
            let mut bytes = [0; READ_BUFFER_BYTES];
            let mut read = ReadBuf::new(&mut bytes);
            ready!(Pin::new(&mut this.reader).poll_read(cx, &mut read))?;
            this.take(read.filled());
        }
    }
}

impl<R> ReadableLines<R> {
    /// Processes bytes from the reader. No bytes mean the end of the input.
    fn take(&mut self, mut bytes: &[u8]) {
        self.has_ended = bytes.is_empty();
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            self.append(&bytes[..=end]);
            bytes = &bytes[end + 1..];
            if !std::mem::take(&mut self.is_skipping) {
                self.end_line();
            }
        }
        self.append(bytes);
    }

    fn append(&mut self, bytes: &[u8]) {
        if self.is_skipping {
            return;
        }
        self.line.extend_from_slice(bytes);
        if self.line.len() > DEFAULT_MAX_LINE_LENGTH {
            let problem = protocol::too_long(DEFAULT_MAX_LINE_LENGTH);
            self.reject(Unreadable::new(&self.line, problem));
            (self.line, self.is_skipping) = (vec![], true);
        }
    }

    fn end_line(&mut self) {
        let mut line = std::mem::take(&mut self.line);
        match repair(line.trim_ascii_end()) {
            Repair::None => self.readable.extend(&line),
            Repair::Done { messages, unreadable } => {
                for message in messages {
                    // The replacement of an invalid character can be longer than the original.
                    if message.len() < DEFAULT_MAX_LINE_LENGTH {
                        self.readable.extend(format!("{message}\n").as_bytes());
                    } else {
                        let problem = protocol::too_long(DEFAULT_MAX_LINE_LENGTH);
                        self.reject(Unreadable::new(message.as_bytes(), problem));
                    }
                }
                unreadable.into_iter().for_each(|unreadable| self.reject(unreadable));
            }
        }
        // Reuse the buffer for the next line, unless this one was unusually long.
        line.clear();
        self.line = if line.capacity() > READ_BUFFER_BYTES { vec![] } else { line };
    }

    /// Drops messages without an ID. They have no request to answer, and a client might answer the error again, in a
    /// loop.
    fn reject(&mut self, unreadable: Unreadable) {
        tracing::debug!(?unreadable, "a message could not be read");
        self.unreadable.extend(Some(unreadable).filter(|unreadable| unreadable.id.is_some()));
    }
}

/// A transport that also answers unreadable messages.
pub(super) struct AnsweringTransport<T> {
    transport: T,
    unreadable: mpsc::Receiver<Unreadable>,
    /// The answer that is being sent.
    sending: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<T> AnsweringTransport<T> {
    pub(super) fn new(transport: T, unreadable: mpsc::Receiver<Unreadable>) -> Self {
        Self { transport, unreadable, sending: None }
    }
}

impl<T: Transport<RoleServer>> Transport<RoleServer> for AnsweringTransport<T> {
    type Error = T::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send + 'static {
        self.transport.send(with_initialize_hint(message))
    }

    /// Can be dropped while it waits; the answer that is being sent is kept.
    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            if let Some(sending) = &mut self.sending {
                sending.await;
                self.sending = None;
            }
            tokio::select! {
                biased;
                Some(unreadable) = self.unreadable.recv() => {
                    let sent = self.transport.send(unreadable.answer());
                    // An error means that the client is gone, so it needs no answer.
                    self.sending = Some(Box::pin(async { drop(sent.await) }));
                }
                message = self.transport.receive() => return message,
            }
        }
    }

    async fn close(&mut self) -> Result<(), Self::Error> {
        self.transport.close().await
    }
}

/// The beginning of rmcp's error for a request that lacks the metadata of 2026-07-28 and comes before `initialize`.
const NO_METADATA: &str = "request _meta is missing";

/// Adds a hint about `initialize` to that error, because older clients must begin with it.
fn with_initialize_hint(mut message: TxJsonRpcMessage<RoleServer>) -> TxJsonRpcMessage<RoleServer> {
    if let JsonRpcMessage::Error(answer) = &mut message
        && answer.error.message.starts_with(NO_METADATA)
    {
        answer.error.message.to_mut().push_str(protocol::INITIALIZE_HINT);
    }
    message
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rmcp::transport::async_rw::AsyncRwTransport;
    use serde_json::{Value, json};
    use tokio::{
        io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
        time::timeout,
    };

    use super::*;

    async fn read_all(text: &[u8]) -> (String, usize) {
        let (mut lines, mut unreadable) = readable_lines(text);
        let mut read = String::new();
        let reading = lines.read_to_string(&mut read);
        let mut count = 0;
        let counting = async {
            while unreadable.recv().await.is_some() {
                count += 1;
            }
        };
        tokio::select! {
            biased;
            () = counting => panic!("the reader was dropped"),
            result = reading => drop(result.expect("reading memory does not fail")),
        }
        while unreadable.try_recv().is_ok() {
            count += 1;
        }
        (read, count)
    }

    #[tokio::test]
    async fn lines_are_repaired_and_everything_else_is_passed_on() {
        let input =
            b"{\"id\":1,\"result\":0}\n\nhello\n{\"id\":2,\"result\":\"\\ud83d\"}\r\n{\"id\":3,\"x\":NaN}\n{\"x\":NaN}\n{\"id\":4,\"result\":0}\n";
        let expected =
            "{\"id\":1,\"result\":0}\n\nhello\n{\"id\":2,\"result\":\"\u{fffd}\"}\n{\"id\":4,\"result\":0}\n";
        assert_eq!(read_all(input).await, (expected.to_owned(), 1));
    }

    #[tokio::test]
    async fn many_unreadable_lines_do_not_block_the_reader() {
        let input = "{\"id\":1,\"x\":NaN}\n".repeat(10_000) + "{\"id\":2,\"result\":0}\n";
        assert_eq!(read_all(input.as_bytes()).await, ("{\"id\":2,\"result\":0}\n".to_owned(), 10_000));
    }

    #[tokio::test]
    async fn an_overlong_line_is_skipped_and_unreadable() {
        let text = "x".repeat(DEFAULT_MAX_LINE_LENGTH + 1);
        let input = format!("{{\"id\":1,\"x\":\"{text}\"}}\n{{\"id\":2,\"result\":0}}\n");
        let (read, unreadable) = read_all(input.as_bytes()).await;
        assert!(
            read == "{\"id\":2,\"result\":0}\n" && unreadable == 1,
            "{} bytes, {unreadable} unreadable",
            read.len()
        );
    }

    #[tokio::test]
    async fn an_unreadable_request_is_answered_with_its_id() {
        let (mut client, server) = tokio::io::duplex(4096);
        let (reader, writer) = tokio::io::split(server);
        let (lines, unreadable) = readable_lines(reader);
        let mut transport = AnsweringTransport::new(AsyncRwTransport::new_server(lines, writer), unreadable);
        let ping = b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}\n";
        client.write_all(&[b"{\"id\":7,\"x\":1e999}\n", &ping[..]].concat()).await.expect("the server reads");
        let receiving = tokio::spawn(async move {
            let mut received = vec![];
            while let Some(message) = transport.receive().await {
                received.push(serde_json::to_value(message).expect("valid JSON")["id"].clone());
            }
            received
        });
        let mut answer = String::new();
        let mut client_reader = BufReader::new(&mut client);
        let reading = timeout(Duration::from_secs(60), client_reader.read_line(&mut answer));
        reading.await.expect("an answer in time").expect("an open connection");
        let answer: Value = serde_json::from_str(&answer).expect("valid JSON");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32700)));
        drop(client);
        assert_eq!(receiving.await.expect("no panic"), [json!(8)]);
    }
}
