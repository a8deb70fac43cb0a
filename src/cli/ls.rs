//! `ls`: lists tasks.

use std::{process::ExitCode, time::Duration};

use chrono::Utc;
use clap::{Args, ValueEnum};

use super::{
    context::{Context, refused, scope, this_repository},
    output::{print_styled, print_text},
    time::time_limit,
};
use crate::{
    broker::{Broker, Refusal},
    present::{json_output::Output, terminal},
    store::Filter,
    task::{Outcome, Summaries, TaskState, TaskStatus, TaskSummary},
};

/// The number of tasks that are listed by default.
const DEFAULT_LIMIT: usize = 20;

const EXAMPLES: &str = "\
Examples:
  codex-connector ls                          the newest tasks of this repository
  codex-connector ls --all --state running    what runs anywhere
  codex-connector ls --since 2d -n 100        the last two days
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
    #[arg(short, long, value_name = "STATE")]
    state: Option<StateFilter>,
    /// Only tasks of this backend
    #[arg(short, long, value_name = "NAME")]
    backend: Option<String>,
    /// Only tasks that began within this time, e.g. 90m or 2d
    #[arg(long, value_name = "TIME", value_parser = time_limit)]
    since: Option<Duration>,
    /// Maximum number of tasks
    #[arg(short = 'n', long, value_name = "NUMBER", default_value_t = DEFAULT_LIMIT)]
    limit: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// A state, or an outcome of ended tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
enum StateFilter {
    Queued,
    Running,
    Ended,
    Completed,
    Failed,
    Cancelled,
    TimedOut,
    Interrupted,
}

impl StateFilter {
    /// The status of all tasks that it selects; `None` if they have different ones.
    fn status(self) -> Option<TaskStatus> {
        match self {
            Self::Queued | Self::Running => Some(TaskStatus::Running),
            Self::Ended => None,
            Self::Completed => Some(TaskStatus::Completed),
            Self::Failed | Self::Cancelled | Self::TimedOut => Some(TaskStatus::Failed),
            Self::Interrupted => Some(TaskStatus::Interrupted),
        }
    }

    /// Whether it selects every task with this status.
    fn is_whole_status(self) -> bool {
        matches!(self, Self::Completed | Self::Interrupted)
    }

    fn selects(self, task: &TaskSummary) -> bool {
        let has = |outcome| Outcome::of(&task.record) == Some(outcome);
        match self {
            Self::Queued => task.state == TaskState::Queued,
            Self::Running => task.state == TaskState::Running,
            Self::Ended => task.state == TaskState::Ended,
            Self::Completed => has(Outcome::Completed),
            Self::Failed => has(Outcome::Failed),
            Self::Cancelled => has(Outcome::Cancelled),
            Self::TimedOut => has(Outcome::TimedOut),
            Self::Interrupted => has(Outcome::Interrupted),
        }
    }
}

/// Lists tasks.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let repository = if arguments.all { None } else { this_repository() };
        let filter = Filter {
            backend: arguments.backend.clone(),
            since: arguments.since.and_then(Broker::since),
            ..scope(repository.as_deref())
        };
        let fail = |refusal| refused(&broker, &refusal);
        let found = find(&broker, &filter, arguments.state, arguments.limit).await.map_err(fail)?;
        let now = Utc::now();
        if arguments.json {
            return Ok(print_text(&Output::tasks(&found, repository.as_deref(), now).pretty()));
        }
        let mut text = String::new();
        if !found.tasks.is_empty() {
            text = terminal::task_list(&found.tasks, screen, now);
        }
        if screen.is_terminal() {
            let unfinished = broker.count_unfinished(&filter).await.map_err(fail)?;
            text.push_str(&terminal::count_line(&found, unfinished, arguments.all));
            text.push('\n');
        }
        Ok(print_styled(&text))
    })
}

/// The tasks that both filters select.
async fn find(
    broker: &Broker,
    filter: &Filter,
    state: Option<StateFilter>,
    limit: usize,
) -> Result<Summaries, Refusal> {
    let Some(state) = state else { return broker.find(filter, limit).await };
    let filter = Filter { state: state.status(), ..filter.clone() };
    if state.is_whole_status() {
        return broker.find(&filter, limit).await;
    }
    // The index does not tell these apart, so read them all.
    let mut found = broker.find(&filter, usize::MAX).await?;
    found.tasks.retain(|task| state.selects(task));
    found.total = found.tasks.len();
    found.tasks.truncate(limit);
    Ok(found)
}
