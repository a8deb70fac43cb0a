//! SIGKILL at random moments: for the server, supervisors, both, agents, or all three. The next server finalizes the
//! tasks' records.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, SystemTime},
};

use connector_testing::McpServer;
use fastrand::Rng;
use rustix::process::Signal;
use serde_json::json;

use super::{
    cancels::announced_id,
    plan::{EnvClearing, Plan, StopBehaviour},
    process_scan::Process,
    round::Round,
    verify::{Expected, TaskOutcome, Writers, verify},
    world::{ANSWER_TIMEOUT, World, within},
};

/// The latest moment of the kill; the earliest is the first call. By then, the short tasks have been over for some
/// time.
const LATEST_KILL_MS: u64 = 900;
/// Maximum duration of a short task that runs undisturbed.
const SHORT_GRACE: Duration = Duration::from_millis(600);
/// The age at which the next server certainly considers a run directory without a record abandoned.
const ABANDONED_TIMEOUT: Duration = Duration::from_secs(120);

/// The processes to kill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct KillTargets {
    server: bool,
    supervisors: bool,
    agents: bool,
}

/// Everything that we know was done to one task.
#[derive(Debug, Clone, Copy, Default)]
struct ActionsTaken {
    supervisor_killed: bool,
    agent_killed: bool,
    cancelled: bool,
}

/// Starts a few tasks, kills processes, and checks the outcome.
pub(crate) fn play(round: &Round<'_>, world: &World) {
    let mut rng = round.rng(0);
    let kill_targets = choose_targets(&mut rng);
    let continues = rng.u8(0..5) == 0;
    let count = rng.usize(1..=4);
    let plans: Vec<Plan> = (0..count).map(|number| plan(round, world, &mut rng, number, kill_targets)).collect();
    let moment = Duration::from_millis(rng.u64(0..LATEST_KILL_MS));

    let policy = format!("tasks.on_server_exit={}", if continues { "continue" } else { "interrupt" });
    let mut server = world.server_with(&["--set", &policy]);
    let calls: Vec<_> = plans.iter().map(|plan| server.start_call("codex_agent", world.arguments(plan))).collect();
    round.begun(count);
    thread::sleep(moment);
    let mut actions = kill(world, &mut rng, &mut server, kill_targets);
    let before: Vec<String> = world.recorded();

    let mut next = world.server();
    let killed: BTreeSet<String> =
        actions.iter().filter(|(_, taken)| taken.supervisor_killed).map(|(id, _)| id.clone()).collect();
    // A server writes too: it builds the catalog when it starts.
    let writers = Writers { were_killed: kill_targets.supervisors || kill_targets.server, killed };
    if !kill_targets.server || continues {
        // A surviving server can start a task after the kill, and a surviving supervisor has no run directory at
        // first.
        let has_begun_all = || {
            let is_answered = kill_targets.server || calls.iter().all(|call| call.answer().is_some());
            is_answered && world.supervisors().is_empty()
        };
        cancel_endless_tasks(world, &plans, &mut next, &mut actions, &writers, has_begun_all);
    }
    // A server that was not killed answers. If it lost a supervisor, it may refuse the task.
    let announced_ids: Vec<Option<String>> = calls
        .iter()
        .map(|call| if kill_targets.server { call.answer() } else { Some(call.wait(ANSWER_TIMEOUT, |_| {})) })
        .map(|answer| {
            let id = answer.as_ref().and_then(announced_id);
            if answer.is_some() && id.is_none() && !kill_targets.supervisors {
                round.violation(format!("a task was refused: {answer:?}"));
            }
            id
        })
        .collect();
    let story =
        format!("{kill_targets:?} at {moment:?}, on_server_exit {}", if continues { "continue" } else { "interrupt" });
    let actions_by_plan = by_plan(world, &plans, &actions);
    let expected: Vec<Expected<'_>> = plans
        .iter()
        .zip(announced_ids)
        .map(|(plan, id)| {
            let taken = actions_by_plan.get(&plan.number).copied().unwrap_or_default();
            let outcomes = outcomes(plan, taken, kill_targets.server && !continues);
            let story = format!("{:?}, {:?}, {story}; {taken:?}", plan.behavior, plan.hiding_methods);
            Expected { plan, id, outcomes, story }
        })
        .collect();
    verify(round, world, &expected, &writers);
    for id in before.iter().filter(|id| world.record(id).is_none()) {
        round.violation(format!("the record of {id} is lost"));
    }
    stop_abandoned(round, world);
}

fn choose_targets(rng: &mut Rng) -> KillTargets {
    let (server, supervisors, agents) =
        [(true, false, false), (false, true, false), (true, true, false), (false, false, true), (true, true, true)]
            [rng.usize(0..5)];
    KillTargets { server, supervisors, agents }
}

fn plan(round: &Round<'_>, world: &World, rng: &mut Rng, number: usize, kill_targets: KillTargets) -> Plan {
    if rng.u8(0..3) == 0 {
        return Plan::short(rng, number, SHORT_GRACE, 0);
    }
    let behavior = [StopBehaviour::Obeys, StopBehaviour::Hides, StopBehaviour::Stubborn][rng.usize(0..3)];
    let clear = if round.context.has_cgroup || !kill_targets.supervisors {
        EnvClearing::Allowed
    } else {
        EnvClearing::Forbidden
    };
    let plan = Plan::endless(rng, world, number, behavior, clear);
    if round.context.has_cgroup { plan.settled() } else { plan }
}

/// Kills processes in random order, and waits until they are gone.
fn kill(
    world: &World,
    rng: &mut Rng,
    server: &mut McpServer,
    kill_targets: KillTargets,
) -> BTreeMap<String, ActionsTaken> {
    let mut actions: BTreeMap<String, ActionsTaken> = BTreeMap::new();
    let mut targets: Vec<Option<Process>> = if kill_targets.server { vec![None] } else { vec![] };
    let supervisors = world.supervisors();
    let sure = rng.usize(0..supervisors.len().max(1));
    let processes = world.processes();
    for (at, (id, supervisor)) in supervisors.iter().enumerate() {
        if at != sure && rng.u8(0..3) == 0 {
            continue;
        }
        let taken = actions.entry(id.clone()).or_default();
        if kill_targets.supervisors {
            taken.supervisor_killed = true;
            targets.push(Some(supervisor.process));
        }
        let agents = processes
            .iter()
            .filter(|seen| seen.parent == supervisor.process.pid && seen.args.contains(" exec --json "));
        for agent in agents.filter(|_| kill_targets.agents) {
            taken.agent_killed = true;
            targets.push(Some(agent.process));
        }
    }
    rng.shuffle(&mut targets);
    for target in &targets {
        match target {
            Some(process) => process.kill(),
            None => server.signal(Signal::KILL),
        }
    }
    if kill_targets.server {
        server.kill();
    }
    within(ANSWER_TIMEOUT, || targets.iter().flatten().all(|process| !process.is_alive()).then_some(()));
    actions
}

/// Cancels each task that was not killed and does not end by itself, as soon as it has a record, until no task is
/// left.
fn cancel_endless_tasks(
    world: &World,
    plans: &[Plan],
    server: &mut McpServer,
    actions: &mut BTreeMap<String, ActionsTaken>,
    writers: &Writers,
    has_begun_all: impl Fn() -> bool,
) {
    within(ANSWER_TIMEOUT, || {
        let mut running = world.running();
        running.retain(|id| !writers.killed.contains(id));
        for id in &running {
            let Some(Ok(record)) = world.record(id) else { continue };
            let prompt = record["task"].as_str().unwrap_or_default();
            let is_endless =
                plans.iter().any(|plan| plan.wrote(prompt) && !matches!(plan.behavior, StopBehaviour::Ends(_)));
            let taken = actions.entry(id.clone()).or_default();
            if is_endless && !taken.cancelled && !taken.agent_killed {
                taken.cancelled = true;
                // The files show the result.
                server.start_call("codex_cancel", json!({"taskId": id}));
            }
        }
        (running.is_empty() && has_begun_all()).then_some(())
    });
}

/// The actions taken, by the number of the plan.
fn by_plan(world: &World, plans: &[Plan], actions: &BTreeMap<String, ActionsTaken>) -> BTreeMap<usize, ActionsTaken> {
    let of = |(id, taken): (&String, &ActionsTaken)| {
        let record = world.record(id)?.ok()?;
        let prompt = record["task"].as_str()?;
        Some((plans.iter().find(|plan| plan.wrote(prompt))?.number, *taken))
    };
    actions.iter().filter_map(of).collect()
}

/// The possible outcomes of a task after these actions. If there were several actions, they raced.
fn outcomes(plan: &Plan, taken: ActionsTaken, server_is_gone: bool) -> Vec<TaskOutcome> {
    let mut outcomes = Vec::new();
    if matches!(plan.behavior, StopBehaviour::Ends(_)) {
        outcomes.push(TaskOutcome::Completed);
    }
    if taken.supervisor_killed || server_is_gone {
        outcomes.push(TaskOutcome::Interrupted);
    }
    if taken.agent_killed {
        outcomes.push(TaskOutcome::Killed);
    }
    if taken.cancelled {
        outcomes.push(TaskOutcome::Cancelled);
    }
    outcomes
}

/// Removes abandoned run directories. A supervisor that was killed before its task existed leaves an empty run
/// directory, which a server removes when it is old enough.
fn stop_abandoned(round: &Round<'_>, world: &World) {
    let abandoned = world.running();
    if abandoned.is_empty() {
        return;
    }
    let long_ago = SystemTime::now() - ABANDONED_TIMEOUT;
    for id in &abandoned {
        let directory = fs::File::open(world.data().join("run").join(id));
        if let Err(problem) = directory.and_then(|directory| directory.set_modified(long_ago)) {
            round.violation(format!("run/{id} cannot be made older: {problem}"));
        }
    }
    round.context.report.note("killed before the task existed", u64::try_from(abandoned.len()).unwrap_or_default());
    let _server = world.server();
    if within(ANSWER_TIMEOUT, || world.running().is_empty().then_some(())).is_none() {
        round.violation(format!("run directories without a task were not removed: {:?}", world.running()));
    }
}
