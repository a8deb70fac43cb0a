//! `diff`: what a task changed.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    context::{Context, refused},
    exit::Exit,
    lists::resolve_here,
    output::{error_text, print_styled, print_text, stdout_writer, write_failed},
    pager::print_paged,
    task_paths::selection,
};
use crate::{
    broker::{Broker, DiffContent, TaskPatch},
    present::{
        json_output::Output,
        operations::PatchPart,
        terminal::{self, Screen},
    },
    store::ByteRange,
    task::TaskDiff,
};

/// Maximum length of a patch that is shown on a terminal or printed as JSON, in bytes.
const MAX_SHOWN_BYTES: u64 = 16 << 20;

const EXAMPLES: &str = "\
Examples:
  codex-connector diff 1a2b                    the patch
  codex-connector diff @1 src/parser.rs        only this file; or all files in a directory
  codex-connector diff @1 --stat               the changed files with the numbers of lines
  codex-connector diff 1a2b >changes.patch     for `git apply changes.patch`
  codex-connector diff @1 --json | jq -r '.files[].path'

It compares the files before and after the task, including uncommitted and untracked ones, but not those that git
ignores. While the task is running, it shows the changes so far. If the task worked in your files, changes that you made
in the meantime are included.

In a pipe, the patch is exact. The columns of --stat are: kind, added lines, removed lines, path, path before a
renaming.

Exit codes: 0 even if nothing changed, 4 if there is no such task, 5 if there are no snapshots of its files.";

/// The arguments of `diff`.
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
    /// List the changed files with the numbers of lines instead of the patch
    #[arg(long, conflicts_with = "name_only")]
    stat: bool,
    /// List only the paths of the changed files
    #[arg(long)]
    name_only: bool,
    /// Print directly, even if the text is longer than the terminal
    #[arg(long)]
    no_pager: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Prints what a task changed.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let fail = |refusal| refused(&broker, &refusal);
        let id = resolve_here(&broker, &arguments.id, arguments.all).await?;
        let lists_files = arguments.stat || arguments.name_only;
        let form = match (lists_files, arguments.json || screen.is_terminal()) {
            (true, _) => DiffContent::Files,
            (false, true) => DiffContent::ShownPatch,
            (false, false) => DiffContent::ExactPatch,
        };
        let (diff, patch) = broker.diff(&id, selection(arguments.paths.clone()), form).await.map_err(fail)?;
        if arguments.json {
            let part = patch.map(|patch| part_of(&broker, &diff, patch)).transpose()?;
            return Ok(print_text(&Output::diff(&diff, part.as_ref()).pretty()));
        }
        let exit = match patch {
            _ if arguments.name_only => print_styled(&terminal::diff_names(&diff)),
            Some(patch) if screen.is_terminal() => show(&broker, &diff, patch, screen, !arguments.no_pager)?,
            Some(mut patch) => match patch.copy_to(&mut stdout_writer()) {
                Ok(()) => Exit::Completed,
                Err(problem) => write_failed(&problem),
            },
            None => print_paged(&terminal::diff_stat(&diff, screen), screen, !arguments.no_pager),
        };
        terminal::diff_notes(&diff).iter().for_each(|note| error_text(note));
        Ok(exit)
    })
}

/// Shows a patch on a terminal.
fn show(broker: &Broker, diff: &TaskDiff, patch: TaskPatch, screen: Screen, wants_pager: bool) -> Result<Exit, Exit> {
    if patch.size() == 0 {
        return Ok(print_styled(&terminal::no_changes(screen)));
    }
    let part = part_of(broker, diff, patch)?;
    let exit = print_paged(&terminal::patch_lines(&part.text, screen), screen, wants_pager);
    if let Some(next) = part.next {
        error_text(&terminal::patch_is_cut(diff, next, part.size));
    }
    Ok(exit)
}

/// The beginning of a patch.
fn part_of(broker: &Broker, diff: &TaskDiff, mut patch: TaskPatch) -> Result<PatchPart, Exit> {
    let chunk = patch.chunk(ByteRange { offset: 0, length: MAX_SHOWN_BYTES });
    let chunk = chunk.map_err(|problem| refused(broker, &broker.patch_unreadable(&diff.id, &problem)))?;
    Ok(PatchPart { text: chunk.text, offset: 0, next: chunk.next, size: chunk.size })
}
