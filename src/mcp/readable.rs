//! stdin, as lines that rmcp can read; and answers to those that nobody can.
//!
//! [`ReadableLines`] stands between stdin and rmcp and repairs each line. What cannot be repaired goes to [`AnsweringTransport`],
//! which stands between rmcp and its transport, and sends the error: only rmcp writes to stdout.

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

/// How much is read at once.
const READ_BUFFER_BYTES: usize = 16 << 10;

/// Maximum number of lines that wait for their answer. More are not read.
const MAX_WAITING_LINES: usize = 16;

/// Passes lines on, as soon as they are whole.
#[derive(Debug)]
pub(super) struct ReadableLines<R> {
    reader: R,
    /// The beginning of a line.
    line: Vec<u8>,
    /// The rest of this line is skipped: it is longer than rmcp takes.
    is_skipping: bool,
    /// For rmcp, in order.
    readable: VecDeque<u8>,
    unreadable: VecDeque<Unreadable>,
    answers: PollSender<Unreadable>,
    has_ended: bool,
}

/// Makes a reader for rmcp, and what [`AnsweringTransport`] needs for it.
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
                // An error means that nobody answers any more: rmcp has ended.
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
    /// Takes what was read; nothing is the end.
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
                    // A repaired character can be longer than what it stands for.
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
        // Kept for the next line, unless this one was unusually long.
        line.clear();
        self.line = if line.capacity() > READ_BUFFER_BYTES { vec![] } else { line };
    }

    /// Without an id there is nobody to answer, and an answer could be taken for another message and answered again.
    fn reject(&mut self, unreadable: Unreadable) {
        tracing::debug!(?unreadable, "a message could not be read");
        self.unreadable.extend(Some(unreadable).filter(|unreadable| unreadable.id.is_some()));
    }
}

/// A transport that also answers what was not readable.
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

    /// Can be dropped while it waits: an answer that is being sent is kept.
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
                    // A client that is gone needs no answer.
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

/// The answer of rmcp to a request that comes without the metadata of 2026-07-28, or before `initialize` is complete.
const NO_METADATA: &str = "request _meta is missing";

/// Adds the way of older clients to that error, whose only way in is `initialize`.
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
        let (mut lines, mut lost) = readable_lines(text);
        let mut read = String::new();
        let reading = lines.read_to_string(&mut read);
        let mut count = 0;
        let counting = async {
            while lost.recv().await.is_some() {
                count += 1;
            }
        };
        tokio::select! {
            biased;
            () = counting => panic!("the reader went first"),
            result = reading => drop(result.expect("memory can be read")),
        }
        while lost.try_recv().is_ok() {
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
    async fn any_number_of_lines_can_be_unreadable() {
        let input = "{\"id\":1,\"x\":NaN}\n".repeat(10_000) + "{\"id\":2,\"result\":0}\n";
        assert_eq!(read_all(input.as_bytes()).await, ("{\"id\":2,\"result\":0}\n".to_owned(), 10_000));
    }

    #[tokio::test]
    async fn an_overlong_line_is_skipped_and_lost() {
        let text = "x".repeat(DEFAULT_MAX_LINE_LENGTH + 1);
        let input = format!("{{\"id\":1,\"x\":\"{text}\"}}\n{{\"id\":2,\"result\":0}}\n");
        let (read, lost) = read_all(input.as_bytes()).await;
        assert!(read == "{\"id\":2,\"result\":0}\n" && lost == 1, "{} bytes, {lost} lost", read.len());
    }

    #[tokio::test]
    async fn an_unreadable_request_is_answered_with_its_id() {
        let (mut client, server) = tokio::io::duplex(4096);
        let (reader, writer) = tokio::io::split(server);
        let (lines, unreadable) = readable_lines(reader);
        let mut transport = AnsweringTransport::new(AsyncRwTransport::new_server(lines, writer), unreadable);
        let ping = b"{\"jsonrpc\":\"2.0\",\"id\":8,\"method\":\"ping\"}\n";
        client.write_all(&[b"{\"id\":7,\"x\":1e999}\n", &ping[..]].concat()).await.expect("it is read");
        let receiving = tokio::spawn(async move {
            let mut received = vec![];
            while let Some(message) = transport.receive().await {
                received.push(serde_json::to_value(message).expect("it is JSON")["id"].clone());
            }
            received
        });
        let mut answer = String::new();
        let mut client_reader = BufReader::new(&mut client);
        let reading = timeout(Duration::from_secs(60), client_reader.read_line(&mut answer));
        reading.await.expect("in time").expect("it is answered");
        let answer: Value = serde_json::from_str(&answer).expect("it is JSON");
        assert_eq!((&answer["id"], &answer["error"]["code"]), (&json!(7), &json!(-32700)));
        drop(client);
        assert_eq!(receiving.await.expect("it does not panic"), [json!(8)]);
    }
}
