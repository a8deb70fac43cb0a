//! The binary as a list of parts.

use std::{path::PathBuf, process::ExitCode};

use connector_api::BackendKind;

use crate::{cli, registry::Registry};

/// A codex-connector with the backend kinds that it was given.
///
/// ```no_run
/// # use std::process::ExitCode;
/// fn main() -> ExitCode {
///     codex_connector::App::new().backend::<connector_codex::Codex>().main()
/// }
/// ```
#[derive(Debug, Default)]
pub struct App {
    registry: Registry,
    supervisor: Option<PathBuf>,
}

impl App {
    /// One without any backend.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind of backend.
    #[must_use]
    pub fn backend<K: BackendKind>(mut self) -> Self {
        self.registry.add::<K>();
        self
    }

    /// Runs `program` as supervisor of each task instead of this program itself. It is given the arguments
    /// `supervise <task-id> …` and has to hand them to an `App` with the same backends.
    #[must_use]
    pub fn supervisor_program(mut self, program: PathBuf) -> Self {
        self.supervisor = Some(program);
        self
    }

    /// Does what the command line says. In a supervisor, and in a server, this is the whole life of the process.
    pub fn main(self) -> ExitCode {
        cli::run(&self.registry, self.supervisor, std::env::args_os())
    }
}
