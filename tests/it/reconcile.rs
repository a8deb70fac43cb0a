//! Closing the books of tasks whose supervisor is gone, by any number of servers.

use std::fs;

use connector_testing::{eventually, processes::is_alive};
use serde_json::{Value, json};

use crate::world::{PATIENCE, World};

/// A running task without a supervisor, whose record has these fields besides.
fn leave(world: &World, id: &str, more: Value) {
    let (run, logs) = (world.data_dir().join("run").join(id), world.data_dir().join("logs"));
    fs::create_dir_all(run).and_then(|()| fs::create_dir_all(&logs)).expect("the home is writable");
    let mut record =
        json!({"format": 1, "id": id, "task": "x", "status": "running", "startedAt": "2026-01-15T10:30:00Z"});
    record.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fs::write(logs.join(format!("{id}.debug.json")), record.to_string()).expect("the home is writable");
}

fn closed(world: &World) {
    eventually("closed books", PATIENCE, || {
        fs::read_dir(world.data_dir().join("run")).ok()?.next().is_none().then_some(())
    });
}

#[test]
fn five_servers_that_start_at_once_close_each_task_once() {
    let world = World::with_fake_agent();
    let ids: Vec<String> = (0..40).map(|number| format!("{number:08x}")).collect();
    for id in &ids {
        leave(&world, id, json!({}));
    }
    let _servers: Vec<_> = (0..5).map(|_| world.server()).collect();
    closed(&world);
    let index = world.index();
    for id in &ids {
        assert_eq!(world.record(id)["status"], "interrupted");
        assert_eq!(world.record(id)["failureReason"], "Server restarted while task was running");
        assert_eq!(index[id]["status"], "interrupted");
        assert_eq!(world.log(id).matches("END: interrupted").count(), 1, "{}", world.log(id));
    }
}

/// Field 22 of `/proc/PID/stat`.
fn start_time(pid: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let after = stat.rsplit_once(')').expect("the name ends").1;
    after.split_whitespace().nth(19).and_then(|field| field.parse().ok()).expect("a number")
}

#[test]
fn a_process_that_only_has_the_pid_of_an_agent_is_not_touched() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux tells").trim().to_owned();
    let mut bystander = std::process::Command::new("sleep").arg("300").spawn().expect("sleep is installed");
    let (pid, started) = (bystander.id(), start_time(bystander.id()));
    let world = World::with_fake_agent();
    let identity = |start: u64, boot: &str| json!({"agent": {"pid": pid, "startTime": start, "bootId": boot}});
    leave(&world, "00000001", identity(started, "an earlier boot"));
    leave(&world, "00000002", identity(started + 1, &boot));
    let _server = world.server();
    closed(&world);
    assert_eq!(world.record("00000001")["status"], "interrupted");
    assert_eq!(world.record("00000002")["status"], "interrupted");
    assert!(is_alive(pid), "a bystander was ended");

    // The same with the right identity is the agent.
    leave(&world, "00000003", identity(started, &boot));
    let _server = world.server();
    closed(&world);
    assert!(!is_alive(pid));
    bystander.wait().expect("it is our child");
}
