//! `cancel`: stops tasks, and waits until they have ended.

use std::process::ExitCode;

use chrono::Utc;
use clap::Args;

use super::{
    context::{Context, asker, refused, repository, scope},
    exit::Exit,
    output::{error_text, print_styled, print_text},
    unfinished::{resolve_all, unfinished},
};
use crate::{
    broker::{Broker, Cancelled},
    present::{json_output::Output, terminal, terminal_refusals},
    store::ReportedBy,
    task::{TaskId, TaskState, TaskSummary},
};

const EXAMPLES: &str = "\
Examples:
  codex-connector cancel 1a2b
  codex-connector cancel @1 @2
  codex-connector cancel --all-here     everything that has not ended in this repository

It waits until the tasks have ended. A task that had already ended is not an error. In a pipe, the columns are: ID, state,
outcome.

Exit codes: 0 if the tasks have ended, 1 if one is still being stopped, 4 if there is no such task.";

/// The arguments of `cancel`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Tasks: the beginning of an ID, or @1 for the newest one
    #[arg(value_name = "ID", required_unless_present = "all_here")]
    ids: Vec<String>,
    /// Cancel all tasks of this repository that have not ended
    #[arg(long, conflicts_with_all = ["ids", "all"])]
    all_here: bool,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    /// Print one JSON object per task
    #[arg(long)]
    json: bool,
}

/// Cancels tasks.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let repository = repository(arguments.all)?;
        let scope = scope(repository.as_deref());
        let ids = match arguments.all_here {
            true => unfinished(&broker, &scope).await?,
            false => resolve_all(&broker, &arguments.ids, &scope).await?,
        };
        if ids.is_empty() {
            error_text(&terminal_refusals::no_unfinished_tasks(false));
        }
        let cancelling: Vec<_> = ids.iter().map(|id| tokio::spawn(cancel(broker.clone(), id.clone()))).collect();
        let mut exit = Exit::Completed;
        for cancelled in cancelling {
            let (task, had_ended) = cancelled.await.expect("cancelling a task does not panic")?;
            if task.state != TaskState::Ended {
                exit = Exit::Failed;
            }
            let printed = match arguments.json {
                true => print_text(&Output::task(&task, Utc::now()).line()),
                false => print_styled(&terminal::cancel_line(&task, had_ended, screen)),
            };
            if printed == Exit::Completed {
                broker.answered(&asker(), &task.record, ReportedBy::Cancel).await;
            }
            exit = exit.combined(printed);
        }
        Ok(exit)
    })
}

/// Cancels one task. Returns the task and whether it had ended before.
async fn cancel(broker: Broker, id: TaskId) -> Result<(TaskSummary, bool), Exit> {
    let fail = |refusal| refused(&broker, &refusal);
    match broker.cancel(&id).await.map_err(fail)? {
        Cancelled::Ended(record) => Ok((TaskSummary::ended(*record), false)),
        Cancelled::HadEnded(record) => Ok((TaskSummary::ended(*record), true)),
        Cancelled::Stopping => Ok((broker.summary(&id).await.map_err(fail)?, false)),
    }
}
