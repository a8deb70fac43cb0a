//! `run`: starts a task, and follows it to its end.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;
use connector_api::BackendName;

use super::{context::Context, exit::Exit, follow::run_task, output::refuse, task_options::TaskOptions};
use crate::{broker::NewTask, present::terminal_refusals, task::TreeUse};

const EXAMPLES: &str = "\
Examples:
  codex-connector run fix the failing test in src/parser.rs
  codex-connector run --backend gemini --sandbox read-only -f review.md
  git diff | codex-connector run --timeout 10m review this
  codex-connector run --worktree rename Foo to Bar    in its own worktree, without touching your files
  task=$(codex-connector run --detach write the missing tests)

The prompt is TEXT, a blank line, and stdin if it is a file or a pipe with content. With the word `-` first or last, stdin
is always read to its end. In loops such as `while read`, add `</dev/null`, or stdin with the remaining lines is read.

On a terminal, it shows the agent's messages and current step. The result goes to stdout. The first Ctrl-C cancels the
task, and the second one leaves at once.

When the terminal is closed or the program is killed, the task ends as `tasks.on_server_exit` says. With --detach, it
keeps running in any case.

Exit codes: 0 completed, 1 failed, 2 usage, 3 interrupted, 5 refused, 130 cancelled with Ctrl-C.";

/// The arguments of `run`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The backend (default: `tasks.default_backend`)
    #[arg(short, long, value_name = "NAME")]
    backend: Option<String>,
    /// Work in this directory instead of the current one
    #[arg(short = 'C', long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Work in a new git worktree; `codex-connector apply` then writes the changes to your files
    #[arg(long, overrides_with = "no_worktree")]
    worktree: bool,
    /// Work in the directory itself, even if `workspace.tree` is "always"
    #[arg(long, overrides_with = "worktree")]
    no_worktree: bool,
    #[command(flatten)]
    options: TaskOptions,
}

/// Starts a task.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let new = || {
        let backend = arguments.backend.as_deref().map(|name| {
            BackendName::new(name).map_err(|_| {
                refuse(terminal_refusals::invalid_backend_name(name));
                Exit::Usage
            })
        });
        let backend = backend.transpose()?;
        let working_directory = absolute_directory(arguments.directory.clone());
        let worktree = match (arguments.worktree, arguments.no_worktree) {
            (true, _) => Some(TreeUse::Always),
            (false, true) => Some(TreeUse::Never),
            (false, false) => None,
        };
        Ok::<_, Exit>(NewTask { backend, working_directory, worktree, ..arguments.options.task()? })
    };
    match new() {
        Ok(task) => {
            context.run_strictly(async |broker| run_task(context, &broker, task, arguments.options.mode()).await)
        }
        Err(exit) => exit.into(),
    }
}

/// The directory, or the current one. A relative path starts at the current directory.
fn absolute_directory(given: Option<PathBuf>) -> PathBuf {
    let given = given.unwrap_or_else(|| ".".into());
    if given.starts_with("~") || given.as_os_str().as_encoded_bytes().starts_with(b"file:") {
        return given;
    }
    std::path::absolute(&given).unwrap_or(given)
}
