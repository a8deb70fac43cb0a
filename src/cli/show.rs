//! `show`: everything about one task.

use std::process::ExitCode;

use chrono::Utc;
use clap::Args;

use super::{
    context::{Context, local_time, refused},
    exit::Exit,
    final_message::{MessageEnd, print_final_message},
    lists::resolve_here,
    output::{print_text, refuse},
    pager::print_paged,
};
use crate::present::{
    json_output::Output,
    terminal::{self, NextSteps},
    terminal_refusals,
};

/// The number of lines of the log that are shown.
const LOG_LINES: usize = 10;

const EXAMPLES: &str = "\
Examples:
  codex-connector show 1a2b            the task whose ID begins with 1a2b
  codex-connector show @1              the newest task of this repository
  codex-connector show @1 --result     only its final message, exactly as the agent wrote it
  codex-connector show @1 --json | jq .task.usage

In a pipe, each line is a name, a tab and a value; a value with several lines repeats the name.";

/// The arguments of `show`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    /// Print only the final message
    #[arg(long, conflicts_with = "json")]
    result: bool,
    /// Print directly, even if the text is longer than the terminal
    #[arg(long)]
    no_pager: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Shows a task.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let screen = context.screen();
    context.run(async |broker| {
        let fail = |refusal| refused(&broker, &refusal);
        let id = resolve_here(&broker, &arguments.id, arguments.all).await?;
        let task = broker.summary(&id).await.map_err(fail)?;
        let now = Utc::now();
        if arguments.json {
            return Ok(print_text(&Output::task(&task, now).pretty()));
        }
        if arguments.result {
            let is_found = print_final_message(&broker, &task.record, screen, MessageEnd::Exact).await?;
            if !is_found {
                refuse(terminal_refusals::no_result(&task.record.id, task.record.is_final()));
                return Ok(Exit::Failed);
            }
            return Ok(Exit::Completed);
        }
        let view = broker.view(&id, LOG_LINES).await.map_err(fail)?;
        let next = NextSteps {
            can_resume: task.record.progress.backend.as_ref().is_some_and(|backend| broker.can_resume(backend)),
            agent_command: task.record.resumption.command.clone(),
        };
        let text = terminal::show(&task, &view, &next, screen, local_time, now);
        Ok(print_paged(&text, screen, !arguments.no_pager))
    })
}
