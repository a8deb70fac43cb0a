//! stdin and stdout of the server, each on a thread of its own.
//!
//! Whatever is on the other side, a pipe, a socket (as Node gives its children), a terminal or a file, is read and
//! written in the same way. The threads exist before the first request, so that a user whose process limit is full still
//! gets answers: neither reading nor writing needs a new thread, nor does it keep one of the runtime's from other work.
//!
//! ```text
//! fd 0 ── read ──▶ channel of 1 chunk ──▶ Stdin ──▶ rmcp ──▶ Stdout ──▶ channel of 1 chunk ── write ──▶ fd 1
//! ```
//!
//! The channels are short, so that a side that is not read stops the other: see [`pacing`].
//!
//! A file description can be non-blocking because someone who shares it made it so. The flag is left alone, as it is not
//! ours; the threads wait until they can go on.

pub(super) mod pacing;

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, channel},
    },
    task::{Context, Poll, ready},
    thread,
    time::Duration,
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
const CHUNK: usize = 16 << 10;

/// The threads need no more: they call the operating system and nothing else.
const STACK: usize = 128 << 10;

/// The bytes read from stdin.
#[derive(Debug)]
pub(super) struct Stdin {
    chunks: mpsc::Receiver<io::Result<Bytes>>,
    rest: Bytes,
    failed: Arc<AtomicBool>,
}

/// The bytes to write to stdout. Its thread ends when this is dropped and everything is written.
#[derive(Debug)]
pub(super) struct Stdout {
    chunks: PollSender<Bytes>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ending {
    failed: Arc<AtomicBool>,
    written: Receiver<()>,
}

impl Ending {
    /// Whether stdin could not be read any more, which is not the same as its end.
    pub(super) fn stdin_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, for at most `patience`. [`Stdout`] has been dropped.
    pub(super) fn drain(&self, patience: Duration) {
        // Nothing is ever sent: this waits for the end of the thread.
        let _ = self.written.recv_timeout(patience);
    }
}

/// Starts both threads. Fails when there is no room for another thread.
pub(super) fn open() -> io::Result<(Stdin, Stdout, Ending)> {
    over(rustix::stdio::stdin(), rustix::stdio::stdout())
}

fn over(stdin: impl AsFd + Send + 'static, stdout: impl AsFd + Send + 'static) -> io::Result<(Stdin, Stdout, Ending)> {
    let (read, chunks_read) = mpsc::channel(1);
    let (to_write, chunks_to_write) = mpsc::channel(1);
    let (writing, written) = channel();
    let thread = |name: &str| thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    thread("stdin").spawn(move || read_chunks(stdin, &read))?;
    thread("stdout").spawn(move || {
        write_chunks(stdout, chunks_to_write);
        drop(writing);
    })?;
    let failed = Arc::<AtomicBool>::default();
    let stdin = Stdin { chunks: chunks_read, rest: Bytes::new(), failed: Arc::clone(&failed) };
    Ok((stdin, Stdout { chunks: PollSender::new(to_write) }, Ending { failed, written }))
}

/// Reads until the end, an error, or until nobody wants any more.
fn read_chunks(stdin: impl AsFd, chunks: &mpsc::Sender<io::Result<Bytes>>) {
    let mut buffer = vec![0; CHUNK];
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

impl AsyncRead for Stdin {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.rest.is_empty() {
            match ready!(self.chunks.poll_recv(cx)) {
                Some(Ok(chunk)) => self.rest = chunk,
                Some(Err(error)) => {
                    tracing::error!(%error, "stdin cannot be read");
                    self.failed.store(true, Ordering::Relaxed);
                    return Poll::Ready(Err(error));
                }
                None => return Poll::Ready(Ok(())),
            }
        }
        let length = self.rest.len().min(buf.remaining());
        buf.put_slice(&self.rest.split_to(length));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let nobody_reads = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        ready!(self.chunks.poll_reserve(cx)).map_err(nobody_reads)?;
        let chunk = &bytes[..bytes.len().min(CHUNK)];
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
        fs::File,
        io::{Read, Write},
        os::unix::net::UnixStream,
    };

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// Longer than any test takes.
    const GENEROUS: Duration = Duration::from_secs(60);

    /// Two sockets of which ours is non-blocking, as some parents leave it.
    fn nonblocking_pair() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets can be made");
        ours.set_nonblocking(true).expect("a socket can be non-blocking");
        (ours, theirs)
    }

    #[tokio::test]
    async fn a_nonblocking_socket_is_read_to_its_end() {
        let (ours, mut theirs) = nonblocking_pair();
        let nowhere = File::create("/dev/null").expect("it is there");
        let (mut stdin, _stdout, ending) = over(ours, nowhere).expect("threads can be made");
        // Each byte is written when the one before was read: the thread finds nothing there again and again.
        for _ in 0..200 {
            theirs.write_all(b"x").expect("the socket is open");
            assert_eq!(stdin.read_u8().await.expect("it is there"), b'x');
        }
        let large = vec![b'y'; 10 * CHUNK + 1];
        let (sent, mut read) = (large.clone(), Vec::new());
        let writing = thread::spawn(move || theirs.write_all(&sent));
        stdin.read_to_end(&mut read).await.expect("a socket can be read");
        writing.join().expect("writing does not panic").expect("the socket is open");
        assert!(read == large, "{} bytes of {}", read.len(), large.len());
        assert!(!ending.stdin_failed());
    }

    #[tokio::test]
    async fn an_error_of_stdin_is_not_its_end() {
        let directory = File::open("/").expect("it is there");
        let (mut stdin, _stdout, ending) =
            over(directory, File::create("/dev/null").expect("it is there")).expect("threads can be made");
        stdin.read_u8().await.expect_err("a directory cannot be read");
        assert!(ending.stdin_failed());
    }

    #[tokio::test]
    async fn a_nonblocking_socket_gets_everything_before_the_end() {
        let (ours, mut theirs) = nonblocking_pair();
        let (_stdin, mut stdout, ending) =
            over(File::open("/dev/null").expect("it is there"), ours).expect("threads can be made");
        // More than any socket holds at once.
        let large = vec![b'y'; 4 << 20];
        let reading = thread::spawn(move || {
            let mut read = Vec::new();
            theirs.read_to_end(&mut read).map(|_| read)
        });
        stdout.write_all(&large).await.expect("the socket is read");
        drop(stdout);
        ending.drain(GENEROUS);
        let read = reading.join().expect("reading does not panic").expect("a socket can be read");
        assert!(read == large, "{} bytes of {}", read.len(), large.len());
    }

    #[tokio::test]
    async fn writing_to_nobody_is_an_error() {
        let (ours, theirs) = nonblocking_pair();
        drop(theirs);
        let (_stdin, mut stdout, _) =
            over(File::open("/dev/null").expect("it is there"), ours).expect("threads can be made");
        let mut written = Ok(());
        // The first chunks may have been taken before the thread noticed.
        for _ in 0..4 {
            written = written.and(stdout.write_all(b"x").await);
        }
        assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
    }
}
