//! `redo`: makes the changes again that an undo reverted.

use std::process::ExitCode;

use clap::Args;

use super::{
    context::Context,
    lists::resolve_here,
    operation::{print_result, report},
};
use crate::task::OperationKind;

const EXAMPLES: &str = "\
Examples:
  codex-connector redo 1a2b
  codex-connector redo @1 --check    only print what it would do

It makes the changes again that `codex-connector undo` reverted, and keeps what was changed since. In a pipe, each line is
`changed`, a tab and a path.

Exit codes: 0 done, 4 no such task, 5 refused, 6 conflict: nothing was written.";

/// The arguments of `redo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long, visible_alias = "everywhere")]
    all: bool,
    /// Write nothing; only print which files would change and whether there are conflicts
    #[arg(long)]
    check: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Makes a task's changes again.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let id = resolve_here(&broker, &arguments.id, arguments.all).await?;
        let fail = |refusal| report(&broker, &id, OperationKind::Redo, &refusal, arguments.json);
        let result = broker.redo(&id, arguments.check).await.map_err(fail)?;
        Ok(print_result(&id, &result, screen, arguments.json))
    })
}
