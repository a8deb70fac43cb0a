//! Limits on running tasks and on logs, and the order of the queue.

use connector_testing::{eventually, processes::processes_with_env};
use rustix::process::Signal;
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, field, start, task_id, wait_for_end, wait_for_log};

fn with_one_slot() -> World {
    World::with_fake_agent().configure("[limits]\nmax_running = 1\n")
}

fn has_an_agent(id: &str) -> bool {
    !processes_with_env("CONNECTOR_TASK_IDS", id).is_empty()
}

#[test]
fn a_task_above_the_limit_is_queued_across_windows_and_says_so() {
    let world = with_one_slot();
    let (mut first, mut second) = (world.server(), world.server());
    let running = start(&mut first, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &running, "MESSAGE: busy");
    let next = start(&mut second, world.fake(json!([{"say": "second"}, {"sleep": 300}])));
    wait_for_log(&world, &next, "QUEUED: 0 ahead, and at most 1 run at a time");
    let last = start(&mut first, world.fake(json!([{"say": "third"}])));
    wait_for_log(&world, &last, "QUEUED: 1 ahead");

    let status = eventually("a status that says so", ANSWER_TIMEOUT, || {
        let status = first.call("codex_status", json!({"taskId": last}), |_| {}).text;
        status.contains("queued").then_some(status)
    });
    assert_eq!(field(&status, "Status"), Some("running"), "{status}");
    let listed = second.call("codex_tasks", json!({}), |_| {}).text;
    assert!(listed.contains("2 queued") && listed.contains("limits.max_running"), "{listed}");
    assert!(!has_an_agent(&next) && !has_an_agent(&last));

    first.call("codex_cancel", json!({"taskId": running}), |_| {});
    wait_for_log(&world, &next, "MESSAGE: second");
    assert!(!has_an_agent(&last), "two tasks run at the same time");
    second.call("codex_cancel", json!({"taskId": next}), |_| {});
    assert_eq!(field(&wait_for_end(&mut first, &last), "Status"), Some("completed"));
}

#[test]
fn a_queued_task_can_be_cancelled_and_ends_with_its_server() {
    let world = with_one_slot();
    let (mut first, mut second) = (world.server(), world.server());
    let running = start(&mut first, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &running, "MESSAGE: busy");
    let cancelled = start(&mut first, world.fake(json!([{"say": "never"}])));
    let orphaned = start(&mut second, world.fake(json!([{"say": "never"}])));
    wait_for_log(&world, &cancelled, "QUEUED:");
    wait_for_log(&world, &orphaned, "QUEUED:");

    let answer = first.call("codex_cancel", json!({"taskId": cancelled}), |_| {});
    assert!(answer.text.contains("Cancelled by user"), "{}", answer.text);
    second.kill();

    let status = wait_for_end(&mut first, &orphaned);
    assert_eq!(field(&status, "Status"), Some("interrupted"), "{status}");
    assert!(!world.log(&cancelled).contains("MESSAGE: never") && !world.log(&orphaned).contains("MESSAGE: never"));
}

#[test]
fn a_task_that_does_not_take_its_turn_does_not_block_the_queue() {
    let world = with_one_slot();
    let mut server = world.server();
    let running = start(&mut server, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &running, "MESSAGE: busy");
    let stopped = start(&mut server, world.fake(json!([{"say": "late"}])));
    wait_for_log(&world, &stopped, "QUEUED: 0 ahead");
    let supervisor = world.supervisor_of(&stopped);
    rustix::process::kill_process(supervisor, Signal::STOP).expect("it is ours");
    let last = start(&mut server, world.fake(json!([{"say": "third"}])));
    wait_for_log(&world, &last, "QUEUED: 1 ahead");

    server.call("codex_cancel", json!({"taskId": running}), |_| {});

    assert_eq!(field(&wait_for_end(&mut server, &last), "Status"), Some("completed"));
    rustix::process::kill_process(supervisor, Signal::CONT).expect("it is ours");
    assert_eq!(field(&wait_for_end(&mut server, &stopped), "Status"), Some("completed"));
}

#[test]
fn a_log_keeps_its_beginning_and_end_within_its_limit() {
    let world = World::with_fake_agent().configure("[logs]\nmax_bytes = \"64KB\"\n[tasks]\nkeep_events = true\n");
    let flood = json!({"lines": 5_000, "length": 200, "stream": "stdout"});
    let answer = world.server().call("codex_agent", world.fake(json!([{"flood": flood}, {"say": "done"}])), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let id = task_id(&answer);
    let log = world.log(&id);
    assert!(log.len() <= 64_000, "{} bytes", log.len());
    assert!(log.contains(&format!("TASK {id}")) && log.contains("MESSAGE: done") && log.contains("END: completed"));
    assert_eq!(log.matches("LEFT OUT: ").count(), 1, "{log}");
    let events = std::fs::read_to_string(world.log_file(&id, "events.jsonl")).expect("events are kept");
    assert!(events.len() <= 64_000 && events.contains("codex-connector.left_out"), "{} bytes", events.len());
}
