//! `wait`: blocks until tasks have ended, prints what became of them, and exits with a code that tells it.
//!
//! Made to be run by Claude Code as a background command, which wakes it when the command ends. It needs no server, holds
//! nothing, and ends with whoever reads its output.

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
        refusals::{find_task, no_task_id},
        time_is_up, waited,
    },
    task::{TaskId, TaskRecord, TaskStatus},
};

/// Every task completed.
const COMPLETED: u8 = 0;
/// A task failed.
const FAILED: u8 = 1;
/// A task was interrupted, and none failed.
const INTERRUPTED: u8 = 3;
/// There is no such task.
const UNKNOWN: u8 = 4;
/// The time was up: `timeout` has the same.
const TIMED_OUT: u8 = 124;

/// How often it is looked whether anyone reads.
const READER_POLL: Duration = Duration::from_secs(1);

/// Until when to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// Until all tasks have ended.
    All,
    /// Until one of them has.
    Any,
}

/// Waits for the tasks, for at most `patience` if there is one.
pub(super) fn wait(broker: &Broker, words: &[String], until: Until, patience: Option<Duration>) -> ExitCode {
    let mut ids = BTreeSet::new();
    for word in words {
        match TaskId::parse(word) {
            Ok(id) => drop(ids.insert(id)),
            Err(problem) => return unknown(Refused::new(no_task_id(&problem), find_task(&broker.config().log_dir))),
        }
    }
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(error) => return fail(error.to_string()),
    };
    let waited = runtime.block_on(async {
        start_thread_if_possible();
        let up = async {
            match patience {
                Some(patience) => sleep(patience).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            code = ends(broker, ids, until) => code,
            () = up => {
                print(&time_is_up());
                ExitCode::from(TIMED_OUT)
            }
            () = nobody_reads() => ExitCode::from(FAILED),
        }
    });
    // A read of a file may still be under way in a thread.
    runtime.shutdown_background();
    waited
}

async fn ends(broker: &Broker, ids: BTreeSet<TaskId>, until: Until) -> ExitCode {
    let mut waiting = JoinSet::new();
    for id in ids {
        let mut task = broker.follow(&id);
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
    let mut code = COMPLETED;
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
        tell(broker, &record).await;
        code = match (code, record.status()) {
            (FAILED, _) | (_, TaskStatus::Failed) => FAILED,
            (INTERRUPTED, _) | (_, TaskStatus::Interrupted) => INTERRUPTED,
            (_, TaskStatus::Completed | TaskStatus::Running) => COMPLETED,
        };
        if until == Until::Any {
            break;
        }
    }
    ExitCode::from(code)
}

async fn tell(broker: &Broker, record: &TaskRecord) {
    let result = broker.result(record).await.ok().flatten();
    print(&waited(record, result));
}

fn unknown(problem: Refused) -> ExitCode {
    refuse(problem);
    ExitCode::from(UNKNOWN)
}

/// Returns when the other end of stdout is closed.
async fn nobody_reads() {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    loop {
        sleep(READER_POLL).await;
        let stdout = io::stdout();
        let mut end = [PollFd::new(&stdout, PollFlags::empty())];
        if poll(&mut end, Some(&now)).is_ok() && end[0].revents().intersects(PollFlags::ERR | PollFlags::HUP) {
            return;
        }
    }
}
