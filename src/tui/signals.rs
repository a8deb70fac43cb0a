//! What a terminal and other processes tell this one: typed bytes, and signals.

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

    /// Waits for a signal that ends the program, or, with `None`, for one after which everything has to be drawn again.
    pub(super) async fn next(&mut self) -> Option<TopEnd> {
        tokio::select! {
            _ = self.hangup.recv() => Some(TopEnd::HungUp),
            _ = self.terminate.recv() => Some(TopEnd::Terminated),
            _ = self.interrupt.recv() => Some(TopEnd::Quit),
            _ = self.resize.recv() => None,
            _ = self.resume.recv() => None,
        }
    }

    /// Waits for a signal that ends the program.
    pub(super) async fn end(&mut self) -> TopEnd {
        tokio::select! {
            _ = self.hangup.recv() => TopEnd::HungUp,
            _ = self.terminate.recv() => TopEnd::Terminated,
        }
    }
}
