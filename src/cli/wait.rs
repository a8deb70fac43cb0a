//! `wait`: blocks until tasks have finished, prints their results, and exits with a code that summarizes them.
//!
//! It is made to run as a background command of Claude Code, which is woken when the command exits. It needs no server,
//! and ends when nobody reads its output any more. In a session of Claude Code, its output is the report of each end, so
//! nobody else announces it; elsewhere, it is the report of a person's own tasks.

use std::{
    collections::BTreeSet,
    io::{self, IsTerminal},
    process::ExitCode,
    time::Duration,
};

use chrono::Utc;
use clap::Args;
use tokio::{task::JoinSet, time::sleep};

use super::{
    context::{Context, asker, refused, repository, scope},
    exit::Exit,
    output::{error_text, is_printed, print, print_line, print_text, reader_gone},
    time::time_limit,
    unfinished::{resolve_all, unfinished},
};
use crate::{
    blocking::start_thread_if_possible,
    broker::{Broker, TaskUpdate},
    present::{json_output::Output, terminal_refusals, timed_out, wait_result},
    store::{Filter, ReportedBy},
    task::{Summaries, TaskId, TaskRecord, TaskSummary},
};

const EXAMPLES: &str = "\
Examples:
  codex-connector wait 1a2b3c4d
  codex-connector wait                   the newest unfinished task of this repository
  codex-connector wait --any             until one of the unfinished tasks here has ended
  codex-connector wait @1 @2 --timeout 30m

Exit codes: 0 if all tasks completed, 1 if one failed, 3 if one was interrupted and none failed, 4 if a task does not
exist, 124 on timeout.";

/// The arguments of `wait`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Tasks: the beginning of an ID, or @1 for the newest one (default: the newest task that has not ended)
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Return as soon as one of the tasks ends; without IDs, one of those that have not ended
    #[arg(long, conflicts_with = "all")]
    any: bool,
    /// Wait for all of the tasks (default); without IDs, for those that have not ended
    #[arg(long)]
    all: bool,
    /// Wait for tasks of all repositories, and count @N in all of them
    #[arg(short = 'a', long)]
    everywhere: bool,
    /// Time limit for the wait, e.g. 90s, 30m or 2h
    #[arg(long, value_name = "TIME", value_parser = time_limit)]
    timeout: Option<Duration>,
    /// Print one JSON object for each ended task, and, on timeout, one with the others
    #[arg(long)]
    json: bool,
}

/// Waits for tasks, and prints the result of each when it ends.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    context.run(async |broker| {
        start_thread_if_possible();
        let repository = repository(arguments.everywhere)?;
        let ids = selected(&broker, &arguments, &scope(repository.as_deref())).await?;
        if ids.is_empty() {
            error_text(&terminal_refusals::no_unfinished_tasks(arguments.everywhere));
            return Ok(Exit::Completed);
        }
        if io::stderr().is_terminal() {
            error_text(&terminal_refusals::waiting_for(ids.len()));
        }
        let mut pending: BTreeSet<_> = ids.into_iter().collect();
        let deadline = async {
            match arguments.timeout {
                Some(time_limit) => sleep(time_limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            exit = wait_for_ends(&broker, &mut pending, &arguments) => return exit,
            () = deadline => {}
            () = reader_gone() => return Ok(Exit::Failed),
        }
        if arguments.json {
            let mut tasks = Vec::new();
            for id in &pending {
                tasks.push(broker.summary(id).await.map_err(|refusal| refused(&broker, &refusal))?);
            }
            let total = tasks.len();
            print_text(&Output::tasks(&Summaries { tasks, total, is_partial: false }, None, Utc::now()).line());
        } else {
            print(&timed_out(&pending));
        }
        Ok(Exit::TimedOut)
    })
}

/// The tasks to wait for.
async fn selected(broker: &Broker, arguments: &Arguments, scope: &Filter) -> Result<Vec<TaskId>, Exit> {
    if !arguments.ids.is_empty() {
        return resolve_all(broker, &arguments.ids, scope).await;
    }
    let mut ids = unfinished(broker, scope).await?;
    if !arguments.any && !arguments.all {
        ids.truncate(1);
    }
    Ok(ids)
}

/// Waits for the tasks `pending`, and removes each from this set when it ends.
async fn wait_for_ends(broker: &Broker, pending: &mut BTreeSet<TaskId>, arguments: &Arguments) -> Result<Exit, Exit> {
    let mut waiting = JoinSet::new();
    let listener = asker();
    for id in &*pending {
        let report = broker.answer_to(&listener, id, ReportedBy::Wait).await;
        let mut task = broker.follow(id);
        waiting.spawn(async move {
            loop {
                match task.next().await {
                    Ok(TaskUpdate::Ended(record)) => return Ok((record, report)),
                    Ok(TaskUpdate::Event(_) | TaskUpdate::Offline { .. }) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        });
    }
    let mut exit = Exit::Completed;
    while let Some(ended) = waiting.join_next().await {
        let ended = ended.expect("following a task does not panic");
        let (record, report) = ended.map_err(|refusal| refused(broker, &refusal))?;
        pending.remove(&record.id);
        exit = exit.combined(Exit::of_task(&record));
        if print_ended(broker, *record, arguments.json).await?
            && let Some(report) = report
        {
            report.confirm().await;
        }
        if arguments.any {
            break;
        }
    }
    Ok(exit)
}

/// Prints the result. Returns whether it was printed.
async fn print_ended(broker: &Broker, record: TaskRecord, is_json: bool) -> Result<bool, Exit> {
    let result = broker.result(&record).await.ok().flatten();
    if !is_json {
        return Ok(is_printed(&wait_result(&record, result)));
    }
    let task = TaskSummary::ended(record);
    print_line(&Output::ended(&task, result.as_ref(), Utc::now()).line()).map(|()| true)
}
