//! The way in which Claude Code stops a server: SIGINT, SIGTERM after 100 ms, SIGKILL 400 ms later.

use std::{thread, time::Duration};

use connector_testing::PendingCall;
use rustix::process::Signal;

use super::{
    cancels::started_id,
    plan::{EnvClearing, Plan, StopBehaviour},
    round::Round,
    verify::{Expected, TaskOutcome, Writers, verify},
    world::{ANSWER_TIMEOUT, World, within},
};

/// Number of tasks that run when Claude Code exits.
const TASKS: usize = 5;

/// Starts the tasks, and stops their server.
pub(crate) fn play(round: &Round<'_>, world: &World) {
    let mut rng = round.rng(0);
    let plans: Vec<Plan> = (0..TASKS)
        .map(|number| {
            let behavior = [StopBehaviour::Obeys, StopBehaviour::Hides, StopBehaviour::Stubborn][rng.usize(0..3)];
            Plan::endless(&mut rng, world, number, behavior, EnvClearing::Allowed)
        })
        .collect();
    let mut server = world.server();
    let calls: Vec<PendingCall> =
        plans.iter().map(|plan| server.start_call("codex_agent", world.arguments(plan))).collect();
    let ids: Vec<String> = calls.iter().map(|call| started_id(&call.wait(ANSWER_TIMEOUT, |_| {}))).collect();
    round.begun(TASKS);
    for id in &ids {
        if within(ANSWER_TIMEOUT, || world.log(id).contains("MESSAGE: ready").then_some(())).is_none() {
            round.violation(format!("the agent of {id} is not ready:\n{}", world.log(id)));
        }
    }

    server.signal(Signal::INT);
    thread::sleep(Duration::from_millis(100));
    server.signal(Signal::TERM);
    thread::sleep(Duration::from_millis(400));
    if server.try_wait().is_none() {
        round.context.report.note("servers that SIGKILL had to end", 1);
    }
    server.kill();

    let expected: Vec<Expected<'_>> = plans
        .iter()
        .zip(ids)
        .map(|(plan, id)| Expected {
            plan,
            id: Some(id),
            outcomes: vec![TaskOutcome::Interrupted],
            story: format!("{:?}, {:?}", plan.behavior, plan.hiding_methods),
        })
        .collect();
    verify(round, world, &expected, &Writers::default());
}
