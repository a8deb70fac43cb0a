//! `rm`: removes ended tasks with all their files.

use std::process::ExitCode;

use clap::Args;

use super::{
    confirm::{Answer, confirm},
    context::{Context, refused, repository, scope},
    exit::Exit,
    output::{print_styled, print_text},
    unfinished::resolve_all,
};
use crate::{
    broker::{Broker, Refusal},
    present::{json_output::Output, terminal},
    task::TaskId,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector rm 1a2b 3c4d
  codex-connector rm @1 --yes     without confirmation

To remove old tasks, see `codex-connector prune --help`.";

/// The arguments of `rm`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The tasks: the beginnings of their IDs, or @1 for the newest one
    #[arg(value_name = "ID", required = true)]
    ids: Vec<String>,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    /// Do not ask for confirmation on a terminal
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Removes tasks. If one of them cannot be removed, none is.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run_strictly(async |broker| {
        let repository = repository(arguments.all)?;
        let fail = |refusal| refused(&broker, &refusal);
        let ids = resolve_all(&broker, &arguments.ids, &scope(repository.as_deref())).await?;
        broker.check_removable(&ids).await.map_err(fail)?;
        if !arguments.yes {
            let mut tasks = Vec::new();
            for id in &ids {
                tasks.push(broker.summary(id).await.map_err(fail)?);
            }
            if confirm(&terminal::removal_question(&tasks, screen)) == Answer::No {
                return Ok(Exit::Refused);
            }
        }
        remove(&broker, &ids, arguments.json).await.map_err(fail)
    })
}

/// Removes tasks, and prints the ID of each.
pub(super) async fn remove(broker: &Broker, ids: &[TaskId], as_json: bool) -> Result<Exit, Refusal> {
    let mut removed = Vec::new();
    let done = broker
        .remove(ids, |id| {
            if !as_json {
                print_styled(&terminal::id_line(id));
            }
            removed.push(id.clone());
        })
        .await;
    if as_json {
        print_text(&Output::removed(&removed, false).pretty());
    }
    done.map(|()| Exit::Completed)
}
