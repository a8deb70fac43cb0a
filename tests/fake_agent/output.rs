//! The fake agent's output: events on stdout, messages on stderr.

use std::{
    io::{self, Write},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Prints to stderr; it does not matter if the reader is gone.
pub(crate) fn print_error(text: &str) {
    let _ = writeln!(io::stderr(), "{text}");
}

/// A line without its line break, and the stream for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum OutputLine {
    Out(String),
    Err(String),
}

impl OutputLine {
    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        match self {
            OutputLine::Out(text) | OutputLine::Err(text) => text,
        }
    }
}

/// The stream of events of one run. Once closed, it prints nothing more.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    is_closed: Arc<Mutex<bool>>,
}

impl Output {
    pub(crate) fn lines(&self, lines: &[OutputLine]) -> io::Result<()> {
        let is_closed = self.lock();
        if *is_closed { Ok(()) } else { write_lines(lines) }
    }

    /// Prints bytes that need not be an event.
    pub(crate) fn bytes(&self, bytes: &[u8]) -> io::Result<()> {
        let is_closed = self.lock();
        if *is_closed { Ok(()) } else { write(bytes) }
    }

    /// Prints the last lines, unless the stream is already closed.
    pub(crate) fn close_with(&self, lines: &[OutputLine]) -> io::Result<()> {
        let mut is_closed = self.lock();
        if *is_closed {
            return Ok(());
        }
        *is_closed = true;
        write_lines(lines)
    }

    pub(crate) fn is_closed(&self) -> bool {
        *self.lock()
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.is_closed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_lines(lines: &[OutputLine]) -> io::Result<()> {
    for line in lines {
        match line {
            OutputLine::Out(text) => write(format!("{text}\n").as_bytes())?,
            OutputLine::Err(text) => print_error(text),
        }
    }
    Ok(())
}

fn write(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(bytes)?;
    stdout.flush()
}
