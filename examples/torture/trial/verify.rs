//! The conditions that must hold after a round, checked with only the process table and the files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{
    plan::{Plan, final_answer},
    process_scan::{QUIET_PERIOD, QuietCheck},
    round::{Round, tail},
    world::{ANSWER_TIMEOUT, POLL_INTERVAL, World, names_in, within},
};

/// How long a killed process may take to disappear.
const DYING_TIME: Duration = Duration::from_millis(500);

/// The ways in which a task can end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TaskOutcome {
    Completed,
    Cancelled,
    TimedOut,
    Interrupted,
    Killed,
    Exited(u8),
}

impl TaskOutcome {
    /// The outcome in a record; `None` if it is not a documented one.
    pub(crate) fn of(record: &Value) -> Option<TaskOutcome> {
        let reason = record["failureReason"].as_str();
        match (record["status"].as_str()?, reason) {
            ("completed", None) => Some(TaskOutcome::Completed),
            ("failed", Some("Cancelled by user")) => Some(TaskOutcome::Cancelled),
            ("failed", Some(reason)) if reason.starts_with("Timeout after ") => Some(TaskOutcome::TimedOut),
            ("failed", Some("Killed by SIGKILL")) => Some(TaskOutcome::Killed),
            ("failed", Some(reason)) => reason.strip_prefix("Exited with code ")?.parse().ok().map(TaskOutcome::Exited),
            ("interrupted", Some("Server restarted while task was running")) => Some(TaskOutcome::Interrupted),
            _ => None,
        }
    }
}

/// One task, and its possible outcomes.
#[derive(Debug, Clone)]
pub(crate) struct Expected<'a> {
    pub(crate) plan: &'a Plan,
    /// Its ID, if the server announced one; then the task must exist.
    pub(crate) id: Option<String>,
    /// Several if there was a race.
    pub(crate) outcomes: Vec<TaskOutcome>,
    /// Everything that was done to it, for a violation.
    pub(crate) story: String,
}

/// Everything that was done to the processes that write files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writers {
    /// Some were killed, and may have left unfinished files.
    pub(crate) were_killed: bool,
    /// The IDs of killed supervisors. If there is no record, the supervisor was killed before the task existed.
    pub(crate) killed: BTreeSet<String>,
}

/// Waits until every task in this world has ended, and then reports everything that is wrong.
pub(crate) fn verify(round: &Round<'_>, world: &World, expected: &[Expected<'_>], writers: &Writers) {
    wait_for_the_end(round, world, writers);
    check_no_process_is_left(round, world);
    let records = records(round, world);
    for task in expected {
        check(round, world, &records, task);
    }
    for (id, record) in &records {
        let prompt = record["task"].as_str().unwrap_or_default();
        if !expected.iter().any(|task| task.plan.wrote(prompt)) {
            round.violation(format!("nobody started task {id}: {record}"));
        }
    }
    index(round, world, &records);
    leftovers(round, world, writers);
}

/// Waits until no task has a run directory: then each task has ended and is in the index.
fn wait_for_the_end(round: &Round<'_>, world: &World, writers: &Writers) {
    let open = || -> Vec<String> {
        let recorded: BTreeSet<String> = world.recorded().into_iter().collect();
        let mut open = world.running();
        open.retain(|id| recorded.contains(id) || !writers.killed.contains(id));
        open
    };
    if within(ANSWER_TIMEOUT, || open().is_empty().then_some(())).is_none() {
        for id in open() {
            let status = match world.record(&id) {
                Some(Ok(record)) => record["status"].to_string(),
                Some(Err(problem)) => problem,
                None => "no record".to_owned(),
            };
            round.violation(format!("task {id} does not end; its record: {status}\n{}", world.log(&id)));
        }
    }
}

/// Checks that no process of an ended task is left. Servers may still run.
fn check_no_process_is_left(round: &Round<'_>, world: &World) {
    let scan = || {
        let mut left = world.processes();
        // A server has neither a role nor a task in its arguments.
        left.retain(|seen| seen.args.contains(" supervise ") || !seen.args.contains("--data-dir"));
        left
    };
    let quiet = QuietCheck::begin(&format!("{}/", world.marks().display()));
    // A killed process may still be dying; a process that continues shows itself within this time too.
    let mut left = scan();
    let deadline = Instant::now() + DYING_TIME;
    while !left.is_empty() && Instant::now() < deadline {
        thread::sleep(POLL_INTERVAL);
        left = scan();
    }
    for survivor in &left {
        round.violation(format!("a process is left: {survivor}"));
    }
    if left.is_empty()
        && (quiet.has_new_marks() || within(QUIET_PERIOD, || quiet.has_new_marks().then_some(())).is_some())
    {
        round.violation("a chain of processes continues, too fast to be scanned");
    }
}

/// Every record of the world, by ID.
fn records(round: &Round<'_>, world: &World) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    for id in world.recorded() {
        match world.record(&id) {
            Some(Ok(record)) if record["id"] == id.as_str() => drop(records.insert(id, record)),
            Some(Ok(record)) => round.violation(format!("the record of {id} has another ID: {record}")),
            Some(Err(problem)) => round.violation(problem),
            None => round.violation(format!("the record of {id} is gone")),
        }
    }
    records
}

/// Compares one task with what was done to it.
fn check(round: &Round<'_>, world: &World, records: &BTreeMap<String, Value>, task: &Expected<'_>) {
    let mut own = records.iter().filter(|(_, record)| task.plan.wrote(record["task"].as_str().unwrap_or_default()));
    let (found, second) = (own.next(), own.next());
    let name = format!("t{} ({})", task.plan.number, task.story);
    if let Some((id, _)) = second {
        round.violation(format!("{name} has a second record, {id}"));
    }
    let Some((id, record)) = found else {
        if let Some(id) = &task.id {
            round.violation(format!("{name} is lost: the server gave it the ID {id}, but there is no record"));
        }
        return;
    };
    if task.id.as_ref().is_some_and(|announced| announced != id) {
        round.violation(format!("{name} has the ID {id} in its record, but {:?} in the server's answer", task.id));
    }
    let outcome = TaskOutcome::of(record);
    if !outcome.is_some_and(|outcome| task.outcomes.contains(&outcome)) {
        round.violation(format!(
            "{name} ended as {outcome:?}, but only {:?} are possible\nstatus {}, reason {}, the agent said {}\n{}",
            task.outcomes,
            record["status"],
            record["failureReason"],
            record["agentSaid"],
            tail(&world.data().join("logs").join(format!("{id}.log"))),
        ));
    }
    let log = world.log(id);
    if !log.contains("END: ") {
        round.violation(format!("the log of {name}, {id}, has no END line:\n{log}"));
    }
    if outcome == Some(TaskOutcome::Completed) {
        let result = fs::read_to_string(world.data().join("logs").join(format!("{id}.result"))).unwrap_or_default();
        if result.trim_end() != final_answer(task.plan.number) {
            round.violation(format!("the result of {name}, {id}, is {result:?}"));
        }
    }
}

/// Checks that the index has one entry for each record, with the same outcome.
fn index(round: &Round<'_>, world: &World, records: &BTreeMap<String, Value>) {
    let content = fs::read(world.data().join("tasks.json")).unwrap_or_default();
    let index: BTreeMap<String, Value> = match serde_json::from_slice(&content) {
        Ok(index) => index,
        Err(_) if content.is_empty() && records.is_empty() => BTreeMap::new(),
        Err(problem) => {
            return round.violation(format!("tasks.json ({} bytes) is not an index: {problem}", content.len()));
        }
    };
    for (id, record) in records {
        match index.get(id) {
            None => round.violation(format!("task {id} ({}) is not in tasks.json", record["status"])),
            Some(entry) if ["status", "failureReason", "completedAt"].iter().any(|key| entry[key] != record[key]) => {
                round.violation(format!(
                    "tasks.json says of {id}: {} {}; its record: {} {}",
                    entry["status"], entry["failureReason"], record["status"], record["failureReason"]
                ));
            }
            Some(_) => {}
        }
    }
    for id in index.keys().filter(|id| !records.contains_key(*id)) {
        round.violation(format!("tasks.json lists {id}, but there is no record of it"));
    }
}

/// Checks that no unexpected files are left.
fn leftovers(round: &Round<'_>, world: &World, writers: &Writers) {
    let data = world.data();
    for directory in [data.clone(), data.join("logs"), data.join("run")] {
        for name in names_in(&directory) {
            let is_unfinished = name.starts_with(".new-") && !writers.were_killed;
            if is_unfinished || name.contains("-damaged-") {
                round.violation(format!("{} is left in {}", name, directory.display()));
            }
        }
    }
    for id in world.running() {
        if !writers.killed.contains(&id) {
            round.violation(format!("run/{id} is left"));
        }
    }
}
