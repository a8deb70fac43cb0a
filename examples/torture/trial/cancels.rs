//! Several tasks at once, in all hiding modes. Each one is cancelled or times out at a different moment.

use std::{
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use connector_testing::{McpServer, ToolAnswer};
use fastrand::Rng;
use serde_json::json;

use super::{
    plan::{EnvClearing, Plan, StopBehaviour},
    process_scan::{Process, TaskTree},
    report::{TimeBound, Timing},
    round::{Round, TortureContext},
    verify::{Expected, TaskOutcome, Writers, verify},
    world::{ANSWER_TIMEOUT, World, within},
};

/// A task, and how it will end.
struct PlannedTask {
    plan: Plan,
    end: PlannedEnd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PlannedEnd {
    /// This long after it was started, whatever state it is in.
    CancelledEarly(Duration),
    /// This long after the agent and its children were ready. The duration of the stop is measured.
    CancelledReady(Duration),
    /// When its time limit expires.
    TimesOut,
}

/// Starts `count` tasks and ends them.
pub(crate) fn play(round: &Round<'_>, world: &World, count: usize) {
    let mut rng = round.rng(0);
    let tasks: Vec<PlannedTask> = (0..count).map(|number| plan_tasks(&mut rng, world, number)).collect();
    let mut server = world.server();
    let calls: Vec<_> =
        tasks.iter().map(|task| server.start_call("codex_agent", world.arguments(&task.plan))).collect();
    let server = Mutex::new(server);
    let ids: Vec<Option<String>> = thread::scope(|scope| {
        let each = tasks.iter().zip(&calls).map(|(task, call)| {
            let server = &server;
            scope.spawn(move || {
                let what = format!("t{} ({:?})", task.plan.number, task.end);
                round.guarded(&what, || {
                    let begun = Instant::now();
                    let id = started_id(&call.wait(ANSWER_TIMEOUT, |_| {}));
                    end(round, world, server, task, &id, begun);
                    id
                })
            })
        });
        each.collect::<Vec<_>>().into_iter().map(|thread| thread.join().ok().flatten()).collect()
    });
    round.begun(count);
    let expected: Vec<Expected<'_>> = tasks
        .iter()
        .zip(ids)
        .map(|(task, id)| Expected {
            plan: &task.plan,
            id,
            outcomes: vec![if task.end == PlannedEnd::TimesOut {
                TaskOutcome::TimedOut
            } else {
                TaskOutcome::Cancelled
            }],
            story: format!("{:?}, {:?}, {:?}", task.plan.behavior, task.plan.hiding_methods, task.end),
        })
        .collect();
    verify(round, world, &expected, &Writers::default());
}

fn plan_tasks(rng: &mut Rng, world: &World, number: usize) -> PlannedTask {
    let behavior = [StopBehaviour::Obeys, StopBehaviour::Hides, StopBehaviour::Stubborn][rng.usize(0..3)];
    let mut plan = Plan::endless(rng, world, number, behavior, EnvClearing::Allowed);
    let end = match rng.u8(0..10) {
        0 => PlannedEnd::CancelledEarly(Duration::from_millis(rng.u64(0..400))),
        1 | 2 => PlannedEnd::TimesOut,
        _ => PlannedEnd::CancelledReady(Duration::from_millis(rng.u64(0..300))),
    };
    if end == PlannedEnd::TimesOut {
        plan.timeout = Some(Duration::from_millis(rng.u64(1..1500)));
    }
    PlannedTask { plan, end }
}

/// The ID that a server gave a task.
///
/// # Panics
///
/// Panics if the task was refused.
pub(crate) fn started_id(answer: &ToolAnswer) -> String {
    announced_id(answer).unwrap_or_else(|| panic!("the task was refused: {answer:?}"))
}

/// The task's ID in an answer, if a task was started.
pub(crate) fn announced_id(answer: &ToolAnswer) -> Option<String> {
    let id = answer.text.split_once("**Task ID:**")?.1.split_whitespace().next()?;
    (!answer.is_error).then(|| id.trim_matches('`').to_owned())
}

fn end(round: &Round<'_>, world: &World, server: &Mutex<McpServer>, task: &PlannedTask, id: &str, begun: Instant) {
    for way in &task.plan.hiding_methods {
        round.context.report.note(format!("children with {way}"), 1);
    }
    match task.end {
        PlannedEnd::TimesOut => round.context.report.note("timeouts", 1),
        PlannedEnd::CancelledEarly(after) => {
            thread::sleep(after.saturating_sub(begun.elapsed()));
            cancel(round, server, id, || {});
        }
        PlannedEnd::CancelledReady(after) => {
            if within(ANSWER_TIMEOUT, || world.log(id).contains("MESSAGE: ready").then_some(())).is_none() {
                return round.violation(format!("the agent of {id} is not ready:\n{}", world.log(id)));
            }
            thread::sleep(after);
            let tree = TaskTree { id: id.to_owned(), mark: world.mark(task.plan.number) };
            measured_cancel(round, server, &tree, timing(round.context, task.plan.behavior));
        }
    }
}

/// Cancels a task, and measures the time until its process tree is empty.
pub(crate) fn measured_cancel(round: &Round<'_>, server: &Mutex<McpServer>, tree: &TaskTree, timing: Timing) {
    let known: Vec<Process> = tree.members().into_iter().map(|seen| seen.process).collect();
    let cancelled_at = Instant::now();
    cancel(round, server, &tree.id, || {
        let Timing { name, .. } = timing;
        match tree.wait_until_empty(known, round.context.longest_stop() + ANSWER_TIMEOUT) {
            Some(empty) => {
                let time = empty - cancelled_at;
                round.context.report.time(timing, time);
            }
            None => round.violation(format!("{}: the tree ({name}) is not empty after the cancellation", tree.id)),
        }
    });
}

/// Cancels a task, calls `meanwhile` while waiting, and checks that the answer is correct.
fn cancel(round: &Round<'_>, server: &Mutex<McpServer>, id: &str, meanwhile: impl FnOnce()) {
    let call = {
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        server.start_call("codex_cancel", json!({"taskId": id}))
    };
    meanwhile();
    let answer = call.wait(round.context.longest_stop() + ANSWER_TIMEOUT, |_| {});
    if answer.is_error || !answer.text.contains("Cancelled by user") {
        round.violation(format!("codex_cancel of {id} was answered with {answer:?}"));
    }
    round.context.report.note("cancels", 1);
}

fn timing(context: &TortureContext, behavior: StopBehaviour) -> Timing {
    let stubborn = TimeBound::Most((context.longest_stop() + Duration::from_secs(1)).mul_f64(context.factor));
    let (name, limit) = match behavior {
        StopBehaviour::Obeys | StopBehaviour::Ends(_) => ("the agent obeys", obeying_plan(context)),
        StopBehaviour::Hides => ("the agent obeys, children hide", stubborn),
        StopBehaviour::Stubborn => ("nothing obeys", stubborn),
    };
    Timing { name, limit }
}

/// The limit for an agent that exits when interrupted.
pub(crate) fn obeying_plan(context: &TortureContext) -> TimeBound {
    TimeBound::Median(Duration::from_millis(150).mul_f64(context.factor))
}
