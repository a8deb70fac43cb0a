//! The programs' own logs, for whoever looks into a fault. Never stdout, which belongs to the protocol.

use std::{fs::File, sync::Mutex};

use tracing_subscriber::EnvFilter;

/// Logs to stderr, at `level`: `off`, `error`, `warn`, `info`, `debug` or `trace`.
///
/// Below `trace` the protocol library is kept to errors: it logs whole requests, prompts included.
pub(crate) fn to_stderr(level: &str) {
    let filter = if level == "trace" { "trace".to_owned() } else { format!("{level},rmcp=error") };
    // A second call, as in a program that hosts several roles, changes nothing.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        .with_ansi(false)
        .try_init();
}

/// Logs warnings and errors, and panics, to `file`: a supervisor has no one to print to.
pub(crate) fn to_file(file: File) {
    let _ = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn"))
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .try_init();
    std::panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
}
