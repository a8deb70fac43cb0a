//! A long history whose catalog has to be built: by a server that starts, or by a verb that lists tasks.

use std::{fs, time::Duration};

use connector_testing::eventually;
use serde_json::json;

use crate::{
    cli_read::run,
    world::{World, field, start, wait_for_end},
};

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
        let _ = fs::remove_file(world.data_dir().join(name));
    }
    id(TASKS)
}

fn id(number: u32) -> String {
    format!("{number:08x}")
}

/// A data directory with one ended task that no server uses, and the task's ID.
fn with_one_task() -> (World, String) {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let newest = start(&mut server, world.fake(json!([{"say": "done"}])));
    wait_for_end(&mut server, &newest);
    drop(server);
    eventually("no open task", Duration::from_secs(30), || {
        fs::read_dir(world.data_dir().join("run")).expect("it exists").next().is_none().then_some(())
    });
    (world, newest)
}

#[test]
fn the_command_line_rebuilds_a_lost_or_damaged_catalog_without_a_server() {
    let (world, newest) = with_one_task();
    let oldest = lengthen(&world, &newest);
    let all = (TASKS + 1).to_string();
    // On a slow machine, a message says that the catalog is being rebuilt.
    let list = |args: &[&str]| {
        let ran = run(&world, args);
        assert_eq!(ran.code, Some(0), "{args:?} {}", ran.stderr);
        assert!(ran.stderr.is_empty() || ran.stderr.starts_with("Rebuilding the list of tasks"), "{}", ran.stderr);
        ran.stdout
    };
    let catalog = world.data_dir().join("index.sqlite");
    let place = format!("@{all}");
    for lists in [&["ls", "-n", "2000"][..], &["prune", "--keep", "0", "--dry-run"]] {
        let listed = list(lists);
        assert_eq!(listed.lines().count().to_string(), all, "{lists:?}");
        assert!(listed.contains(&oldest) && catalog.exists(), "{lists:?}");
        fs::remove_file(&catalog).expect("it exists");
    }
    let used = list(&["usage", "--by", "backend"]);
    assert!(used.starts_with(&format!("codex\t{all}\t")) && catalog.exists(), "{used}");
    fs::write(&catalog, "garbage").expect("it is writable");
    assert!(list(&["show", &place]).contains(&oldest));
    assert!(list(&["ls", "--json", "-n", "1"]).contains("\"partial\": false"));

    // Another process seems to rebuild it.
    fs::remove_file(&catalog).expect("it exists");
    let lock = fs::File::open(world.data_dir().join("index.lock")).expect("it exists");
    lock.lock().expect("it is free");
    let ran = run(&world, &["ls"]);
    assert!(ran.code == Some(0) && ran.stdout.contains(&newest), "{}", ran.stdout);
    assert!(ran.stderr.contains("so older tasks may be missing: ") && ran.stderr.contains("locked"), "{}", ran.stderr);
}

#[test]
fn a_long_history_is_usable_while_it_is_indexed() {
    let (world, newest) = with_one_task();
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
