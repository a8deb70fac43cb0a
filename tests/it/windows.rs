//! Several servers on one home, and servers that are killed.

use connector_testing::{eventually, processes::is_alive, processes::processes_with_env};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, field, pid_in, start, task_id, wait_for_end, wait_for_log};

const MARKER: &str = "CONNECTOR_TASK_IDS";

#[test]
fn an_async_task_is_answered_at_once_and_keeps_running() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"sleep": 1}, {"say": "later"}])));
    assert_eq!(world.record(&id)["status"], "running");
    assert!(wait_for_end(&mut server, &id).contains("later"));
}

#[test]
fn a_second_window_lists_follows_and_cancels_the_task_of_the_first() {
    let world = World::with_fake_agent();
    let (mut first, mut second) = (world.server(), world.server());
    let id = start(&mut first, world.fake(json!([{"say": "working on it"}, {"sleep": 100}])));
    wait_for_log(&world, &id, "working on it");

    let listed = second.call("codex_tasks", json!({"status": "running"}), |_| {});
    assert!(listed.text.contains(&id), "{}", listed.text);
    let status = second.call("codex_status", json!({"taskId": id}), |_| {});
    assert_eq!(field(&status.text, "Status"), Some("running"), "{}", status.text);
    assert!(status.text.contains("working on it"), "{}", status.text);
    let cancelled = second.call("codex_cancel", json!({"taskId": id}), |_| {});
    assert!(cancelled.text.contains("Cancelled by user"), "{}", cancelled.text);

    assert!(wait_for_end(&mut first, &id).contains("Cancelled by user"));
    assert_eq!(world.index()[&id]["status"], "failed");
}

#[test]
fn two_windows_lose_no_records() {
    let world = World::with_fake_agent();
    let (mut first, mut second) = (world.server(), world.server());
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(start(&mut first, world.fake(json!([{"say": "one"}]))));
        ids.push(start(&mut second, world.fake(json!([{"say": "two"}]))));
    }
    for id in &ids {
        wait_for_end(&mut first, id);
    }
    let index = world.index();
    for id in &ids {
        assert_eq!(index[id]["status"], "completed", "task {id} is lost");
    }
    assert_eq!(index.as_object().map(serde_json::Map::len), Some(ids.len()));
}

#[test]
fn a_killed_server_takes_its_tasks_down_and_the_next_one_says_so() {
    let world = World::with_fake_agent();
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = pids.path().join("child");
    let child = json!({"setsid": true, "ignore_term": true, "double_fork": true, "seconds": 300, "pid_file": file});
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"child": child}, {"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    let child = pid_in(&file);

    server.kill();

    eventually("the end of the whole tree", ANSWER_TIMEOUT, || {
        (!is_alive(child) && processes_with_env(MARKER, &id).is_empty()).then_some(())
    });
    let status = wait_for_end(&mut world.server(), &id);
    assert_eq!(field(&status, "Status"), Some("interrupted"), "{status}");
    assert!(status.contains("Server restarted while task was running"), "{status}");
}

#[test]
fn a_task_can_outlive_its_server_and_the_next_one_delivers_its_result() {
    let world = World::with_fake_agent().configure("[tasks]\non_server_exit = \"continue\"\n");
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "busy"}, {"sleep": 2}, {"say": "done after all"}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    server.kill();

    let mut next = world.server();
    let listed = next.call("codex_tasks", json!({"status": "running"}), |_| {});
    assert!(listed.text.contains(&id), "{}", listed.text);
    let status = wait_for_end(&mut next, &id);
    assert_eq!(field(&status, "Status"), Some("completed"), "{status}");
    assert!(status.contains("done after all"), "{status}");
}

#[test]
fn the_next_server_cleans_up_after_a_killed_server_and_supervisor() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"ignore": ["INT", "TERM"]}, {"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    let supervisor = world.supervisor_of(&id);
    server.kill();
    kill_process(supervisor, Signal::KILL).expect("it is ours");

    let mut next = world.server();
    let status = wait_for_end(&mut next, &id);
    assert_eq!(field(&status, "Status"), Some("interrupted"), "{status}");
    assert!(processes_with_env(MARKER, &id).is_empty(), "the agent still runs");
}

/// Whether a cgroup can be created here, tested without our own code.
fn can_make_cgroups() -> bool {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let own = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let mounted = mounts.lines().map(|line| line.split(' ').collect::<Vec<_>>()).find(|mount| mount[2] == "cgroup2");
    let (Some(mounted), Some(own)) = (mounted, own.lines().find_map(|line| line.strip_prefix("0::/"))) else {
        return false;
    };
    let dir = std::path::Path::new(mounted[1]).join(own).join(format!("connector-test-{}", std::process::id()));
    std::fs::create_dir(&dir).and_then(|()| std::fs::remove_dir(&dir)).is_ok()
}

/// A process that hides in every way except in its cgroup, after its supervisor and server were killed and the task
/// was finalized.
fn hidden_from_a_killed_supervisor(world: &World) -> u32 {
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = pids.path().join("child");
    let child = json!({"setsid": true, "double_fork": true, "clear_env": true, "seconds": 300, "pid_file": file});
    let mut server = world.server();
    let steps = json!([{"await_cgroup": 0.3}, {"child": child}, {"say": "busy"}, {"sleep": 300}]);
    let id = start(&mut server, world.fake(steps));
    wait_for_log(world, &id, "MESSAGE: busy");
    let child = pid_in(&file);
    server.signal(Signal::STOP);
    kill_process(world.supervisor_of(&id), Signal::KILL).expect("it is ours");
    server.kill();
    wait_for_end(&mut world.server(), &id);
    child
}

#[test]
fn processes_hidden_from_a_killed_supervisor_are_found_through_the_cgroup() {
    if can_make_cgroups() {
        let child = hidden_from_a_killed_supervisor(&World::with_fake_agent());
        assert!(!is_alive(child), "the hidden process was not found");
    }
}

#[test]
fn without_a_cgroup_a_process_hidden_from_a_killed_supervisor_may_survive() {
    let child = hidden_from_a_killed_supervisor(&World::with_fake_agent().configure("[stopping]\ncgroup = \"off\"\n"));
    assert!(is_alive(child), "it was found, so docs/reliability.md can promise more");
    kill_process(Pid::from_raw(child.cast_signed()).expect("a valid PID"), Signal::KILL).expect("the child is ours");
}

#[test]
fn when_only_the_supervisor_is_killed_its_server_finalizes_the_task() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let call = server.start_call("codex_agent", world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    let id = eventually("a progress message that names the task", ANSWER_TIMEOUT, || {
        let message = call.progress().into_iter().next()?;
        message
            .split_whitespace()
            .find(|word| word.len() == 8 && word.chars().all(|c| c.is_ascii_hexdigit()))
            .map(str::to_owned)
    });
    wait_for_log(&world, &id, "MESSAGE: busy");
    kill_process(world.supervisor_of(&id), Signal::KILL).expect("it is ours");
    let answer = call.wait(ANSWER_TIMEOUT, |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("interrupted"), "{}", answer.text);
    assert!(processes_with_env(MARKER, &id).is_empty(), "the agent still runs");
}

#[test]
fn when_a_supervisor_dies_unnoticed_its_agent_does_not_outlive_it() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"ignore": ["INT", "TERM"]}, {"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    kill_process(world.supervisor_of(&id), Signal::KILL).expect("it is ours");
    eventually("the end of the agent without any call", ANSWER_TIMEOUT, || {
        processes_with_env(MARKER, &id).is_empty().then_some(())
    });
    eventually("the final record", ANSWER_TIMEOUT, || (world.record(&id)["status"] == "interrupted").then_some(()));
}

#[test]
fn a_server_running_inside_a_task_does_not_stop_itself_while_cleaning_up() {
    let world = World::with_fake_agent();
    let mut outer = world.server();
    let id = start(&mut outer, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    let supervisor = world.supervisor_of(&id);
    let world = world.variable(MARKER, id.clone());
    let mut nested = world.server();
    outer.kill();
    kill_process(supervisor, Signal::KILL).expect("it is ours");
    let status = wait_for_end(&mut nested, &id);
    assert_eq!(field(&status, "Status"), Some("interrupted"), "{status}");
}

#[test]
fn a_program_being_probed_ends_with_the_server() {
    let world = World::with_fake_agent();
    let mark = world.home().to_string_lossy().into_owned();
    let world = world.variable("TEST_MARK", mark.clone());
    let program = world.home().join("codex");
    std::fs::write(&program, "#!/bin/sh\nsleep 300\n").expect("the home is writable");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(&program, mode).expect("the file is ours");
    let world = world.variable("CODEX_CONNECTOR_BACKENDS__CODEX__PROGRAM", program.to_string_lossy());
    let mut server = world.server();
    let server_pid = server.pid();
    let _call = server.start_call("codex_agent", world.task("x"));
    let probes = || {
        let mut marked = processes_with_env("TEST_MARK", &mark);
        marked.retain(|pid| *pid != server_pid);
        marked
    };
    eventually("the question", ANSWER_TIMEOUT, || (!probes().is_empty()).then_some(()));
    server.signal(Signal::TERM);
    server.wait(ANSWER_TIMEOUT);
    eventually("the end of the program", ANSWER_TIMEOUT, || probes().is_empty().then_some(()));
}

#[test]
fn a_supervisor_that_ignores_a_cancel_is_killed_and_its_task_finalized() {
    let grace = "[stopping]\ninterrupt_grace = \"100ms\"\nterminate_grace = \"100ms\"\n";
    let world = World::with_fake_agent().configure(grace);
    let (mut first, mut second) = (world.server(), world.server());
    let id = start(&mut first, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &id, "MESSAGE: busy");
    kill_process(world.supervisor_of(&id), Signal::STOP).expect("it is ours");
    let answer = second.call("codex_cancel", json!({"taskId": id}), |_| {});
    assert!(answer.text.contains("Cancelled by user"), "{}", answer.text);
    assert!(processes_with_env(MARKER, &id).is_empty(), "the agent still runs");
    assert_eq!(world.record(&id)["failureReason"], "Cancelled by user");
}

#[test]
fn a_window_stopped_while_it_locks_the_task_lists_does_not_block_others() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let before = server.call("codex_agent", world.fake(json!([{"say": "before"}])), |_| {});
    world.index();
    let lock = std::fs::File::open(world.data_dir().join("tasks.lock")).expect("there is a lock");
    lock.lock().expect("nobody else holds it");
    let catalog = rusqlite::Connection::open(world.data_dir().join("index.sqlite")).expect("there is a catalog");
    catalog.execute_batch("BEGIN IMMEDIATE").expect("nobody else writes it");

    let answer = server.call("codex_agent", world.fake(json!([{"say": "done"}])), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let (before, after) = (task_id(&before), task_id(&answer));
    let run = world.data_dir().join("run").join(&after);
    eventually("marks instead of entries", ANSWER_TIMEOUT, || (!run.exists()).then_some(()));
    let listed = server.call("codex_tasks", json!({"status": "completed"}), |_| {}).text;
    assert!(listed.contains(&before) && listed.contains(&after), "{listed}");

    drop((lock, catalog));
    server.call("codex_agent", world.fake(json!([{"say": "more"}])), |_| {});
    assert_eq!(world.index()[&after]["status"], "completed");
    let pending = world.data_dir().join("index.pending");
    eventually("a catalog that lacks nothing", ANSWER_TIMEOUT, || (!pending.exists()).then_some(()));
}
