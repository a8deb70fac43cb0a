//! Every way in which a process can hide from its task, with and without a cgroup.

use connector_testing::{eventually, processes::is_alive};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, pid_in, start, wait_for_log};

/// The ways of hiding, by their names in the fake agent.
const WAYS: [&[&str]; 12] = [
    &[],
    &["own_group"],
    &["setsid"],
    &["double_fork"],
    &["ignore_term", "ignore_int"],
    &["stopped"],
    &["clear_env"],
    &["hold_pipe"],
    &["setsid", "double_fork", "clear_env"],
    &["own_group", "stopped", "ignore_term", "ignore_int", "hold_pipe"],
    &["setsid", "double_fork", "clear_env", "ignore_term", "ignore_int", "stopped", "hold_pipe"],
    &["double_fork", "hold_pipe"],
];

fn child(ways: &[&str], more: Value) -> Value {
    let mut child = json!({"seconds": 300});
    let fields = child.as_object_mut().expect("an object");
    fields.extend(ways.iter().map(|way| ((*way).to_owned(), json!(true))));
    fields.extend(more.as_object().expect("an object").clone());
    json!({"child": child})
}

fn world(cgroup: &str) -> World {
    let grace = "interrupt_grace = \"200ms\"\nterminate_grace = \"200ms\"\n";
    World::with_fake_agent().configure(&format!("[stopping]\n{grace}cgroup = \"{cgroup}\"\n"))
}

/// Cancels a task whose agent ignores signals and whose children hide in every way.
fn check_no_process_hides(cgroup: &str) {
    let world = world(cgroup);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let file = |number: usize| dir.path().join(number.to_string());
    let mut steps: Vec<Value> =
        WAYS.iter().enumerate().map(|(at, ways)| child(ways, json!({"pid_file": file(at)}))).collect();
    steps.extend([json!({"ignore": ["INT", "TERM"]}), json!({"say": "ready"}), json!({"sleep": 300})]);
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!(steps)));
    wait_for_log(&world, &id, "MESSAGE: ready");
    let children: Vec<u32> = (0..WAYS.len()).map(|at| pid_in(&file(at))).collect();
    assert!(children.iter().all(|child| is_alive(*child)));

    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});

    assert!(answer.text.contains("Cancelled by user"), "{}", answer.text);
    for (ways, child) in WAYS.iter().zip(children) {
        assert!(!is_alive(child), "{ways:?} still runs");
    }
}

#[test]
fn no_process_hides_from_a_cgroup() {
    check_no_process_hides("auto");
}

#[test]
fn no_process_hides_without_a_cgroup() {
    check_no_process_hides("off");
}

/// The number of processes with `mark` in their arguments.
fn marked(mark: &str) -> usize {
    let arguments = std::fs::read_dir("/proc").into_iter().flatten().flatten().filter_map(|process| {
        process.file_name().to_str()?.parse::<u32>().ok()?;
        std::fs::read(process.path().join("cmdline")).ok()
    });
    arguments.filter(|arguments| arguments.windows(mark.len()).any(|part| part == mark.as_bytes())).count()
}

/// Cancels a task with children that fork as fast as possible.
fn check_no_process_outruns_kill(cgroup: &str, ways: &[&str], what: &Value) {
    let world = world(cgroup);
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let mark = dir.path().join("mark").to_string_lossy().into_owned();
    let mut what = what.clone();
    what["mark"] = json!(mark);
    // Waits while the agent is moved into its cgroup; no real agent starts a command sooner.
    let steps = json!([{"await_cgroup": 0.3}, child(ways, what), {"ignore": ["INT", "TERM"]}, {"say": "ready"}, {"sleep": 300}]);
    let mut server = world.server();
    let id = start(&mut server, world.fake(steps));
    wait_for_log(&world, &id, "MESSAGE: ready");
    eventually("a swarm", ANSWER_TIMEOUT, || (marked(&mark) > 0).then_some(()));

    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});

    assert!(answer.text.contains("Cancelled by user"), "{}", answer.text);
    // A chain is not visible at every moment, so this looks for it repeatedly.
    let seen: usize = (0..50).map(|_| marked(&mark)).sum();
    assert_eq!(seen, 0, "a forking process was not killed");
}

#[test]
fn no_process_forks_faster_than_it_is_killed_with_a_cgroup() {
    check_no_process_outruns_kill("auto", &[], &json!({"fork_chain": true, "seconds": 60}));
    check_no_process_outruns_kill("auto", &["setsid", "clear_env"], &json!({"fork_chain": true, "seconds": 60}));
    check_no_process_outruns_kill("auto", &[], &json!({"fork_storm": true, "count": 200}));
}

#[test]
fn no_process_forks_faster_than_it_is_killed_without_a_cgroup() {
    check_no_process_outruns_kill("off", &[], &json!({"fork_chain": true, "seconds": 60}));
    check_no_process_outruns_kill("off", &["setsid", "clear_env"], &json!({"fork_chain": true, "seconds": 60}));
    check_no_process_outruns_kill("off", &[], &json!({"fork_storm": true, "count": 200}));
}
