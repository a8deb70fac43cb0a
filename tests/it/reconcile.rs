//! Finalizing tasks whose supervisor is gone, with any number of servers.

use std::fs;

use connector_testing::{eventually, processes::is_alive};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World};

/// Creates a running task without a supervisor; `more` adds fields to its record.
fn create_dead_task(world: &World, id: &str, more: Value) {
    let (run, logs) = (world.data_dir().join("run").join(id), world.data_dir().join("logs"));
    fs::create_dir_all(run).and_then(|()| fs::create_dir_all(&logs)).expect("the home is writable");
    let mut record =
        json!({"format": 1, "id": id, "task": "x", "status": "running", "startedAt": "2026-01-15T10:30:00Z"});
    record.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    fs::write(logs.join(format!("{id}.debug.json")), record.to_string()).expect("the home is writable");
}

fn wait_until_finalized(world: &World) {
    eventually("the end of all tasks", ANSWER_TIMEOUT, || {
        fs::read_dir(world.data_dir().join("run")).ok()?.next().is_none().then_some(())
    });
}

#[test]
fn five_servers_that_start_at_once_finalize_each_task_once() {
    let world = World::with_fake_agent();
    let ids: Vec<String> = (0..40).map(|number| format!("{number:08x}")).collect();
    for id in &ids {
        create_dead_task(&world, id, json!({}));
    }
    let _servers: Vec<_> = (0..5).map(|_| world.server()).collect();
    wait_until_finalized(&world);
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
fn a_process_is_not_killed_just_because_a_record_names_it() {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").expect("Linux reports it").trim().to_owned();
    let mut unrelated = std::process::Command::new("sleep").arg("300").spawn().expect("sleep is installed");
    let marked = "00000004";
    let mut agent = std::process::Command::new("sleep");
    let mut agent = agent.arg("300").env("CONNECTOR_TASK_IDS", marked).spawn().expect("sleep is installed");
    let world = World::with_fake_agent();
    let identity = |pid: u32, more: u64, boot: &str| json!({"agent": {"pid": pid, "startTime": start_time(pid) + more, "bootId": boot}});
    create_dead_task(&world, "00000001", identity(unrelated.id(), 0, "an earlier boot"));
    create_dead_task(&world, "00000002", identity(unrelated.id(), 1, &boot));
    // Everything matches, but the process has no task marker, or the marker of another task.
    create_dead_task(&world, "00000003", identity(unrelated.id(), 0, &boot));
    create_dead_task(&world, "00000005", identity(agent.id(), 0, &boot));
    let server = world.server();
    wait_until_finalized(&world);
    for id in ["00000001", "00000002", "00000003", "00000005"] {
        assert_eq!(world.record(id)["status"], "interrupted");
    }
    assert!(is_alive(unrelated.id()) && is_alive(agent.id()), "an unrelated process was killed");
    drop(server);

    create_dead_task(&world, marked, identity(agent.id(), 0, &boot));
    let _server = world.server();
    wait_until_finalized(&world);
    assert!(!is_alive(agent.id()));
    assert!(is_alive(unrelated.id()));
    for child in [&mut agent, &mut unrelated] {
        let _ = child.kill();
        child.wait().expect("it is our child");
    }
}

#[test]
fn a_directory_that_leads_to_another_tasks_processes_is_not_used_as_a_cgroup() {
    let world = World::with_fake_agent();
    let mut unrelated = std::process::Command::new("sleep").arg("300").spawn().expect("sleep is installed");
    let group = world.home().join("codex-connector-00000001");
    // A directory with the name of a real cgroup, and a link to it.
    let target = world.home().join("target");
    fs::create_dir(&target).expect("the home is writable");
    fs::write(target.join("cgroup.procs"), format!("{}\n", unrelated.id())).expect("the home is writable");
    fs::write(target.join("cgroup.events"), "populated 1\n").expect("the home is writable");
    std::os::unix::fs::symlink(&target, &group).expect("the home is writable");
    for (id, dir) in [("00000001", &group), ("00000002", &target)] {
        create_dead_task(&world, id, json!({}));
        fs::write(world.data_dir().join("run").join(id).join("cgroup"), dir.as_os_str().as_encoded_bytes())
            .expect("the home is writable");
    }
    let _server = world.server();
    wait_until_finalized(&world);
    assert!(is_alive(unrelated.id()), "an unrelated process was killed");
    assert!(!target.join("cgroup.kill").exists() && target.join("cgroup.procs").exists());
    unrelated.kill().and_then(|()| unrelated.wait().map(drop)).expect("it is our child");
}
