//! `wait`: blocks until tasks have finished, prints their results, and exits with a code that summarizes them.
//!
//! It is made to run as a background command of Claude Code, which is woken when the command exits. It needs no server,
//! takes no locks, and ends when nobody reads its output any more.

use std::{collections::BTreeSet, io, process::ExitCode, time::Duration};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::{task::JoinSet, time::sleep};

use super::{
    output::{fail, print, refuse},
    runtime::runtime,
};
use crate::{
    blocking::start_thread_if_possible,
    broker::{Broker, Refusal, TaskUpdate},
    present::{
        Refused,
        refusals::{find_task, invalid_task_id},
        timed_out, wait_result,
    },
    task::{TaskId, TaskRecord, TaskStatus},
};

/// Every task completed.
const EXIT_COMPLETED: u8 = 0;
/// A task failed.
const EXIT_FAILED: u8 = 1;
/// A task was interrupted, and none failed.
const EXIT_INTERRUPTED: u8 = 3;
/// A task does not exist.
const EXIT_UNKNOWN_TASK: u8 = 4;
/// The wait timed out. The program `timeout` uses the same code.
const EXIT_TIMED_OUT: u8 = 124;

/// How often to check whether anyone still reads the output.
const READER_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Which tasks must finish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WaitMode {
    /// All of them.
    All,
    /// Any one of them.
    Any,
}

/// Waits for the tasks with the IDs `words`, for at most `time_limit` if there is one.
pub(super) fn wait(broker: &Broker, words: &[String], mode: WaitMode, time_limit: Option<Duration>) -> ExitCode {
    let mut pending = BTreeSet::new();
    for word in words {
        match TaskId::parse(word) {
            Ok(id) => drop(pending.insert(id)),
            Err(problem) => {
                return unknown(Refused::new(invalid_task_id(&problem), find_task(&broker.config().log_dir)));
            }
        }
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string()),
    };
    let waited = runtime.block_on(async {
        start_thread_if_possible();
        let deadline = async {
            match time_limit {
                Some(time_limit) => sleep(time_limit).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            code = wait_for_ends(broker, &mut pending, mode) => code,
            () = deadline => {
                print(&timed_out(&pending));
                ExitCode::from(EXIT_TIMED_OUT)
            }
            () = reader_gone() => ExitCode::from(EXIT_FAILED),
        }
    });
    // A thread may still be reading a file.
    runtime.shutdown_background();
    waited
}

/// Waits for the tasks `pending`, and removes each from this set when it ends.
async fn wait_for_ends(broker: &Broker, pending: &mut BTreeSet<TaskId>, mode: WaitMode) -> ExitCode {
    let mut waiting = JoinSet::new();
    for id in &*pending {
        let mut task = broker.follow(id);
        waiting.spawn(async move {
            loop {
                match task.next().await {
                    Ok(TaskUpdate::Ended(record)) => return Ok(record),
                    Ok(TaskUpdate::Event(_)) => {}
                    Err(refusal) => return Err(refusal),
                }
            }
        });
    }
    let mut code = EXIT_COMPLETED;
    while let Some(ended) = waiting.join_next().await {
        let record = match ended.expect("following a task does not panic") {
            Ok(record) => record,
            Err(refusal @ Refusal::NoSuchTask(_)) => {
                return unknown(Refused::new(refusal.explain().problem, find_task(&broker.config().log_dir)));
            }
            Err(refusal @ Refusal::OtherLogDir { .. }) => {
                return unknown(refusal.explain());
            }
            Err(refusal) => return refuse(refusal.explain()),
        };
        print_result(broker, &record).await;
        pending.remove(&record.id);
        code = match (code, record.status()) {
            (EXIT_FAILED, _) | (_, TaskStatus::Failed) => EXIT_FAILED,
            (EXIT_INTERRUPTED, _) | (_, TaskStatus::Interrupted) => EXIT_INTERRUPTED,
            (_, TaskStatus::Completed | TaskStatus::Running) => EXIT_COMPLETED,
        };
        if mode == WaitMode::Any {
            break;
        }
    }
    ExitCode::from(code)
}

async fn print_result(broker: &Broker, record: &TaskRecord) {
    let result = broker.result(record).await.ok().flatten();
    print(&wait_result(record, result));
}

fn unknown(problem: Refused) -> ExitCode {
    refuse(problem);
    ExitCode::from(EXIT_UNKNOWN_TASK)
}

/// Returns when the other end of stdout is closed.
pub(super) async fn reader_gone() {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        sleep(READER_POLL_INTERVAL).await;
        let stdout = io::stdout();
        let mut end = [PollFd::new(&stdout, PollFlags::empty())];
        if poll(&mut end, Some(&now)).is_ok() && end[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return;
        }
    }
}
