//! What has to be true after a round, by the process table and the files alone.

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

/// How long a process may take to be gone that was killed a moment ago.
const DYING_TIME: Duration = Duration::from_millis(500);

/// How a task can end.
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
    /// What a record says; `None` when that is none of the documented ends.
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

/// One task, and what may have become of it.
#[derive(Debug, Clone)]
pub(crate) struct Expected<'a> {
    pub(crate) plan: &'a Plan,
    /// Its id, where the server told us one: then there is such a task.
    pub(crate) id: Option<String>,
    /// Where two things raced, there are several.
    pub(crate) outcomes: Vec<TaskOutcome>,
    /// What was done to it, for a violation.
    pub(crate) story: String,
}

/// What was done to those who write files.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writers {
    /// Some were killed, and may have left what they were writing.
    pub(crate) were_killed: bool,
    /// Ids of supervisors that were killed: those without a record were killed before there was a task.
    pub(crate) killed: BTreeSet<String>,
}

/// Waits until every task in this world has ended, and says what is wrong then.
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
            round.violation(format!("nobody asked for the task {id}: {record}"));
        }
    }
    index(round, world, &records);
    leftovers(round, world, writers);
}

/// Waits until no task has a run directory any more: then each of them has ended and is in the index.
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
            round.violation(format!("the task {id} does not end; its record: {status}\n{}", world.log(&id)));
        }
    }
}

/// Every process of a task has to be gone when the task has ended. Servers may be there.
fn check_no_process_is_left(round: &Round<'_>, world: &World) {
    let scan = || {
        let mut left = world.processes();
        // A server has neither a role nor a task.
        left.retain(|seen| seen.args.contains(" supervise ") || !seen.args.contains("--data-dir"));
        left
    };
    let quiet = QuietCheck::begin(&format!("{}/", world.marks().display()));
    // What was killed a moment ago may still be dying; what goes on shows itself within that time too.
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
        round.violation("a chain of processes goes on, too fast to be seen");
    }
}

/// Every record of the world, by id.
fn records(round: &Round<'_>, world: &World) -> BTreeMap<String, Value> {
    let mut records = BTreeMap::new();
    for id in world.recorded() {
        match world.record(&id) {
            Some(Ok(record)) if record["id"] == id.as_str() => drop(records.insert(id, record)),
            Some(Ok(record)) => round.violation(format!("the record of {id} is another's: {record}")),
            Some(Err(problem)) => round.violation(problem),
            None => round.violation(format!("the record of {id} is gone")),
        }
    }
    records
}

/// Holds one task against what was done to it.
fn check(round: &Round<'_>, world: &World, records: &BTreeMap<String, Value>, task: &Expected<'_>) {
    let mut own = records.iter().filter(|(_, record)| task.plan.wrote(record["task"].as_str().unwrap_or_default()));
    let (found, second) = (own.next(), own.next());
    let name = format!("t{} ({})", task.plan.number, task.story);
    if let Some((id, _)) = second {
        round.violation(format!("{name} has a second record, {id}"));
    }
    let Some((id, record)) = found else {
        if let Some(id) = &task.id {
            round.violation(format!("{name} is lost: the server gave it the id {id}, and there is no record"));
        }
        return;
    };
    if task.id.as_ref().is_some_and(|announced| announced != id) {
        round.violation(format!("{name} is {id} by its record, and {:?} by the server's answer", task.id));
    }
    let outcome = TaskOutcome::of(record);
    if !outcome.is_some_and(|outcome| task.outcomes.contains(&outcome)) {
        round.violation(format!(
            "{name} ended as {outcome:?}, and may have ended as {:?}\nstatus {}, reason {}, the agent said {}\n{}",
            task.outcomes,
            record["status"],
            record["failureReason"],
            record["agentSaid"],
            tail(&world.data().join("logs").join(format!("{id}.log"))),
        ));
    }
    let log = world.log(id);
    if !log.contains("END: ") {
        round.violation(format!("the log of {name}, {id}, has no end:\n{log}"));
    }
    if outcome == Some(TaskOutcome::Completed) {
        let result = fs::read_to_string(world.data().join("logs").join(format!("{id}.result"))).unwrap_or_default();
        if result.trim_end() != final_answer(task.plan.number) {
            round.violation(format!("the result of {name}, {id}, is {result:?}"));
        }
    }
}

/// The index has one entry for each record, with the same end.
fn index(round: &Round<'_>, world: &World, records: &BTreeMap<String, Value>) {
    let content = fs::read(world.data().join("tasks.json")).unwrap_or_default();
    let index: BTreeMap<String, Value> = match serde_json::from_slice(&content) {
        Ok(index) => index,
        Err(_) if content.is_empty() && records.is_empty() => BTreeMap::new(),
        Err(problem) => return round.violation(format!("tasks.json ({} bytes) is no index: {problem}", content.len())),
    };
    for (id, record) in records {
        match index.get(id) {
            None => round.violation(format!("the task {id} ({}) is not in tasks.json", record["status"])),
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
        round.violation(format!("tasks.json lists {id}, of which there is no record"));
    }
}

/// Files that should not be there.
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
