//! `resume`: the next turn of an earlier task's session.

use std::process::ExitCode;

use clap::Args;

use super::{
    context::{Context, refused, repository, scope},
    exit::Exit,
    follow::run_task,
    lists::resolve,
    output::refuse,
    task_options::TaskOptions,
};
use crate::{
    broker::{Broker, NewTask},
    present::terminal_refusals,
};

const EXAMPLES: &str = "\
Examples:
  codex-connector resume 1a2b now add a test for it
  codex-connector resume @1 --sandbox workspace-write go ahead

The new task uses the agent's session, so the agent remembers the earlier one. It works in the same directory and, unless
--sandbox is given, in the same sandbox. Otherwise `resume` works like `run`, with the same exit codes, and 4 if there is
no such task.";

/// The help of `--sandbox`, whose default differs from that of `run`.
const SANDBOX_HELP: &str = "The agent's sandbox (default: that of the earlier task)";

/// The arguments of `resume`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES, mut_arg("sandbox", |option| option.help(SANDBOX_HELP)))]
pub(super) struct Arguments {
    /// The earlier task: the beginning of its ID, or @1 for the newest one
    #[arg(value_name = "ID")]
    id: String,
    /// Count @N in all repositories, not only in this one
    #[arg(short, long)]
    all: bool,
    #[command(flatten)]
    options: TaskOptions,
}

/// Resumes a session.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let task = match arguments.options.task() {
        Ok(task) => task,
        Err(exit) => return exit.into(),
    };
    context.run_strictly(async |broker| {
        let task = resumed(&broker, task, &arguments).await?;
        run_task(context, &broker, task, arguments.options.mode()).await
    })
}

/// The task in the session of the earlier one.
async fn resumed(broker: &Broker, task: NewTask, arguments: &Arguments) -> Result<NewTask, Exit> {
    let fail = |refusal| refused(broker, &refusal);
    let repository = repository(arguments.all)?;
    let id = resolve(broker, &arguments.id, &scope(repository.as_deref())).await?;
    let earlier = broker.summary(&id).await.map_err(fail)?.record;
    let resumable = broker.session_of(&id).await.map_err(fail)?;
    let Some(working_directory) = resumable.working_directory.filter(|path| !path.as_os_str().is_empty()) else {
        refuse(terminal_refusals::unknown_directory(&id));
        return Err(Exit::Refused);
    };
    Ok(NewTask {
        working_directory,
        sandbox: task.sandbox.or(earlier.start.sandbox),
        backend: resumable.backend,
        resume: Some(resumable.resume),
        ..task
    })
}
