//! `ls`: lists tasks.

use std::{io, path::Path, process::ExitCode};

use chrono::{DateTime, Utc};
use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};

use super::{
    context::{Context, refused, repository, scope},
    exit::Exit,
    interrupts::Interrupts,
    lists::with_lists,
    live_area::{LiveArea, Redraw, Size},
    output::{error_text, print_styled, print_text, refuse},
    time::since,
};
use crate::{
    broker::{Broker, Refusal},
    present::{
        json_output::Output,
        terminal::{self, Screen},
        terminal_refusals,
    },
    store::Filter,
    task::{StateFilter, Summaries},
};

/// The number of tasks that are listed by default.
const DEFAULT_LIMIT: usize = 20;

const EXAMPLES: &str = "\
Examples:
  codex-connector ls                          the newest tasks of this repository
  codex-connector ls --all --state running    what runs anywhere
  codex-connector ls --since 2d -n 100        the last two days
  codex-connector ls --watch                  redrawn once a second
  codex-connector ls | cut -f1,3              ID and outcome, for a script

In a pipe, the columns are: ID, state, outcome, agent, task, start time, seconds, tokens.";

/// The arguments of `ls`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// List the tasks of all repositories, not only those of this one
    #[arg(short, long)]
    all: bool,
    /// Only tasks in this state or with this outcome
    #[arg(short, long, value_name = "STATE", value_parser = state_values())]
    state: Option<StateFilter>,
    /// Only tasks of this backend
    #[arg(short, long, value_name = "NAME")]
    backend: Option<String>,
    /// Only tasks that began within this time, e.g. 90m or 2d, or since a time such as 2026-01-02T03:04:05Z
    #[arg(long, value_name = "TIME", value_parser = since)]
    since: Option<DateTime<Utc>>,
    /// Maximum number of tasks
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = DEFAULT_LIMIT)]
    limit: usize,
    /// Redraw the list once a second until Ctrl-C
    #[arg(short, long, conflicts_with = "json")]
    watch: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl Arguments {
    /// The list that is shown instead of `top`.
    pub(super) fn instead_of_top(all: bool, watch: bool) -> Self {
        Self { all, state: None, backend: None, since: None, limit: DEFAULT_LIMIT, watch, json: false }
    }
}

/// The values of `--state`.
fn state_values() -> impl TypedValueParser<Value = StateFilter> {
    PossibleValuesParser::new(StateFilter::ALL.map(StateFilter::as_str))
        .map(|name| StateFilter::parse(&name).expect("clap accepts only these names"))
}

/// Lists tasks.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    if arguments.watch && !(screen.is_terminal() && context.can_redraw()) {
        refuse(terminal_refusals::list_needs_terminal());
        return Exit::Usage.into();
    }
    context.run(async |broker| {
        let repository = repository(arguments.all)?;
        if arguments.json {
            let filter = filter(&arguments, repository.as_deref());
            let found = find(&broker, &filter, arguments.state, arguments.limit).await;
            let found = found.map_err(|refusal| refused(&broker, &refusal))?;
            return Ok(print_text(&Output::tasks(&found, repository.as_deref(), Utc::now()).pretty()));
        }
        if arguments.watch {
            return watch(&broker, &arguments, repository.as_deref(), screen).await;
        }
        Ok(print_styled(&list(&broker, &arguments, repository.as_deref(), screen).await?))
    })
}

/// Redraws the list until Ctrl-C.
async fn watch(
    broker: &Broker,
    arguments: &Arguments,
    repository: Option<&Path>,
    screen: Screen,
) -> Result<Exit, Exit> {
    let mut interrupts = Interrupts::watched()?;
    let mut redraw = Redraw::new().map_err(|_| Exit::Failed)?;
    let mut area = LiveArea::new(io::stdout());
    loop {
        let size = Size::of(io::stdout());
        let text = list(broker, arguments, repository, Screen { width: Some(size.columns), ..screen }).await?;
        // A terminal that is gone ends this process with a signal.
        let _ = area.draw(text.lines().map(str::to_owned).collect(), size);
        tokio::select! {
            () = redraw.next() => {}
            () = interrupts.next() => {
                error_text("");
                return Ok(Exit::Completed);
            }
        }
    }
}

/// The list as text, on a terminal with the number of tasks below.
async fn list(
    broker: &Broker,
    arguments: &Arguments,
    repository: Option<&Path>,
    screen: Screen,
) -> Result<String, Exit> {
    let fail = |refusal| refused(broker, &refusal);
    let filter = filter(arguments, repository);
    let found = find(broker, &filter, arguments.state, arguments.limit).await.map_err(fail)?;
    let mut text = String::new();
    if !found.tasks.is_empty() {
        text = terminal::task_list(&found.tasks, screen, Utc::now());
    }
    if screen.is_terminal() {
        let unfinished = broker.count_unfinished(&filter).await.map_err(fail)?;
        text.push_str(&terminal::count_line(&found, unfinished, arguments.all));
        text.push('\n');
        // Measuring them takes too long to repeat it.
        if !arguments.watch {
            let worktrees = broker.worktrees().await.map_err(fail)?;
            let bytes = worktrees.iter().map(|tree| tree.bytes).sum();
            text.push_str(&terminal::worktrees_line(worktrees.len(), bytes));
        }
    }
    Ok(text)
}

fn filter(arguments: &Arguments, repository: Option<&Path>) -> Filter {
    Filter { backend: arguments.backend.clone(), since: arguments.since, ..scope(repository) }
}

/// The tasks that both filters select.
async fn find(
    broker: &Broker,
    filter: &Filter,
    state: Option<StateFilter>,
    limit: usize,
) -> Result<Summaries, Refusal> {
    with_lists(broker, async || broker.find_in_state(filter, state, limit).await).await
}
