//! Diagnostic logs of servers and supervisors, for debugging. They never go to stdout, which belongs to the protocol.

use std::{
    fs::File,
    io::{self, Write},
    sync::Mutex,
};

use tracing::level_filters::LevelFilter;
use tracing_subscriber::{Layer, filter::Targets, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Logs to stderr, at `level`: `off`, `error`, `warn`, `info`, `debug` or `trace`.
///
/// See [`filter`] for the entries that are left out.
pub(crate) fn to_stderr(level: &str) {
    let filter = filter(level.parse().unwrap_or(LevelFilter::WARN));
    let to_stderr = fmt::layer().with_writer(std::io::stderr).with_ansi(false).with_filter(filter);
    // A second call, as in a program with several roles, has no effect.
    let _ = tracing_subscriber::registry().with(to_stderr).try_init();
}

/// The protocol library's log target.
const MCP_LIBRARY: &str = "rmcp";

/// The protocol library (rmcp 3.9.0) logs whole requests with their prompts, so below `trace` only its errors are
/// logged. The errors of its service are answers that could not be sent because the client disconnected. That is
/// normal, so they are logged only at `debug`.
fn filter(level: LevelFilter) -> Targets {
    let (rmcp, service) = match level {
        LevelFilter::TRACE => (level, level),
        LevelFilter::DEBUG => (LevelFilter::ERROR, LevelFilter::ERROR),
        _ => (level.min(LevelFilter::ERROR), LevelFilter::OFF),
    };
    Targets::new()
        .with_default(level)
        .with_target(MCP_LIBRARY, rmcp)
        .with_target(format!("{MCP_LIBRARY}::service"), service)
}

/// Maximum number of bytes that one process adds to a log file.
const MAX_LOG_BYTES: usize = 1 << 20;

/// Logs warnings, errors and panics to `file`, up to 1 MiB, because nobody reads a supervisor's stderr.
pub(crate) fn to_file(file: File) {
    let to_file = fmt::layer()
        .with_writer(Mutex::new(BoundedWriter { file, remaining_bytes: MAX_LOG_BYTES }))
        .with_ansi(false)
        .with_filter(LevelFilter::WARN);
    let _ = tracing_subscriber::registry().with(to_file).try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}

/// A file that accepts `remaining_bytes` more bytes. The first entry that does not fit and all later ones are dropped,
/// because the earliest entries usually explain the rest.
struct BoundedWriter<W> {
    file: W,
    remaining_bytes: usize,
}

impl<W: Write> Write for BoundedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if bytes.len() > self.remaining_bytes {
            self.remaining_bytes = 0;
            return Ok(bytes.len());
        }
        let count = self.file.write(bytes)?;
        self.remaining_bytes -= count;
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
    fn a_disconnecting_client_is_not_an_error_and_prompts_are_only_traced() {
        use tracing::Level;
        for (level, target, entry, is_logged) in [
            ("warn", "::service", Level::ERROR, false),
            ("debug", "::service", Level::ERROR, true),
            ("debug", "::service", Level::DEBUG, false),
            ("trace", "::service", Level::DEBUG, true),
            ("warn", "::transport::worker", Level::ERROR, true),
            ("debug", "::transport::worker", Level::WARN, false),
            ("off", "", Level::ERROR, false),
        ] {
            let filter = filter(level.parse().expect("a level"));
            let target = format!("{MCP_LIBRARY}{target}");
            assert_eq!(filter.would_enable(&target, &entry), is_logged, "{target} {entry} at {level}");
        }
    }

    #[test]
    fn a_full_log_keeps_its_beginning_and_never_fails() {
        let mut log = BoundedWriter { file: Vec::new(), remaining_bytes: 10 };
        for entry in [&b"first\n"[..], b"second\n", b"3\n"] {
            log.write_all(entry).expect("entries that do not fit are dropped");
        }
        assert_eq!(log.file, b"first\n");
    }
}
