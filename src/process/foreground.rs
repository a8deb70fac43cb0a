//! Runs a program in the foreground of the terminal.

use std::{ffi::OsString, io, path::Path, process::ExitStatus};

use tokio::process::Command;

/// Runs a program with this process's stdin, stdout and stderr, and waits for its end. Fails if it cannot be started.
///
/// If this is dropped before, the program continues.
pub async fn run_in_foreground(program: &Path, arguments: &[OsString]) -> io::Result<ExitStatus> {
    Command::new(program).args(arguments).spawn()?.wait().await
}
