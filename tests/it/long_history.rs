//! The first start with a long history, whose catalog has to be built.

use std::{fs, time::Duration};

use connector_testing::eventually;
use serde_json::json;

use crate::world::{World, field, start, wait_for_end};

/// Listing this many records would take too long while the catalog is being built.
const TASKS: u32 = 1_001;

/// Copies the record of an ended task to this many older ones, and removes the catalog. Returns the ID of the oldest.
fn lengthen(world: &World, template: &str) -> String {
    let logs = world.data_dir().join("logs");
    let mut record = world.record(template);
    for number in 1..=TASKS {
        record["id"] = id(number).into();
        record["startedAt"] = format!("2026-01-01T00:{:02}:{:02}.000Z", 59 - number / 60, 59 - number % 60).into();
        fs::write(logs.join(format!("{}.debug.json", id(number))), record.to_string()).expect("it is writable");
    }
    for name in ["index.sqlite", "index.sqlite-wal", "index.sqlite-shm"] {
        fs::remove_file(world.data_dir().join(name)).expect("it exists");
    }
    id(TASKS)
}

fn id(number: u32) -> String {
    format!("{number:08x}")
}

#[test]
fn a_long_history_is_usable_while_it_is_indexed() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let newest = start(&mut server, world.fake(json!([{"say": "done"}])));
    wait_for_end(&mut server, &newest);
    drop(server);
    eventually("no open task", Duration::from_secs(30), || {
        fs::read_dir(world.data_dir().join("run")).expect("it exists").next().is_none().then_some(())
    });
    let oldest = lengthen(&world, &newest);
    // A suspended process appears to be building the catalog.
    let lock = fs::File::open(world.data_dir().join("index.lock")).expect("it exists");
    lock.lock().expect("it is free");

    let mut server = world.server();
    let listed = server.call("codex_tasks", json!({}), |_| {}).text;
    assert!(listed.contains(&newest) && listed.contains("The newest 1 of at least 1 tasks are shown."), "{listed}");
    assert!(listed.contains("this list is incomplete"), "{listed}");
    let status = server.call("codex_status", json!({"taskId": oldest}), |_| {}).text;
    assert_eq!(field(&status, "Status"), Some("completed"), "{status}");
    let page = server.request("resources/list", json!({}));
    let cursor = page["nextCursor"].as_str().unwrap_or_else(|| panic!("a partial list has no last page: {page}"));
    let rest = server.try_request("resources/list", json!({"cursor": cursor}));
    let refused = rest.expect_err("the rest is not indexed yet");
    assert!(format!("{refused:?}").contains("older tasks are still being added"), "{refused:?}");

    drop(lock);
    let all = eventually("a complete list", Duration::from_secs(60), || {
        let listed = server.call("codex_tasks", json!({}), |_| {}).text;
        (!listed.contains("incomplete")).then_some(listed)
    });
    assert!(all.contains(&format!("of {} tasks", TASKS + 1)), "{all}");
    let rest = server.request("resources/list", json!({"cursor": cursor}));
    assert!(rest["resources"].as_array().is_some_and(|rest| !rest.is_empty()), "{rest}");
}
