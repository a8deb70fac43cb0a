//! Words for people on stdout and stderr.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use crate::visible::visible;

/// Prints a text, which may hold foreign words: nothing in it drives the terminal.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(visible(text).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// The same of a problem, on stderr.
pub(super) fn fail(problem: &str) -> ExitCode {
    let _ = writeln!(io::stderr(), "{}", visible(problem));
    ExitCode::FAILURE
}
