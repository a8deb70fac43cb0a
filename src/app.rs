//! The library's entry point: a binary is an [`App`] with a list of backend kinds.

use std::{path::PathBuf, process::ExitCode};

use connector_api::BackendKind;

use crate::{cli, registry::Registry};

/// A codex-connector with the backend kinds that were added to it.
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
    /// An app without any backend kinds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a backend kind.
    #[must_use]
    pub fn backend<K: BackendKind>(mut self) -> Self {
        self.registry.add::<K>();
        self
    }

    /// Runs `program` as the supervisor of each task, instead of this program itself. It receives the arguments
    /// `supervise <task-id> …` and must pass them to an `App` with the same backends.
    #[must_use]
    pub fn supervisor_program(mut self, program: PathBuf) -> Self {
        self.supervisor = Some(program);
        self
    }

    /// Runs the command line of this process and returns its exit code. A server or a supervisor runs until it has
    /// nothing left to do.
    pub fn main(self) -> ExitCode {
        cli::run_role(&self.registry, self.supervisor, std::env::args_os())
    }
}
