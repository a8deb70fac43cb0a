//! A server's stdin and stdout as byte streams. This module does not know the protocol.
//!
//! The runtime polls [`pipes`], which Python and shell clients use. [`threads`] read and write sockets (from Node and
//! Bun, and so from Claude Code), terminals and files: polling would require `O_NONBLOCK`, which also affects every
//! other process that shares the socket.

mod input;
mod pipes;
mod threads;

use std::{
    io,
    os::fd::AsFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::Receiver,
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::unix::pipe,
};

pub(crate) use input::InputReader;
use threads::{ThreadReader, ThreadWriter};

/// The bytes read from stdin.
#[derive(Debug)]
pub(crate) struct Stdin {
    source: Source,
    failed: Arc<AtomicBool>,
}

#[derive(Debug)]
enum Source {
    Pipe(pipe::Receiver),
    Thread(ThreadReader),
}

/// The bytes to write to stdout.
#[derive(Debug)]
pub(crate) struct Stdout(Sink);

#[derive(Debug)]
enum Sink {
    Pipe(pipe::Sender),
    Thread(ThreadWriter),
}

/// The state of both streams, for the shutdown of the server.
#[derive(Debug)]
pub(crate) struct StdioStatus {
    failed: Arc<AtomicBool>,
    /// Disconnected when the writer thread ends. `None` if there is no such thread.
    written: Option<Receiver<()>>,
}

impl StdioStatus {
    /// Whether reading stdin failed, as opposed to reaching its end.
    pub(crate) fn stdin_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    /// Waits until everything is written, but at most for `time_limit`. Drop [`Stdout`] before.
    pub(crate) fn drain(&self, time_limit: Duration) {
        if let Some(written) = &self.written {
            // Nothing is ever sent on this channel. It is disconnected when the thread ends.
            let _ = written.recv_timeout(time_limit);
        }
    }
}

/// Opens stdin and stdout. Call it inside a runtime. Fails if a thread is needed and cannot be started.
pub(crate) fn open() -> io::Result<(Stdin, Stdout, StdioStatus)> {
    over(rustix::stdio::stdin(), rustix::stdio::stdout())
}

fn over(
    stdin: impl AsFd + Send + 'static,
    stdout: impl AsFd + Send + 'static,
) -> io::Result<(Stdin, Stdout, StdioStatus)> {
    let source = match pipes::receiver(&stdin) {
        Some(pipe) => Source::Pipe(pipe),
        None => Source::Thread(ThreadReader::start(stdin)?),
    };
    let (sink, written) = match pipes::sender(&stdout) {
        Some(pipe) => (Sink::Pipe(pipe), None),
        None => {
            let (writer, written) = ThreadWriter::start(stdout)?;
            (Sink::Thread(writer), Some(written))
        }
    };
    let failed = Arc::<AtomicBool>::default();
    Ok((Stdin { source, failed: Arc::clone(&failed) }, Stdout(sink), StdioStatus { failed, written }))
}

impl AsyncRead for Stdin {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = ready!(match &mut self.source {
            Source::Pipe(pipe) => Pin::new(pipe).poll_read(cx, buf),
            Source::Thread(reader) => Pin::new(reader).poll_read(cx, buf),
        });
        if let Err(error) = &read {
            tracing::error!(%error, "stdin cannot be read");
            self.failed.store(true, Ordering::Relaxed);
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for Stdout {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_write(cx, bytes),
            Sink::Thread(writer) => Pin::new(writer).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_flush(cx),
            Sink::Thread(writer) => Pin::new(writer).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Sink::Pipe(pipe) => Pin::new(pipe).poll_shutdown(cx),
            Sink::Thread(writer) => Pin::new(writer).poll_shutdown(cx),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Read, Write, pipe},
        os::{
            fd::{AsRawFd, OwnedFd},
            unix::net::UnixStream,
        },
        thread,
    };

    use rustix::fs::{CWD, FileType, Mode, OFlags, fcntl_getfl, mknodat};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        time::timeout,
    };

    use super::*;

    /// Longer than any test takes.
    const TEST_TIMEOUT: Duration = Duration::from_secs(60);

    fn dev_null() -> File {
        File::options().read(true).write(true).open("/dev/null").expect("/dev/null exists")
    }

    /// Pairs of the end that the server reads and the client's end: an anonymous pipe, and sockets, which some parents
    /// make non-blocking.
    fn readable_ends() -> [(OwnedFd, Box<dyn Write + Send>); 2] {
        let ((ours, theirs), (socket, other)) = (pipe().expect("pipes can be created"), sockets());
        [(ours.into(), Box::new(theirs)), (socket.into(), Box::new(other))]
    }

    /// The same for the end that the server writes to.
    fn writable_ends() -> [(OwnedFd, Box<dyn Read + Send>); 2] {
        let ((theirs, ours), (socket, other)) = (pipe().expect("pipes can be created"), sockets());
        [(ours.into(), Box::new(theirs)), (socket.into(), Box::new(other))]
    }

    fn sockets() -> (UnixStream, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("sockets can be created");
        ours.set_nonblocking(true).expect("a socket can be non-blocking");
        (ours, theirs)
    }

    /// More than any pipe or socket holds at once.
    fn large() -> Vec<u8> {
        vec![b'y'; (4 << 20) + 1]
    }

    #[tokio::test]
    async fn pipes_and_sockets_are_read_to_their_end() {
        for (ours, mut theirs) in readable_ends() {
            let (mut stdin, _stdout, status) = over(ours, dev_null()).expect("threads can be started");
            // Each byte is written after the previous one was read, so the reader often finds nothing to read.
            for _ in 0..200 {
                theirs.write_all(b"x").expect("the descriptor is open");
                assert_eq!(stdin.read_u8().await.expect("a byte was written"), b'x');
            }
            let mut read = Vec::new();
            let writing = thread::spawn(move || theirs.write_all(&large()));
            stdin.read_to_end(&mut read).await.expect("the stream can be read");
            writing.join().expect("writing does not panic").expect("the descriptor is open");
            assert!(read == large(), "{} bytes", read.len());
            assert!(!status.stdin_failed());
        }
    }

    #[tokio::test]
    async fn pipes_and_sockets_get_everything_before_the_end() {
        for (ours, mut theirs) in writable_ends() {
            let (_stdin, mut stdout, status) =
                over(dev_null(), ours.try_clone().expect("the descriptor is open")).expect("threads can be started");
            let reading = thread::spawn(move || {
                let mut read = Vec::new();
                theirs.read_to_end(&mut read).map(|_| read)
            });
            stdout.write_all(&large()).await.expect("the other end reads");
            drop((stdout, ours));
            status.drain(TEST_TIMEOUT);
            let read = reading.join().expect("reading does not panic").expect("the stream can be read");
            assert!(read == large(), "{} bytes", read.len());
        }
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn pipes_are_polled_and_everything_else_uses_threads() {
        let (pipe_in, _in) = pipe().expect("pipes can be created");
        let (_out, pipe_out) = pipe().expect("pipes can be created");
        let (stdin, stdout, _status) = over(pipe_in, pipe_out).expect("pipes can be reopened");
        assert!(matches!((&stdin.source, &stdout.0), (Source::Pipe(_), Sink::Pipe(_))), "{stdin:?} {stdout:?}");
        let (socket, _peer) = UnixStream::pair().expect("sockets can be created");
        let (stdin, stdout, _status) =
            over(socket.try_clone().expect("the descriptor is open"), socket).expect("threads can be started");
        assert!(matches!((&stdin.source, &stdout.0), (Source::Thread(_), Sink::Thread(_))), "{stdin:?} {stdout:?}");
    }

    #[tokio::test]
    async fn writing_without_a_reader_is_an_error() {
        for (ours, theirs) in writable_ends() {
            drop(theirs);
            let (_stdin, mut stdout, _) = over(dev_null(), ours).expect("threads can be started");
            let mut written = Ok(());
            // A thread may accept the first writes before it notices the closed end.
            for _ in 0..4 {
                written = written.and(stdout.write_all(b"x").await);
            }
            assert_eq!(written.map_err(|error| error.kind()), Err(io::ErrorKind::BrokenPipe));
        }
    }

    #[tokio::test]
    async fn shared_file_descriptions_keep_their_flags() {
        let (ours_in, _in) = pipe().expect("pipes can be created");
        let (_out, ours_out) = UnixStream::pair().expect("sockets can be created");
        let (_stdin, mut stdout, _status) = over(
            ours_in.try_clone().expect("the descriptor is open"),
            ours_out.try_clone().expect("the descriptor is open"),
        )
        .expect("threads can be started");
        stdout.write_all(b"x").await.expect("the buffer has room");
        for fd in [OwnedFd::from(ours_in), OwnedFd::from(ours_out)] {
            assert!(
                !fcntl_getfl(&fd).expect("the descriptor is open").contains(OFlags::NONBLOCK),
                "{}",
                fd.as_raw_fd()
            );
        }
    }

    /// If it were reopened, its end would never be reported.
    #[tokio::test]
    async fn a_named_pipe_whose_writer_has_gone_is_read_to_its_end() {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let path = dir.path().join("requests");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a named pipe can be created");
        let both = File::options().read(true).write(true).open(&path).expect("opening both ends at once never blocks");
        let ours = File::open(&path).expect("the pipe has a writer");
        (&both).write_all(b"xyz").expect("the buffer has room");
        drop(both);
        let (mut stdin, _stdout, _status) = over(ours, dev_null()).expect("threads can be started");
        let mut read = Vec::new();
        timeout(TEST_TIMEOUT, stdin.read_to_end(&mut read))
            .await
            .expect("the end is reported")
            .expect("the pipe can be read");
        assert_eq!(read, b"xyz");
    }

    #[tokio::test]
    async fn a_stdin_error_is_not_end_of_file() {
        let directory = File::open("/").expect("the root directory exists");
        let (mut stdin, _stdout, status) = over(directory, dev_null()).expect("threads can be started");
        stdin.read_u8().await.expect_err("a directory cannot be read");
        assert!(status.stdin_failed());
    }
}
