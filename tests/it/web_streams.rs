//! The event streams of the web UI.

use std::{
    fs,
    io::Read,
    time::{Duration, Instant},
};

use connector_testing::eventually;
use serde_json::{Value, json};

use crate::{
    web_client::{Event, WebServer},
    world::{ANSWER_TIMEOUT, World, start, wait_for_log},
};

/// The numbers of the entries in these events, in the order in which a page shows them.
fn entries(events: &[Event]) -> Vec<u64> {
    let mut shown = Vec::new();
    for event in events.iter().filter(|event| event.data["id"] == "activity") {
        if event.kind == "replace" {
            shown.clear();
        }
        let items = event.html().split("id=\"e").skip(1);
        shown.extend(items.filter_map(|item| item.split('"').next()?.parse::<u64>().ok()));
    }
    shown
}

/// The numbers of the messages in a task's timeline.
fn messages(world: &World, id: &str) -> Vec<u64> {
    let timeline = fs::read_to_string(world.log_file(id, "timeline.jsonl")).expect("there is a timeline");
    let lines = timeline.lines().map(|line| serde_json::from_str::<Value>(line).expect("each line is JSON"));
    lines.filter(|entry| entry["kind"] == "message").filter_map(|entry| entry["seq"].as_u64()).collect()
}

#[test]
fn a_stream_that_is_cut_misses_and_repeats_nothing() {
    let world = World::with_fake_agent();
    let go = |number: usize| world.home().join(format!("go{number}"));
    let mut steps = vec![];
    for round in 0..3 {
        steps.extend((0..5).map(|number| json!({"say": format!("round {round}, message {number}")})));
        steps.push(json!({"await_file": go(round)}));
    }
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(json!(steps)));
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let address = format!("/tasks/{id}/live");
    let last_message = |round: usize| {
        let words = format!("round {round}, message 4");
        move |event: &Event| event.is("append", "activity") && event.html().contains(&words)
    };

    let first = browser.stream(&address, &[]);
    first.wait_for("the first round", last_message(0));
    let mut all = first.cut();
    let last = |events: &[Event]| events.iter().filter_map(|event| event.id).max().expect("events have numbers");
    fs::write(go(0), "").expect("the home is writable");
    wait_for_log(&world, &id, "round 1, message 4");

    let second = browser.stream(&address, &[("Last-Event-ID", &last(&all).to_string())]);
    second.wait_for("the second round", last_message(1));
    all.extend(second.cut());
    fs::write(go(1), "").expect("the home is writable");

    let third = browser.stream(&format!("{address}?after={}", last(&all)), &[]);
    third.wait_for("the third round", last_message(2));
    fs::write(go(2), "").expect("the home is writable");
    third.wait_for("the end", |event| event.kind == "end");
    third.wait_for_end(Duration::from_secs(5));
    all.extend(third.events());

    let shown = entries(&all);
    assert!(shown.is_sorted_by(|one, next| one < next), "repeated or in the wrong order: {shown:?}");
    let expected = messages(&world, &id);
    assert_eq!(expected.len(), 15);
    let missing: Vec<_> = expected.iter().filter(|seq| !shown.contains(seq)).collect();
    assert!(missing.is_empty(), "missing: {missing:?} of {shown:?}");
}

#[test]
fn a_list_shows_tasks_that_begin_and_end() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let (all, failed) = (browser.stream("/tasks/live", &[]), browser.stream("/tasks/live?state=failed", &[]));
    all.wait_for("the empty list", |event| event.is("replace", "tasks"));
    let release = world.home().join("go");
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(json!([{"await_file": release}, {"fail": "out of luck"}])));
    all.wait_for("the task", |event| event.is("replace", "tasks") && event.html().contains(&id));
    // The list shows how long the task runs, so it changes while the numbers of tasks do not.
    eventually("changes of the list", ANSWER_TIMEOUT, || {
        let changes =
            all.events().into_iter().filter(|event| event.is("replace", "tasks") && event.html().contains(&id));
        (changes.count() >= 3).then_some(())
    });
    assert!(failed.events().iter().all(|event| !event.is("replace", "tasks") || !event.html().contains(&id)));
    fs::write(&release, "").expect("the home is writable");
    failed.wait_for("the failed task", |event| event.is("replace", "tasks") && event.html().contains(&id));
    let events = all.events();
    let contents: Vec<_> = events.iter().filter(|event| event.is("replace", "counts")).map(Event::html).collect();
    assert!(contents.windows(2).all(|two| two[0] != two[1]), "replaced although nothing changed: {contents:?}");
}

#[test]
fn two_hundred_streams_are_served_and_one_more_is_refused() {
    let world = World::with_fake_agent();
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    let mut streams: Vec<_> = (0..200).map(|_| browser.stream("/tasks/live", &[])).collect();
    for stream in &streams {
        stream.wait_for("the list", |event| event.is("replace", "tasks"));
    }
    let refused = browser.get("/tasks/live");
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("5")), "{refused:?}");
    let begun = Instant::now();
    assert_eq!(browser.get("/tasks").status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "streams keep pages waiting: {:?}", begun.elapsed());
    streams.pop().expect("there are some").cut();
    eventually("room for a stream", ANSWER_TIMEOUT, || {
        let next = browser.stream("/tasks/live", &[]);
        std::thread::sleep(Duration::from_millis(50));
        next.events().iter().any(|event| event.kind == "replace").then_some(())
    });
}

#[test]
fn a_client_that_does_not_read_is_disconnected() {
    let world = World::with_fake_agent();
    let flood = json!([{"flood": {"lines": 200_000, "length": 2_000, "json": true}}, {"hang": true}]);
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(flood));
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    // The log is longer than all buffers of a connection.
    eventually("a long log", ANSWER_TIMEOUT, || {
        fs::metadata(world.log_file(&id, "log")).is_ok_and(|log| log.len() > 40 << 20).then_some(())
    });
    let mut connection =
        browser.request("GET", &format!("/tasks/{id}/log.txt")).begin(server.address).expect("the server listens");
    connection.set_read_timeout(Some(Duration::from_secs(5))).expect("a socket has a timeout");
    std::thread::sleep(Duration::from_secs(13));
    let mut received = 0;
    let mut buffer = vec![0; 1 << 20];
    while let Ok(read @ 1..) = connection.read(&mut buffer) {
        received += read;
    }
    assert!(received < 30 << 20, "{received} bytes were sent to a client that did not read");
    mcp.call("codex_cancel", json!({"taskId": id}), |_| {});
}

/// The memory of a process, in KiB.
fn memory(pid: rustix::process::Pid) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it has memory");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

#[test]
fn an_agent_that_does_very_much_floods_neither_the_page_nor_the_memory() {
    let world = World::with_fake_agent();
    let release = world.home().join("go");
    let mut steps = vec![json!({"await_file": release})];
    for _ in 0..6 {
        steps.extend([json!({"flood": {"lines": 1_000, "length": 200, "json": true}}), json!({"sleep": 1.1})]);
    }
    steps.extend([json!({"say": "the last one"}), json!({"hang": true})]);
    let flood = json!(steps);
    let mut mcp = world.server();
    let id = start(&mut mcp, world.fake(flood));
    let server = WebServer::start(&world, &[]);
    let browser = server.browser();
    browser.get(&format!("/tasks/{id}"));
    let stream = browser.stream(&format!("/tasks/{id}/live"), &[]);
    stream.wait_for("the beginning", |event| event.is("append", "activity"));
    let before = memory(server.pid());
    let begun = Instant::now();
    fs::write(&release, "").expect("the home is writable");
    stream.wait_for("the last message", |event| event.html().contains("the last one"));
    let seconds = begun.elapsed().as_secs_f64();
    let events = stream.events();
    let activity: Vec<_> = events.iter().filter(|event| event.data["id"] == "activity").collect();
    let rate = activity.len() as f64 / seconds.max(1.0);
    assert!(rate <= 11.0, "{} events in {seconds:.1} s", activity.len());
    let late = browser.stream(&format!("/tasks/{id}/live?after=1"), &[]);
    let newest = late.wait_for("the newest entries", |event| event.is("replace", "activity"));
    assert!(newest.html().contains("the last one") && newest.html().contains("/tasks/"), "{newest:?}");
    let most = activity.iter().copied().chain([&newest]).map(|event| event.html().matches("<li").count()).max();
    assert!(most.is_some_and(|most| most <= 210), "an event has {most:?} items");
    let grown = memory(server.pid()).saturating_sub(before);
    assert!(grown < 20 << 10, "the memory grew by {grown} KiB");
    mcp.call("codex_cancel", json!({"taskId": id}), |_| {});
}
