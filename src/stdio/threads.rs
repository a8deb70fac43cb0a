//! stdin and stdout on a thread each, for everything that the runtime cannot poll: sockets, named pipes, files and terminals.
//!
//! The threads exist before the first request, so that a user whose process limit is full still gets answers: neither
//! reading nor writing needs a new thread, nor does it keep one of the runtime's from other work.
//!
//! ```text
//! fd 0 ── read ──▶ channel of 1 chunk ──▶ ThreadReader ──▶ rmcp ──▶ ThreadWriter ──▶ channel of 1 chunk ── write ──▶ fd 1
//! ```
//!
//! The channels are short, so that a side that is not read stops the other.
//!
//! A file description can be non-blocking because someone who shares it made it so. The flag is left alone, as it is not
//! ours; the threads wait until they can go on.

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

/// The most that is read or written at once, in bytes.
const CHUNK_BYTES: usize = 16 << 10;

/// The threads need no more: they call the operating system and nothing else.
const THREAD_STACK_BYTES: usize = 128 << 10;

/// Bytes read by a thread.
#[derive(Debug)]
pub(super) struct ThreadReader {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
}

/// Bytes to be written by a thread, which ends when this is dropped and everything is written.
#[derive(Debug)]
pub(super) struct ThreadWriter {
    chunks: PollSender<Bytes>,
}

impl ThreadReader {
    /// Starts the thread that reads `fd`. Fails when there is no room for another thread.
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
    /// Starts the thread that writes to `fd`, and returns a receiver that is disconnected when it ends. Fails when there is
    /// no room for another thread.
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

/// Reads until the end, an error, or until nobody wants any more.
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

/// Writes until there is no more, or nobody reads.
fn write_chunks(stdout: impl AsFd, mut chunks: mpsc::Receiver<Bytes>) {
    while let Some(mut chunk) = chunks.blocking_recv() {
        while !chunk.is_empty() {
            match when_ready(&stdout, PollFlags::OUT, || rustix::io::write(&stdout, &chunk)) {
                Ok(written) => drop(chunk.split_to(written)),
                Err(error) => return tracing::debug!(%error, "stdout cannot be written to"),
            }
        }
    }
}

/// Does `work`, again where a signal interrupted it, and on a non-blocking descriptor once it is ready.
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
        let nobody_reads = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.chunks.poll_reserve(cx)).map_err(nobody_reads)?;
        let chunk = &bytes[..bytes.len().min(CHUNK_BYTES)];
        self.chunks.send_item(Bytes::copy_from_slice(chunk)).map_err(nobody_reads)?;
        Poll::Ready(Ok(chunk.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // The thread writes whatever it has as soon as it can.
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

    /// Two sockets of which ours is non-blocking: a terminal can be, too.
    fn nonblocking_pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets can be made");
        ours.set_nonblocking(true).expect("a socket can be non-blocking");
        (ours, theirs)
    }

    #[tokio::test]
    async fn a_nonblocking_description_is_read_to_its_end() {
        let (ours, mut theirs) = nonblocking_pair();
        let mut reader = ThreadReader::start(ours).expect("threads can be made");
        // Each byte is written when the one before was read: the thread finds nothing there again and again.
        for _ in 0..200 {
            theirs.write_all(b"x").expect("the socket is open");
            assert_eq!(reader.read_u8().await.expect("it is there"), b'x');
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
        let (mut writer, written) = ThreadWriter::start(ours).expect("threads can be made");
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
        let (mut writer, _written) = ThreadWriter::start(ours).expect("threads can be made");
        let mut written = Ok(());
        // The first chunks may have been taken before the thread noticed.
        for _ in 0..4 {
            written = written.and(writer.write_all(b"x").await);
        }
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
