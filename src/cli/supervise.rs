//! `supervise`: the role of a supervisor, which runs one task.

use std::{path::PathBuf, process::ExitCode};

use clap::Args;

use super::{
    context::Context,
    output::{fail, refuse},
    runtime::runtime,
};
use crate::{
    present::refusals,
    supervisor::{Assignment, supervise},
    task::TaskId,
};

/// The arguments of `supervise`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Task ID
    id: String,
    /// Directory for results, logs and records
    #[arg(long, value_name = "DIR")]
    log_dir: PathBuf,
}

/// Runs the task to its end.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let Arguments { id, log_dir } = arguments;
    let assignment = match (TaskId::parse(&id), context.given.data_dir.clone()) {
        (Ok(id), Some(data_dir)) => Assignment { id, data_dir, log_dir },
        (Err(problem), _) => return fail(refusals::invalid_task_id(&problem)),
        (_, None) => return refuse(refusals::needs_data_dir()),
    };
    // In a new session, neither a terminal nor a signal to the server's process group reaches this process. The call
    // fails only if this process already leads a group, as when a shell starts it.
    let _ = rustix::process::setsid();
    // One thread is enough for one agent and keeps the memory use of an idle supervisor low.
    let ended = runtime()
        .map_err(|error| error.to_string())
        .and_then(|runtime| runtime.block_on(supervise(assignment, context.registry)));
    let code = match ended {
        Ok(()) => 0,
        Err(problem) => {
            fail(problem);
            1
        }
    };
    // Returning would wait for a thread that still reads stdin.
    std::process::exit(code)
}
