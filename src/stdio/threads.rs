//! One thread each for stdin and stdout that the runtime cannot poll: sockets, named pipes, files and terminals.
//!
//! The threads start before the first request. Reading and writing therefore need no new thread, and work even if the
//! user's process limit is reached. They do not occupy the runtime's blocking threads either.
//!
//! ```text
//! fd 0 ── read ──▶ channel of 1 chunk ──▶ ThreadReader ──▶ rmcp ──▶ ThreadWriter ──▶ channel of 1 chunk ── write ──▶ fd 1
//! ```
//!
//! The channels are short: if the client does not read answers, the server stops reading requests.
//!
//! Another process that shares a file description may have made it non-blocking. The threads do not change that flag;
//! they poll until the descriptor is ready.

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    sync::mpsc::{Receiver, channel},
    task::{Context, Poll, ready},
    thread,
};

use bytes::Bytes;
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::mpsc,
};
use tokio_util::sync::PollSender;

/// Maximum number of bytes per read or write.
const CHUNK_BYTES: usize = 16 << 10;

/// Stack size of the threads, which only make system calls.
const THREAD_STACK_BYTES: usize = 128 << 10;

/// Bytes read by a thread.
#[derive(Debug)]
pub(super) struct ThreadReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

/// Bytes to be written by a thread. When this is dropped, the thread writes the rest and ends.
#[derive(Debug)]
pub(super) struct ThreadWriter {
    chunks: PollSender<Bytes>,
}

impl ThreadReader {
    /// Starts the thread that reads `fd`. Fails if no thread can be started.
    pub(super) fn start(fd: impl AsFd + Send + 'static) -> io::Result<Self> {
        let (read, chunks) = mpsc::channel(1);
        thread::Builder::new()
            .name("stdin".into())
            .stack_size(THREAD_STACK_BYTES)
            .spawn(move || read_chunks(fd, &read))?;
        Ok(Self { chunks, rest: Bytes::new() })
    }
}

impl ThreadWriter {
    /// Starts the thread that writes to `fd`, and returns a receiver that is disconnected when the thread ends. Fails
    /// if no thread can be started.
    pub(super) fn start(fd: impl AsFd + Send + 'static) -> io::Result<(Self, Receiver<()>)> {
        let (to_write, chunks) = mpsc::channel(1);
        let (writing, written) = channel();
        thread::Builder::new().name("stdout".into()).stack_size(THREAD_STACK_BYTES).spawn(move || {
            write_chunks(fd, chunks);
            drop(writing);
        })?;
        Ok((Self { chunks: PollSender::new(to_write) }, written))
    }
}

/// Reads until the end or an error, or until the receiver is dropped.
fn read_chunks(stdin: impl AsFd, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let chunk = match when_ready(&stdin, PollFlags::IN, || rustix::io::read(&stdin, &mut buffer[..])) {
            Ok(0) => return,
            Ok(length) => Ok(Bytes::copy_from_slice(&buffer[..length])),
            Err(error) => Err(error.into()),
        };
        let is_last = chunk.is_err();
        if chunks.blocking_send(chunk).is_err() || is_last {
            return;
        }
    }
}

/// Writes until the sender is dropped or writing fails.
fn write_chunks(stdout: impl AsFd, mut chunks: mpsc::Receiver<Bytes>) {
    while let Some(mut chunk) = chunks.blocking_recv() {
        while !chunk.is_empty() {
            match when_ready(&stdout, PollFlags::OUT, || rustix::io::write(&stdout, &chunk)) {
                Ok(written) => drop(chunk.split_to(written)),
                Err(error) => return tracing::debug!(%error, "cannot write to stdout"),
            }
        }
    }
}

/// Calls `work`, and repeats it if a signal interrupted it, or when a non-blocking descriptor becomes ready.
fn when_ready<T>(fd: impl AsFd, ready: PollFlags, mut work: impl FnMut() -> Result<T, Errno>) -> Result<T, Errno> {
    loop {
        match work() {
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::new(&fd, ready)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            done => return done,
        }
    }
}

impl AsyncRead for ThreadReader {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ThreadWriter {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let broken_pipe = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.chunks.poll_reserve(cx)).map_err(broken_pipe)?;
        let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
        self.chunks.send_item(Bytes::copy_from_slice(chunk)).map_err(broken_pipe)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The thread writes each chunk as soon as it receives it.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.chunks.close();
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        os::unix::net::UnixStream,
        time::Duration,
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Longer than any test takes.
    const TEST_TIMEOUT: Duration = Duration::from_secs(60);

    /// A pair of sockets of which the first is non-blocking, as terminals can be too.
    fn nonblocking_pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets can be created");
        ours.set_nonblocking(true).expect("a socket can be non-blocking");
        (ours, theirs)
    }

    #[tokio::test]
    async fn a_nonblocking_description_is_read_to_its_end() {
        let (ours, mut theirs) = nonblocking_pair();
        let mut reader = ThreadReader::start(ours).expect("threads can be started");
        // Each byte is written after the previous one was read, so the thread often finds nothing to read.
        for _ in 0..200 {
            theirs.write_all(b"x").expect("the socket is open");
            assert_eq!(reader.read_u8().await.expect("a byte was written"), b'x');
        }
        let large = vec![b'y'; 10 * CHUNK_BYTES + 1];
        let (sent, mut read) = (large.clone(), Vec::new());
        let writing = thread::spawn(move || theirs.write_all(&sent));
        reader.read_to_end(&mut read).await.expect("a socket can be read");
        writing.join().expect("writing does not panic").expect("the socket is open");
        assert!(read == large, "{} bytes of {}", read.len(), large.len());
    }

    #[tokio::test]
    async fn a_nonblocking_description_gets_everything_before_the_end() {
        let (ours, mut theirs) = nonblocking_pair();
        let (mut writer, written) = ThreadWriter::start(ours).expect("threads can be started");
        // More than any socket holds at once.
        let large = vec![b'y'; 4 << 20];
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).map(|_| read)
        });
        writer.write_all(&large).await.expect("the socket is read");
        drop(writer);
        let _ = written.recv_timeout(TEST_TIMEOUT);
        let read = reading.join().expect("reading does not panic").expect("a socket can be read");
        assert!(read == large, "{} bytes of {}", read.len(), large.len());
    }

    #[tokio::test]
    async fn writing_without_a_reader_is_an_error() {
        let (ours, theirs) = nonblocking_pair();
        drop(theirs);
        let (mut writer, _written) = ThreadWriter::start(ours).expect("threads can be started");
        let mut written = Ok(());
        // The thread may accept the first chunks before it notices the closed end.
        for _ in 0..4 {
            written = written.and(writer.write_all(b"x").await);
        }
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
