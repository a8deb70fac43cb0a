//! `man`: writes manual pages.

use std::{fs, path::PathBuf, process::ExitCode};

use clap::{Args, Command};

use super::output::refuse;
use crate::present::terminal_refusals;

const EXAMPLES: &str = "\
Examples:
  codex-connector man ~/.local/share/man/man1
  man codex-connector-ls";

/// The arguments of `man`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The directory for the pages, which is created if it does not exist
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Writes a page for the program and one for each verb.
pub(super) fn run(arguments: &Arguments, command: Command) -> ExitCode {
    let directory = &arguments.directory;
    let written = fs::create_dir_all(directory).and_then(|()| clap_mangen::generate_to(command, directory));
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => refuse(terminal_refusals::pages_not_written(directory, &error.to_string())),
    }
}
