//! Runs a person's pager.

use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
};

use tokio::signal::unix::{SignalKind, signal};

/// Passes a text to a pager, and waits until the person quits it. Fails if the pager cannot be started.
/// Must be called inside a runtime.
pub fn page(program: &str, arguments: &[String], text: &str) -> io::Result<()> {
    // Ctrl-C is for the pager. The handler remains after its stream is dropped, and children do not inherit it.
    let _ = signal(SignalKind::interrupt());
    let mut child = Command::new(program)
        .args(arguments)
        // With these, a plain `less` also shows colors and quits if the text fits.
        .env("LESS", env::var_os("LESS").unwrap_or_else(|| "FRX".into()))
        .stdin(Stdio::piped())
        .spawn()?;
    if let Some(mut input) = child.stdin.take() {
        // The person may quit before the pager has read everything.
        let _ = input.write_all(text.as_bytes());
    }
    child.wait().map(drop)
}
