//! `notify`: tells of the tasks that ended since it was last asked, and nothing when there are none.
//!
//! Made for a hook of Claude Code that runs before each turn. It looks at the list of tasks and at nothing else.

use std::{
    io::{self, IsTerminal, Read},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::Value;

use super::{fail, print};
use crate::{
    mcp::one_line,
    store::Store,
    task::{TaskRecord, TaskStatus},
};

/// How long the hook's input is waited for. Claude Code writes it at once.
const INPUT: Duration = Duration::from_millis(300);

/// The most of it that is read, in bytes.
const MOST_INPUT: u64 = 1 << 20;

/// The newest tasks that are looked at.
const LOOKED_AT: usize = 200;

/// The most tasks that are told of by name.
const TOLD: usize = 10;

/// Tells of the tasks that ended since the last call with the same key, those below `here` alone if it is given.
///
/// Without a key it is the session that the hook's input or the environment names.
pub(super) fn notify(store: &Store, key: Option<String>, here: Option<PathBuf>) -> ExitCode {
    let key = key.or_else(|| std::env::var("CLAUDE_CODE_SESSION_ID").ok()).or_else(session_of_hook);
    let key = key.unwrap_or_else(|| "default".to_owned());
    let told = store.told(&key, chrono::Utc::now());
    let since = match told {
        Ok(since) => since,
        Err(problem) => return fail(&problem.to_string()),
    };
    // The first call of a session only remembers when it was.
    let Some(since) = since else { return ExitCode::SUCCESS };
    let listing = match store.list(None, LOOKED_AT) {
        Ok(listing) => listing,
        Err(problem) => return fail(&problem.to_string()),
    };
    let is_here = |record: &TaskRecord| here.as_deref().is_none_or(|here| below(&record.working_directory, here));
    let ended: Vec<_> = listing
        .records
        .iter()
        .filter(|record| {
            record.status.is_final() && record.completed_at.is_some_and(|at| at > since) && is_here(record)
        })
        .collect();
    if ended.is_empty() {
        return ExitCode::SUCCESS;
    }
    let mut text = "Tasks of codex-connector that have ended since the last turn:\n".to_owned();
    for record in ended.iter().take(TOLD) {
        text.push_str(&line(record));
    }
    if let Some(more @ 1..) = ended.len().checked_sub(TOLD) {
        text.push_str(&format!("- and {more} more: call `codex_tasks`\n"));
    }
    text.push_str("Call `codex_status` with a task's id for its result.\n");
    print(&text)
}

fn line(record: &TaskRecord) -> String {
    let how = match (record.status, &record.failure_reason) {
        (TaskStatus::Failed | TaskStatus::Interrupted, Some(reason)) => {
            format!("{}, {}", record.status, one_line(reason, 100))
        }
        (status, _) => status.to_string(),
    };
    let took = record.duration_formatted.as_ref().map(|took| format!(" after {}", one_line(took, 20)));
    format!("- {} {how}{}: {}\n", record.id, took.unwrap_or_default(), one_line(&record.task, 100))
}

fn below(directory: &Path, here: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(directory).starts_with(real(here))
}

/// The session in what Claude Code writes to its hooks, if it does.
fn session_of_hook() -> Option<String> {
    if io::stdin().is_terminal() {
        return None;
    }
    let (tell, told) = mpsc::channel();
    // It may wait for ever for a pipe that nobody closes; it ends with the process.
    thread::spawn(move || {
        let mut input = Vec::new();
        let _ = io::stdin().take(MOST_INPUT).read_to_end(&mut input);
        let _ = tell.send(input);
    });
    let input: Value = serde_json::from_slice(&told.recv_timeout(INPUT).ok()?).ok()?;
    input["session_id"].as_str().map(str::to_owned)
}
