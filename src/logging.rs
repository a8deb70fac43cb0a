//! The programs' own logs, for whoever looks into a fault. Never stdout, which belongs to the protocol.

use std::{fs::File, sync::Mutex};

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

/// Logs warnings and errors, and panics, to `file`: a supervisor has no one to print to.
pub(crate) fn to_file(file: File) {
    let to_file = fmt::layer().with_writer(Mutex::new(file)).with_ansi(false).with_filter(LevelFilter::WARN);
    let _ = tracing_subscriber::registry().with(to_file).try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
