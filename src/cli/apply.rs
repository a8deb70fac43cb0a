//! `apply`: writes the changes of a task from its own worktree to the user's files.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    context::Context,
    lists::resolve_here,
    operation::{print_result, report},
    task_paths::selection,
};
use crate::{broker::ApplyRequest, task::OperationKind};

const EXAMPLES: &str = "\
Examples:
  codex-connector apply 1a2b
  codex-connector apply @1 src tests/parser.rs     only these files and directories
  codex-connector apply @1 --check                 only print what it would do
  codex-connector apply @1 --commit codex/parser   create a branch instead

It writes what a task changed in its own worktree to your files, merged with what you changed since. If both changed the
same lines, nothing is written. Your index, commits, existing branches and stash are unchanged. A snapshot is taken
first, and `codex-connector undo` reverts the changes.

With --commit, no file is written: a new branch gets one commit with the changes. In a pipe, each line is `changed`
(with --check: `would change`), a tab and a path.

Exit codes: 0 done, 4 no such task, 5 refused, 6 conflict: nothing was written.";

/// The arguments of `apply`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Only these files and directories
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long, visible_alias = "everywhere")]
    all: bool,
    /// Write nothing; only print which files would change and whether there are conflicts
    #[arg(long)]
    check: bool,
    /// Create this branch, with one commit that contains the changes, and leave the files as they are
    #[arg(long, value_name = "BRANCH")]
    commit: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Applies a task's changes.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let id = resolve_here(&broker, &arguments.id, arguments.all).await?;
        let fail = |refusal| report(&broker, &id, OperationKind::Apply, &refusal, arguments.json);
        let request = ApplyRequest {
            paths: selection(arguments.paths.clone()),
            check: arguments.check,
            branch: arguments.commit.clone(),
        };
        let result = broker.apply(&id, request).await.map_err(fail)?;
        Ok(print_result(&id, &result, screen, arguments.json))
    })
}
