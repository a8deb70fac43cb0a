//! `notify`: reports the tasks that finished since the last call, and prints nothing if there are none.
//!
//! It is made for a Claude Code hook that runs before each turn. It reads only the files of tasks; `present` writes the
//! text.

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use chrono::Utc;
use connector_api::JsonLine;

use super::output::{fail, print};
use crate::{
    config::Config,
    present::ended_tasks,
    redact::Redactor,
    store::{NotifiedEnds, StoreError, Upkeep},
    task::TaskRecord,
};

/// How long to wait for the hook's input. Claude Code writes it at once, but a busy machine can delay it.
const INPUT_TIMEOUT: Duration = Duration::from_secs(3);

/// Maximum length of the hook's input, in bytes.
const MAX_INPUT_BYTES: u64 = 1 << 20;

/// Reports the tasks that finished since the last call with the same key; with `here`, only those in or below that
/// directory.
///
/// The default key is the session from the environment, or else from the hook's input.
pub(super) fn notify(config: &Config, upkeep: &Upkeep, key: Option<String>, here: Option<PathBuf>) -> ExitCode {
    let key = key.or_else(|| std::env::var("CLAUDE_CODE_SESSION_ID").ok()).or_else(hook_session);
    let redactor = if config.policy.redact { Redactor::of(std::env::vars_os()) } else { Redactor::default() };
    match report_ended(upkeep, &redactor, &key.unwrap_or_else(|| "default".to_owned()), here.as_deref()) {
        Ok(printed) => printed,
        Err(problem) => fail(problem.to_string()),
    }
}

fn report_ended(upkeep: &Upkeep, redactor: &Redactor, key: &str, here: Option<&Path>) -> Result<ExitCode, StoreError> {
    let notified = NotifiedEnds::of(upkeep);
    let mut new_ends = notified.new_ends(key, Utc::now())?;
    upkeep.repair();
    let is_here = |record: &TaskRecord| here.is_none_or(|here| is_below(&record.progress.working_directory, here));
    new_ends.records.retain(is_here);
    new_ends.records.iter_mut().flat_map(TaskRecord::untrusted_texts).for_each(|text| redactor.redact(text));
    // Without a confirmation, the next call reports these tasks again.
    if let Some(text) = ended_tasks(&new_ends.records)
        && print(&text) != ExitCode::SUCCESS
    {
        return Ok(ExitCode::FAILURE);
    }
    new_ends.confirm()?;
    Ok(ExitCode::SUCCESS)
}

fn is_below(directory: &Path, here: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(directory).starts_with(real(here))
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
