//! The timeline of a task on disk, and its use in answers.

use std::{fs, time::Duration};

use connector_testing::eventually;
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, field, start, task_id, wait_for_end, wait_for_log};

fn entries(world: &World, id: &str) -> Vec<Value> {
    let content = fs::read_to_string(world.log_file(id, "timeline.jsonl")).expect("there is a timeline");
    content.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

fn kinds(entries: &[Value]) -> Vec<&str> {
    entries.iter().map(|entry| entry["kind"].as_str().expect("each entry has a kind")).collect()
}

#[test]
fn a_timeline_reports_what_happened_from_start_to_end() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let steps = json!([{"run": "echo hello"}, {"sleep": 1.5}, {"say": format!("long {}", "x".repeat(10_000))}]);
    let answer = server.call("codex_agent", world.fake(steps), |_| {});
    let id = task_id(&answer);
    let entries = entries(&world, &id);
    assert!(entries.iter().all(|entry| entry["v"] == 1));
    assert!(entries.iter().map(|entry| entry["seq"].as_u64()).eq((1..=entries.len() as u64).map(Some)));
    let expected = ["started", "session", "command_started", "command_finished", "message", "usage", "ended"];
    assert_eq!(kinds(&entries), expected);
    assert_eq!((&entries[0]["backend"], &entries[0]["attempt"]), (&json!("codex"), &json!(1)));
    let finished = &entries[3];
    assert_eq!((&finished["status"], &finished["exitCode"]), (&json!("completed"), &json!(0)));
    assert!(finished["output"].as_str().is_some_and(|output| output.contains("hello")), "{finished}");
    let message = entries[4]["text"].as_str().expect("a message has a text");
    assert!(message.starts_with("long x") && message.contains("bytes left out") && message.len() < 4_200, "{message}");
    assert_eq!(entries[6]["status"], "completed");
    assert!(world.log(&id).contains(&"x".repeat(10_000)), "the log is complete");
    assert!(answer.progress.iter().any(|line| line.contains(": command ")), "{:?}", answer.progress);
}

#[test]
fn queued_and_cancelled_tasks_are_recorded_in_the_timeline() {
    let world = World::with_fake_agent().configure("[limits]\nmax_running = 1\n");
    let mut server = world.server();
    let first = start(&mut server, world.fake(json!([{"say": "busy"}, {"hang": true}])));
    wait_for_log(&world, &first, "MESSAGE: busy");
    let second = start(&mut server, world.fake(json!([{"say": "done"}])));
    wait_for_log(&world, &second, "QUEUED");
    server.call("codex_cancel", json!({"taskId": first}), |_| {});
    wait_for_end(&mut server, &second);
    let cancelled = entries(&world, &first);
    assert_eq!(kinds(&cancelled)[..3], ["started", "session", "message"]);
    let stopping = cancelled.iter().find(|entry| entry["kind"] == "stopping").expect("it was stopped");
    assert_eq!(stopping["cause"], "cancelled by user");
    let end = cancelled.last().expect("it has ended");
    assert_eq!((&end["kind"], &end["reason"]), (&json!("ended"), &json!("Cancelled by user")));
    let queued = entries(&world, &second);
    assert_eq!((&queued[0]["kind"], &queued[0]["maxRunning"]), (&json!("queued"), &json!(1)));
    assert_eq!(kinds(&queued).last(), Some(&"ended"));
}

#[test]
fn the_timeline_of_a_task_whose_supervisor_was_killed_gets_its_end_once() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let call = server.start_call("codex_agent", world.fake(json!([{"say": "busy"}, {"hang": true}])));
    let id = eventually("a task", ANSWER_TIMEOUT, || {
        call.progress().iter().find_map(|line| line.strip_prefix("Task ")?.split(' ').next().map(str::to_owned))
    });
    eventually("an entry", ANSWER_TIMEOUT, || {
        fs::read_to_string(world.log_file(&id, "timeline.jsonl")).ok()?.contains("busy").then_some(())
    });
    kill_process(world.supervisor_of(&id), Signal::KILL).expect("it is ours");
    // As if the supervisor was killed while writing.
    let path = world.log_file(&id, "timeline.jsonl");
    let torn = [&fs::read(&path).expect("it exists")[..], b"{\"v\":1,\"se"].concat();
    fs::write(&path, torn).expect("it is writable");
    call.wait(ANSWER_TIMEOUT, |_| {});
    drop(server);
    let _another = world.server();
    let content = fs::read_to_string(&path).expect("it exists");
    let readable: Vec<Value> = content.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(kinds(&readable).iter().filter(|kind| **kind == "ended").count(), 1, "{content}");
    assert_eq!(readable.last().expect("it has entries")["status"], "interrupted");
}

#[test]
fn a_flood_of_events_is_cut_but_the_log_keeps_everything() {
    let world = World::with_fake_agent();
    let flood = json!({"lines": 5_000, "length": 100, "json": true});
    let answer = world.server().call("codex_agent", world.fake(json!([{"flood": flood}, {"say": "done"}])), |_| {});
    let id = task_id(&answer);
    let entries = entries(&world, &id);
    let omitted: u64 = entries.iter().filter_map(|entry| entry["count"].as_u64()).sum();
    let shown = entries.iter().filter(|entry| entry["kind"] == "message").count() as u64;
    assert!(omitted > 1_000 && entries.len() < 1_000, "{omitted} omitted, {} entries", entries.len());
    assert!(shown + omitted >= 5_001, "{shown} shown and {omitted} omitted");
    assert_eq!((kinds(&entries)[0], kinds(&entries).last()), ("started", Some(&"ended")));
    assert!(world.log(&id).matches("MESSAGE: ").count() >= 5_001);
}

#[test]
fn a_status_counts_the_steps_since_the_last_one() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let gate = world.home().join("go");
    let wait = format!("while ! [ -e {} ]; do sleep 0.05; done", gate.display());
    let id = start(&mut server, world.fake(json!([{"say": "one"}, {"run": wait}, {"say": "two"}, {"hang": true}])));
    wait_for_log(&world, &id, "COMMAND STARTED");
    let first = server.call("codex_status", json!({"taskId": id}), |_| {});
    assert_eq!(field(&first.text, "New"), None, "{}", first.text);
    fs::write(&gate, "").expect("it is writable");
    wait_for_log(&world, &id, "MESSAGE: two");
    let new = eventually("both steps", ANSWER_TIMEOUT, || {
        let new = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
        let new = field(&new, "New")?.to_owned();
        new.contains("message").then_some(new)
    });
    assert!(new.starts_with("1 message, 1 command since you last checked"), "{new}");
}

#[test]
fn the_end_of_a_task_in_another_window_is_noticed_soon() {
    let world = World::with_fake_agent();
    let mut first = world.server();
    for kill in [false, true] {
        let id = start(&mut first, world.fake(json!([{"say": "busy"}, {"hang": true}])));
        wait_for_log(&world, &id, "MESSAGE: busy");
        let mut waiting = world.command(&["wait", &id]);
        let mut waiting = waiting.stdout(std::process::Stdio::piped()).spawn().expect("it starts");
        // It follows the timeline as soon as it has opened the file.
        let path = world.log_file(&id, "timeline.jsonl");
        eventually("a follower", ANSWER_TIMEOUT, || {
            let open = fs::read_dir(format!("/proc/{}/fd", waiting.id())).ok()?.flatten();
            open.filter_map(|fd| fs::read_link(fd.path()).ok()).any(|name| name == path).then_some(())
        });
        let began = std::time::Instant::now();
        if kill {
            kill_process(world.supervisor_of(&id), Signal::KILL).expect("it is ours");
        } else {
            first.call("codex_cancel", json!({"taskId": id}), |_| {});
        }
        eventually("the end of `wait`", ANSWER_TIMEOUT, || waiting.try_wait().ok()?.map(drop));
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    }
}
