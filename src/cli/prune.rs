//! `prune`: removes old tasks with all their files.

use std::process::ExitCode;

use chrono::{DateTime, Utc};
use clap::{ArgGroup, Args};

use super::{
    confirm::{Answer, confirm},
    context::{Context, refused, repository, scope},
    exit::Exit,
    output::{print_styled, print_text, refuse},
    rm::{remove, say_what_is_lost},
    time::since,
};
use crate::{
    broker::PruneRules,
    present::{json_output::Output, terminal, terminal_refusals},
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
        let found = broker.prunable(&scope(repository.as_deref()), &rules).await.map_err(fail)?;
        let ids: Vec<TaskId> = found.tasks.iter().map(|task| task.record.id.clone()).collect();
        if arguments.dry_run {
            say_what_is_lost(&found.tasks);
            return Ok(match arguments.json {
                true => print_text(&Output::removed(&ids, true).pretty()),
                false if ids.is_empty() => print_styled(&terminal::nothing_to_remove(screen)),
                false => print_styled(&terminal::task_list(&found.tasks, screen, Utc::now())),
            });
        }
        if ids.is_empty() && !arguments.json {
            return Ok(print_styled(&terminal::nothing_to_remove(screen)));
        }
        if arguments.yes {
            say_what_is_lost(&found.tasks);
        } else if !ids.is_empty() {
            match confirm(&terminal::removal_question(&found.tasks, screen)) {
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
