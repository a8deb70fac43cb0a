//! Many servers on one home, each with a hasty user, while a reader reads the index continuously.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use connector_testing::{McpServer, ToolAnswer};
use fastrand::Rng;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    cancels::started_id,
    plan::{EnvClearing, Plan, StopBehaviour},
    round::Round,
    verify::{Expected, TaskOutcome, Writers, verify},
    world::World,
};

/// Maximum duration of a short task that runs undisturbed.
const SHORT: Duration = Duration::from_secs(1);

/// State shared by all windows.
#[derive(Default)]
struct WindowsState {
    tasks: Mutex<Vec<StartedTask>>,
    next_number: AtomicU64,
    is_over: AtomicBool,
}

struct StartedTask {
    plan: Plan,
    id: String,
    cancelled: bool,
}

/// Starts all windows.
pub(crate) fn play(round: &Round<'_>, world: &World, windows: usize, operations: usize) {
    let shared = WindowsState::default();
    thread::scope(|scope| {
        let reader = scope.spawn(|| round.guarded("the reader of tasks.json", || read(round, world, &shared.is_over)));
        let windows: Vec<_> = (0..windows)
            .map(|window| {
                let shared = &shared;
                scope.spawn(move || {
                    let mut rng = round.rng(u64::try_from(window).unwrap_or_default() + 1);
                    round.guarded(&format!("window {window}"), || {
                        let mut server = world.server();
                        for _ in 0..operations {
                            operate(round, world, &mut server, &mut rng, shared);
                        }
                        server
                    })
                })
            })
            .collect();
        // The servers keep running until all tasks have ended, because their exit would interrupt the tasks.
        let mut servers: Vec<McpServer> =
            windows.into_iter().filter_map(|window| window.join().ok().flatten()).collect();
        if let Some(server) = servers.first_mut() {
            cancel_endless_tasks(round, server, &shared);
        }
        let tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        round.begun(tasks.len());
        let expected: Vec<Expected<'_>> = tasks.iter().map(expected).collect();
        verify(round, world, &expected, &Writers::default());
        shared.is_over.store(true, Ordering::Relaxed);
        // If it panicked, that was already reported as a violation.
        let _ = reader.join();
    });
}

/// Performs one random action of a user.
fn operate(round: &Round<'_>, world: &World, server: &mut McpServer, rng: &mut Rng, shared: &WindowsState) {
    round.context.report.note("operations", 1);
    match rng.u8(0..10) {
        0..4 => begin(world, server, rng, shared),
        4..7 => {
            let Some((id, _)) = any(rng, shared, |_| true) else { return };
            // If the task had ended before the call, the answer must show the final status.
            let before = world.record(&id);
            let answer = server.call("codex_status", json!({"taskId": id, "tailLines": rng.u64(1..100)}), |_| {});
            let after = world.record(&id);
            compare(round, &id, [before, after], &answer);
        }
        7 => {
            let status = ["all", "running", "completed", "failed", "interrupted"][rng.usize(0..5)];
            let answer = server.call("codex_tasks", json!({"status": status, "limit": rng.u64(1..50)}), |_| {});
            if answer.is_error {
                round.violation(format!("codex_tasks was answered with {answer:?}"));
            }
        }
        _ => {
            let Some((id, _)) = any(rng, shared, |_| true) else { return };
            mark_cancelled(shared, &id);
            cancel(round, server, &id);
        }
    }
}

fn begin(world: &World, server: &mut McpServer, rng: &mut Rng, shared: &WindowsState) {
    let number = usize::try_from(shared.next_number.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
    let plan = match rng.u8(0..6) {
        0 => Plan::endless(rng, world, number, StopBehaviour::Obeys, EnvClearing::Allowed),
        1 => Plan::short(rng, number, SHORT, rng.clone().u8(1..9)),
        _ => Plan::short(rng, number, SHORT, 0),
    };
    let id = started_id(&server.call("codex_agent", world.arguments(&plan), |_| {}));
    shared.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(StartedTask { plan, id, cancelled: false });
}

/// A random task of any window.
fn any(rng: &mut Rng, shared: &WindowsState, wanted: impl Fn(&StartedTask) -> bool) -> Option<(String, usize)> {
    let tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    let tasks: Vec<&StartedTask> = tasks.iter().filter(|task| wanted(task)).collect();
    // The newest tasks are the most likely to be running.
    let newest = tasks.len().min(if rng.bool() { 8 } else { usize::MAX });
    let task = tasks.get(tasks.len().checked_sub(1 + rng.usize(0..newest.max(1)))?)?;
    Some((task.id.clone(), task.plan.number))
}

fn mark_cancelled(shared: &WindowsState, id: &str) {
    let mut tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    tasks.iter_mut().filter(|task| task.id == id).for_each(|task| task.cancelled = true);
}

fn cancel(round: &Round<'_>, server: &mut McpServer, id: &str) {
    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});
    if answer.is_error && !answer.text.contains("ended") && !answer.text.contains("not running") {
        round.violation(format!("codex_cancel of {id} was answered with {answer:?}"));
    }
}

/// Compares an answer about a task with its record before and after the call.
fn compare(round: &Round<'_>, id: &str, around: [Option<Result<Value, String>>; 2], answer: &ToolAnswer) {
    let status = answer.text.split_once("**Status:**").and_then(|(_, rest)| rest.lines().next()).map(str::trim);
    let allowed: Vec<String> = around
        .into_iter()
        .map(|record| match record {
            Some(Ok(record)) => record["status"].as_str().unwrap_or_default().to_owned(),
            Some(Err(problem)) => problem,
            None => "no record".to_owned(),
        })
        .collect();
    if answer.is_error || !status.is_some_and(|status| allowed.iter().any(|allowed| allowed == status)) {
        round.violation(format!("codex_status of {id} was answered with {answer:?}; its record: {allowed:?}"));
    }
}

/// Cancels all tasks that do not end by themselves, from one window, whichever window started them.
fn cancel_endless_tasks(round: &Round<'_>, server: &mut McpServer, shared: &WindowsState) {
    let mut tasks = shared.tasks.lock().unwrap_or_else(PoisonError::into_inner);
    for task in tasks.iter_mut().filter(|task| !matches!(task.plan.behavior, StopBehaviour::Ends(_)) && !task.cancelled)
    {
        task.cancelled = true;
        round.guarded("the last cancels", || cancel(round, server, &task.id));
    }
}

fn expected(task: &StartedTask) -> Expected<'_> {
    let by_itself = match task.plan.behavior {
        StopBehaviour::Ends(0) => Some(TaskOutcome::Completed),
        StopBehaviour::Ends(code) => Some(TaskOutcome::Exited(code)),
        StopBehaviour::Obeys | StopBehaviour::Hides | StopBehaviour::Stubborn => None,
    };
    let outcomes = by_itself.into_iter().chain(task.cancelled.then_some(TaskOutcome::Cancelled)).collect();
    let story = format!("{:?}, cancelled: {}", task.plan.behavior, task.cancelled);
    Expected { plan: &task.plan, id: Some(task.id.clone()), outcomes, story }
}

/// The part of an index entry that the reader needs.
#[derive(Debug, PartialEq, Eq, Deserialize)]
struct IndexEntry {
    status: String,
}

/// Reads the index continuously. Each time, it must be complete, no entry may be lost, and ended tasks must not
/// change.
fn read(round: &Round<'_>, world: &World, is_over: &AtomicBool) {
    let path = world.data().join("tasks.json");
    let mut last: BTreeMap<String, IndexEntry> = BTreeMap::new();
    let mut ended_ids: BTreeSet<String> = BTreeSet::new();
    let mut reads = 0;
    while !is_over.load(Ordering::Relaxed) {
        // The file does not exist yet.
        let Ok(content) = fs::read(&path) else { continue };
        reads += 1;
        let index: BTreeMap<String, IndexEntry> = match serde_json::from_slice(&content) {
            Ok(index) => index,
            Err(problem) => {
                return round.violation(format!("tasks.json ({} bytes) was torn: {problem}", content.len()));
            }
        };
        for (id, before) in &last {
            let now = index.get(id);
            let has_changed = before.status != "running" && now != Some(before);
            if (now.is_none() || has_changed) && ended_ids.insert(id.clone()) {
                round.violation(format!("tasks.json said of {id}: {before:?}, and then: {now:?}"));
            }
        }
        last = index;
    }
    round.context.report.note("reads of tasks.json", reads);
}
