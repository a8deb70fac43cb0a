//! Input from a terminal and from other processes: typed bytes, and signals.

use std::io;

use rustix::{
    fs::{Mode, OFlags, open},
    process::Signal,
    termios::ttyname,
};
use tokio::{
    net::unix::pipe,
    signal::unix::{Signal as SignalStream, SignalKind, signal},
};

/// Why the terminal UI ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TopEnd {
    /// A person ended it.
    Quit,
    /// The terminal is gone.
    HungUp,
    /// SIGTERM.
    Terminated,
}

/// The terminal that stdin is, for reading without blocking.
#[derive(Debug)]
pub(super) struct Keyboard(pipe::Receiver);

impl Keyboard {
    /// Opens the terminal a second time. Stdin itself must stay blocking, because other programs share it. Must be called
    /// inside a runtime.
    pub(super) fn open() -> io::Result<Self> {
        let name = ttyname(io::stdin(), Vec::new())?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let terminal = open(&*name, flags, Mode::empty()).or_else(|_| open("/dev/tty", flags, Mode::empty()))?;
        pipe::Receiver::from_owned_fd_unchecked(terminal).map(Self)
    }

    /// Waits for typed bytes. Fails if the terminal is gone. Cancel-safe.
    pub(super) async fn read(&self, bytes: &mut [u8]) -> io::Result<usize> {
        loop {
            self.0.readable().await?;
            match self.0.try_read(bytes) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&error.kind()) => {}
                read => return read,
            }
        }
    }
}

/// A signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wake {
    /// The program has to end.
    End(TopEnd),
    /// The terminal has another size.
    Resized,
    /// The program was stopped, and the terminal may be in any state.
    Continued,
}

/// The signals that matter.
pub(super) struct Signals {
    hangup: SignalStream,
    terminate: SignalStream,
    interrupt: SignalStream,
    resize: SignalStream,
    pub(super) resume: SignalStream,
}

impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            resize: signal(SignalKind::window_change())?,
            resume: signal(SignalKind::from_raw(Signal::CONT.as_raw()))?,
        })
    }

    /// Waits for the next one.
    pub(super) async fn next(&mut self) -> Wake {
        tokio::select! {
            _ = self.interrupt.recv() => Wake::End(TopEnd::Quit),
            _ = self.resize.recv() => Wake::Resized,
            _ = self.resume.recv() => Wake::Continued,
            end = end_of(&mut self.hangup, &mut self.terminate) => Wake::End(end),
        }
    }

    /// Waits for a signal that ends the program even while a command runs.
    pub(super) async fn end(&mut self) -> TopEnd {
        end_of(&mut self.hangup, &mut self.terminate).await
    }
}

async fn end_of(hangup: &mut SignalStream, terminate: &mut SignalStream) -> TopEnd {
    tokio::select! {
        _ = hangup.recv() => TopEnd::HungUp,
        _ = terminate.recv() => TopEnd::Terminated,
    }
}
