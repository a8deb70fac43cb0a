//! `prune`: removes old tasks with all their files.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};

use super::{
    confirm::{Answer, confirm},
    context::{Context, refused, repository, scope},
    exit::Exit,
    lists::with_lists,
    output::{is_stdout_closed, print_styled, print_text, refuse},
    rm::{TASKS_PER_PAGE, question, remove, say_what_is_lost},
    time::since,
};
use crate::{
    broker::{Broker, PruneRules, Refusal},
    present::{
        json_output::Output,
        terminal::{self, Screen},
        terminal_refusals,
    },
    task::TaskId,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector prune --older-than 30d --dry-run   list what would be removed
  codex-connector prune --older-than 30d             ask, and remove it
  codex-connector prune --keep 100 --all --yes       keep the newest 100 tasks of all repositories

Running tasks are never removed. With both --older-than and --keep, a task is removed only if neither keeps it. To remove
old tasks regularly, set [retention] in config.toml.";

/// The arguments of `prune`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, group = ArgGroup::new("rules").required(true).multiple(true))]
pub(super) struct Arguments {
    /// Remove tasks that ended longer ago than this, e.g. 12h or 30d, or before a time such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = since, group = "rules")]
    older_than: Option<DateTime<Utc>>,
    /// Keep this many tasks, those that ended last
    #[arg(long, value_name = "NUMBER", group = "rules")]
    keep: Option<usize>,
    /// Remove tasks of all repositories, not only of this one
    #[arg(short, long)]
    all: bool,
    /// Only list the tasks that would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Do not ask for confirmation; required if this is not a terminal
    #[arg(short, long)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Removes old tasks.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run_strictly(async |broker| {
        let repository = repository(arguments.all)?;
        let fail = |refusal| refused(&broker, &refusal);
        let rules = PruneRules { ended_before: arguments.older_than, keep: arguments.keep };
        if !arguments.dry_run {
            broker.finish_removals().await.map_err(fail)?;
        }
        let repository = scope(repository.as_deref()).repository;
        let found = with_lists(&broker, async || broker.prunable(repository.as_deref(), rules).await).await;
        let ids = found.map_err(fail)?;
        if arguments.dry_run {
            say_what_is_lost(&broker, &ids).await.map_err(fail)?;
            return match arguments.json {
                true => Ok(print_text(&Output::removed(&ids, true).pretty())),
                false if ids.is_empty() => Ok(print_styled(&terminal::nothing_to_remove(screen))),
                false => print_tasks(&broker, &ids, screen).await.map_err(fail),
            };
        }
        if ids.is_empty() && !arguments.json {
            return Ok(print_styled(&terminal::nothing_to_remove(screen)));
        }
        if arguments.yes {
            say_what_is_lost(&broker, &ids).await.map_err(fail)?;
        } else if !ids.is_empty() {
            match confirm(&question(&broker, &ids, screen).await.map_err(fail)?) {
                Answer::Yes => {}
                Answer::No => return Ok(Exit::Refused),
                Answer::Unasked => {
                    refuse(terminal_refusals::unconfirmed());
                    return Ok(Exit::Usage);
                }
            }
        }
        remove(&broker, Vec::new(), &ids, arguments.json).await.map_err(fail)
    })
}

/// Prints the tasks like `ls`. Holds one page of them at a time.
async fn print_tasks(broker: &Broker, ids: &[TaskId], screen: Screen) -> Result<Exit, Refusal> {
    for (number, page) in ids.chunks(TASKS_PER_PAGE).enumerate() {
        let tasks = broker.summaries(page).await?;
        let list = terminal::task_list(&tasks, screen, Utc::now());
        // The headings are printed once.
        let rows =
            if number > 0 && screen.is_terminal() { list.split_once('\n').map_or("", |(_, rows)| rows) } else { &list };
        let printed = print_styled(rows);
        if printed != Exit::Completed || is_stdout_closed() {
            return Ok(printed);
        }
    }
    Ok(Exit::Completed)
}
