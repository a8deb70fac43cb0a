//! `usage`: the tokens that tasks used.

use std::process::ExitCode;

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Args, ValueEnum};

use super::{
    context::{Context, local_time, refused, repository},
    lists::with_lists,
    output::{print_styled, print_text},
    time::since,
};
use crate::{
    present::{json_output::Output, terminal},
    task::TotalsBy,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector usage                     by day, in this repository
  codex-connector usage --all --by repo     where the tokens went
  codex-connector usage --by model --since 30d

In a pipe, the columns are: group, tasks, input tokens, cached input tokens, output tokens, input and output together,
tasks whose tokens are unknown.";

/// The arguments of `usage`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// How to group the tasks
    #[arg(long, value_name = "GROUP", value_enum, default_value_t = Group::Day)]
    by: Group,
    /// Only tasks that began within this time, e.g. 12h or 30d, or since a time such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Count the tasks of all repositories, not only those of this one
    #[arg(short, long)]
    all: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// How to group tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Group {
    Day,
    Backend,
    Model,
    Repo,
}

impl From<Group> for TotalsBy {
    fn from(group: Group) -> Self {
        match group {
            Group::Day => Self::Day,
            Group::Backend => Self::Backend,
            Group::Model => Self::Model,
            Group::Repo => Self::Repository,
        }
    }
}

/// Prints the totals.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let repository = repository(arguments.all)?;
        let name = repository.as_ref().map(|path| path.to_string_lossy().into_owned());
        let usage = async || broker.usage(arguments.by.into(), name.clone(), arguments.since, day).await;
        let report = with_lists(&broker, usage).await;
        let report = report.map_err(|refusal| refused(&broker, &refusal))?;
        Ok(match arguments.json {
            true => print_text(&Output::usage(&report, repository.as_deref()).pretty()),
            false => print_styled(&terminal::usage(&report, screen, arguments.all)),
        })
    })
}

/// The day of a time in the user's time zone.
fn day(at: DateTime<Utc>) -> NaiveDate {
    local_time(at).date_naive()
}
