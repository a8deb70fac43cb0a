//! `notify`: reports the tasks that have ended and that nobody has reported, and prints nothing if there are none.
//!
//! It is made for a Claude Code hook that runs before each turn; `follow` is its continuous form. Both read only the
//! files of tasks; `store::listener` decides which ends they report, and `present` writes the text.

use std::{
    io::{self, IsTerminal, Read},
    path::PathBuf,
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use chrono::Utc;
use clap::Args;
use connector_api::JsonLine;

use super::{
    context::Context,
    listener::{listener, redactor},
    notify_follow,
    opening::open_data_dir,
    output::{fail, is_printed, refuse},
};
use crate::{
    config::Config,
    present::ended_tasks,
    process::claude_session,
    redact::Redactor,
    store::{Listener, ReportedBy, StoreError, UnreportedEnds, Upkeep},
    task::TaskRecord,
};

/// How long to wait for the hook's input. Claude Code writes it at once, but a busy machine can delay it.
const INPUT_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum length of the hook's input, in bytes.
const MAX_INPUT_BYTES: u64 = 1 << 20;

const EXAMPLES: &str = "\
Examples:
  codex-connector notify --here             the command of a hook
  codex-connector notify --follow --here    the command of a monitor";

/// The arguments of `notify`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Report the finished tasks and exit, for a hook (default)
    #[arg(long, conflicts_with = "follow")]
    since_last: bool,
    /// Print one line for each task that finishes, until the session ends, for a monitor
    #[arg(long)]
    follow: bool,
    /// Session to report to (default: the one that runs this command)
    #[arg(long, value_name = "NAME")]
    key: Option<String>,
    /// Of tasks that other sessions started, report only those in this repository or below this directory
    #[arg(long)]
    here: bool,
}

/// Reports ends once, or until the session ends.
pub(super) fn run(context: &Context<'_>, arguments: Arguments) -> ExitCode {
    let here = project(arguments.here);
    if arguments.follow {
        return notify_follow::follow(&|| context.lenient_config(), arguments.key, here);
    }
    let config = match context.viewing_config() {
        Ok(config) => config,
        Err(exit) => return exit.into(),
    };
    match open_data_dir(&config) {
        Ok(upkeep) => notify(&config, &upkeep, arguments.key, here),
        Err(problem) => refuse(problem),
    }
}

/// Reports the ends that nobody has reported, and that this session should learn of. With `here`, only those in its
/// repository or below it, and those of the session's own tasks.
///
/// The session is `key`, or the one in the environment, or the one in the hook's input.
fn notify(config: &Config, upkeep: &Upkeep, key: Option<String>, here: Option<PathBuf>) -> ExitCode {
    let session = key.or_else(claude_session).or_else(hook_session);
    let listener = listener(session, here, false);
    match report_ended(upkeep, &redactor(config), &listener) {
        Ok(printed) => printed,
        Err(problem) => fail(problem.to_string()),
    }
}

fn report_ended(upkeep: &Upkeep, redactor: &Redactor, listener: &Listener) -> Result<ExitCode, StoreError> {
    let mut new = UnreportedEnds::of(upkeep).claim(listener, Utc::now())?;
    upkeep.repair();
    new.records.iter_mut().flat_map(TaskRecord::untrusted_texts).for_each(|text| redactor.redact(text));
    // Without a confirmation, the next call reports these tasks again.
    if let Some(text) = ended_tasks(&new.records, new.unclaimed.number())
        && !is_printed(&text)
    {
        return Ok(ExitCode::FAILURE);
    }
    new.confirm(ReportedBy::Hook, listener, Utc::now())?;
    Ok(ExitCode::SUCCESS)
}

/// The project's directory, if only its tasks are wanted.
fn project(here: bool) -> Option<PathBuf> {
    let project = std::env::var_os("CLAUDE_PROJECT_DIR").map(PathBuf::from);
    here.then(|| project.or_else(|| std::env::current_dir().ok())).flatten()
}

/// The session in the hook's input, if there is any.
fn hook_session() -> Option<String> {
    if io::stdin().is_terminal() {
        return None;
    }
    let (sender, receiver) = mpsc::channel();
    // If nobody closes the pipe, this thread waits until the process ends.
    let reading = thread::Builder::new().spawn(move || {
        let mut input = Vec::new();
        let _ = io::stdin().take(MAX_INPUT_BYTES).read_to_end(&mut input);
        let _ = sender.send(input);
    });
    reading.ok()?;
    let input = receiver.recv_timeout(INPUT_TIMEOUT).ok()?;
    let line = JsonLine::read(&input);
    line.objects.first()?.value["session_id"].as_str().map(str::to_owned)
}
