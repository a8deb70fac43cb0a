//! The programs' own logs, for whoever looks into a fault. Never stdout, which belongs to the protocol.

use std::{
    fs::File,
    io::{self, Write},
    sync::Mutex,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Logs to stderr, at `level`: `off`, `error`, `warn`, `info`, `debug` or `trace`.
///
/// Below `trace` the protocol library is kept to errors: it logs whole requests, prompts included.
pub(crate) fn to_stderr(level: &str) {
    let level = level.parse().unwrap_or(LevelFilter::WARN);
    let rmcp = if level == LevelFilter::TRACE { level } else { level.min(LevelFilter::ERROR) };
    let filter = Targets::new().with_default(level).with_target("rmcp", rmcp);
    let to_stderr = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(filter);
    // A second call, as in a program that hosts several roles, changes nothing.
    let _ = tracing_subscriber::registry().with(to_stderr).try_init();
}

/// Upper bound on what one process adds to a log file, in bytes.
const LONGEST: usize = 1 << 20;

/// Logs warnings and errors, and panics, to `file`, up to 1 MiB: a supervisor has no one to print to.
pub(crate) fn to_file(file: File) {
    let to_file = fmt::layer()
        .with_writer(Mutex::new(Bounded { file, room: LONGEST }))
        .with_ansi(false)
        .with_filter(LevelFilter::WARN);
    let _ = tracing_subscriber::registry().with(to_file).try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// A file that takes so many bytes more. The entry that does not fit and all that follow are dropped: what came first is
/// what explains the rest.
struct Bounded<W> {
    file: W,
    room: usize,
}

impl<W: Write> Write for Bounded<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.room {
            self.room = 0;
            return Ok(bytes.len());
        }
        let count = self.file.write(bytes)?;
        self.room -= count;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_keeps_its_beginning_and_never_an_error() {
        let mut log = Bounded { file: Vec::new(), room: 10 };
        for entry in [&b"first\n"[..], b"second\n", b"3\n"] {
            log.write_all(entry).expect("what does not fit is dropped");
        }
        assert_eq!(log.file, b"first\n");
    }
}
