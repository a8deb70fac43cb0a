//! `undo`: reverts what a task changed in the user's files.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    confirm::{Answer, can_confirm, confirm},
    context::Context,
    exit::Exit,
    lists::resolve_here,
    operation::{print_notes, print_result, report},
    output::refuse,
    task_paths::selection,
};
use crate::{
    broker::UndoRequest,
    present::{terminal, terminal_refusals},
    task::OperationKind,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector undo 1a2b
  codex-connector undo @1 src/parser.rs    only this file; or all files in a directory
  codex-connector undo @1 --all            also the files that the agent did not report changing
  codex-connector undo @1 --check          only print what it would do

It reverts what the task changed, and keeps what was changed since. If a file cannot be reverted without losing later
changes, nothing is written. Your index, commits, branches and stash are unchanged. A snapshot is taken first, and
`codex-connector redo` makes the changes again.

If the task worked in your files, only files that the agent reported changing are reverted, because you may have changed
the others. In a pipe, each line is `changed`, `would change` or `skipped`, a tab and a path.

Exit codes: 0 done, 4 no such task, 5 refused, 6 conflict: nothing was written.";

/// The arguments of `undo`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Only these files and directories
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Also revert files that the agent did not report changing; in other verbs, --all means --everywhere
    #[arg(long)]
    all: bool,
    /// Count @N in all repositories, not only in this one
    #[arg(long)]
    everywhere: bool,
    /// Refused, because it could mean both.
    #[arg(short = 'a', hide = true)]
    ambiguous: bool,
    /// Write nothing; only print which files would change and whether there are conflicts
    #[arg(long)]
    check: bool,
    /// Do not ask for confirmation on a terminal
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Reverts what a task changed.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    if arguments.ambiguous {
        refuse(terminal_refusals::ambiguous_undo());
        return Exit::Usage.into();
    }
    let screen = context.screen();
    context.run(async |broker| {
        let id = resolve_here(&broker, &arguments.id, arguments.everywhere).await?;
        let fail = |refusal| report(&broker, &id, OperationKind::Undo, &refusal, arguments.json);
        let request =
            UndoRequest { paths: selection(arguments.paths.clone()), all: arguments.all, check: arguments.check };
        if !arguments.check && !arguments.yes && can_confirm() {
            let planned = broker.undo(&id, UndoRequest { check: true, ..request.clone() }).await.map_err(fail)?;
            print_notes(&planned);
            let question = terminal::undo_question(&id, &planned);
            if !planned.files.is_empty() && confirm(&question) == Answer::No {
                return Ok(Exit::Refused);
            }
        }
        let result = broker.undo(&id, request).await.map_err(fail)?;
        Ok(print_result(&id, &result, screen, arguments.json))
    })
}
