//! The effects of a kill, a power failure or a full disk between any two operations of the store.
//!
//! A test build fails or exits at a chosen point (`CONNECTOR_FAULT`, see `src/store/fault.rs`). Each test goes through
//! all points that a task reaches. It then checks the files and processes, not what the program says.

use std::{
    fs,
    time::{Duration, Instant, SystemTime},
};

use codex_connector::store::Reader;
use connector_testing::{McpServer, eventually, processes::processes_with_env};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, task_id};

const FAULT: &str = "CONNECTOR_FAULT";
const POINTS: &str = "CONNECTOR_FAULT_POINTS";
const MARK: &str = "TEST_MARK";

/// A world whose processes can all be found, and in which tasks use every operation of the store: they take tickets,
/// logs are truncated, and old tasks are removed.
fn world() -> (World, String) {
    let settings = "[limits]\nmax_running = 1\n[logs]\nmax_bytes = \"64KB\"\n[retention]\nmax_age = \"1d\"\n";
    let world = World::with_fake_agent().configure(settings);
    let mark = world.home().to_string_lossy().into_owned();
    (world.variable(MARK, mark.clone()), mark)
}

/// The number of points that a process in this role reaches while a task runs.
fn points_of(role: &str) -> usize {
    let (world, _) = world();
    let recorded = world.home().join("points");
    let world = world.variable(POINTS, recorded.to_string_lossy());
    create_dead_task(&world);
    create_old_task(&world);
    let mut server = world.server();
    server.call("codex_agent", work(&world), |_| {});
    settle(&world);
    wait_for_removal(&world);
    drop(server);
    let recorded = fs::read_to_string(recorded).expect("the points were recorded");
    let count = recorded.lines().filter(|line| line.starts_with(&format!("{role}:"))).count();
    assert!(count >= 10, "{role} passes only {count} points:\n{recorded}");
    count
}

fn work(world: &World) -> Value {
    let flood = json!({"lines": 1_000, "length": 100, "stream": "stdout"});
    world.fake(json!([{"say": "one"}, {"stderr": "two"}, {"flood": flood}, {"say": "done"}]))
}

/// A task that was running when the machine went down: it has a record, but no process holds its lease.
fn create_dead_task(world: &World) {
    let (run, logs) = (world.data_dir().join("run/0dead000"), world.data_dir().join("logs"));
    fs::create_dir_all(&run).expect("the home is writable");
    fs::create_dir_all(&logs).expect("the home is writable");
    let record = json!({
        "format": 1, "id": "0dead000", "task": "x", "status": "running", "startedAt": "2026-01-15T10:30:00Z",
        "supervisor": {"pid": 1, "startTime": 1, "bootId": "an earlier boot"},
        "agent": {"pid": 1, "startTime": 1, "bootId": "an earlier boot"}
    });
    fs::write(logs.join("0dead000.debug.json"), record.to_string()).expect("the home is writable");
}

/// A task that ended so long ago that it must be removed.
fn create_old_task(world: &World) {
    let logs = world.data_dir().join("logs");
    fs::create_dir_all(&logs).expect("the home is writable");
    let record = json!({
        "format": 1, "id": "01d00000", "task": "x", "status": "completed", "startedAt": "2020-01-15T10:30:00Z",
        "completedAt": "2020-01-15T10:31:00Z"
    });
    for (ending, content) in [
        ("log", "x"),
        ("result", "x"),
        ("events.jsonl", "{}"),
        ("timeline.jsonl", "{}"),
        ("debug.json", &record.to_string()),
    ] {
        fs::write(logs.join(format!("01d00000.{ending}")), content).expect("the home is writable");
    }
}

/// Waits until no file of that task is left.
fn wait_for_removal(world: &World) {
    eventually("the removal of an old task", ANSWER_TIMEOUT, || {
        let mut names =
            ["logs", "run"].into_iter().flat_map(|dir| fs::read_dir(world.data_dir().join(dir)).into_iter());
        let is_there = names.any(|mut dir| {
            dir.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with("01d00000")))
        });
        (!is_there).then_some(())
    });
}

/// How long a server may take to finalize what it finds at startup, before another server is started.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(2);

/// Waits until servers without faults have finalized all tasks.
fn settle(world: &World) {
    let runs = || fs::read_dir(world.data_dir().join("run")).into_iter().flatten().flatten();
    let mut server = None;
    eventually("the end of all tasks", ANSWER_TIMEOUT, || {
        // A claim without a record is left alone while it is recent.
        for run in runs() {
            let _ = fs::File::open(run.path()).and_then(|dir| dir.set_modified(SystemTime::UNIX_EPOCH));
        }
        if runs().next().is_none() {
            return Some(());
        }
        // On a busy machine, a server needs more time than one check.
        if server.as_ref().is_none_or(|(_, since): &(_, Instant)| since.elapsed() > SETTLE_TIMEOUT) {
            server = Some((world.server(), Instant::now()));
        }
        None
    });
}

/// The statuses of all tasks by ID, from their records, the index and a listing, which must agree.
fn statuses(world: &World) -> Vec<(String, String)> {
    let index: Value = fs::read(world.data_dir().join("tasks.json"))
        .map_or(Value::Null, |content| serde_json::from_slice(&content).expect("the index is JSON"));
    let mut found = Vec::new();
    for file in fs::read_dir(world.data_dir().join("logs")).into_iter().flatten().flatten() {
        let name = file.file_name().to_string_lossy().into_owned();
        assert!(!name.contains("damaged"), "{name} was damaged");
        let Some(id) = name.strip_suffix(".debug.json") else { continue };
        let status = world.record(id)["status"].as_str().unwrap_or_default().to_owned();
        assert_eq!(index[id]["status"], status, "the index has another status for {id}");
        found.push((id.to_owned(), status));
    }
    let reader = Reader::new(&world.data_dir(), &world.data_dir().join("logs"));
    let listed = reader.list(None, usize::MAX).expect("the tasks can be listed").records;
    let mut listed: Vec<_> = listed.iter().map(|task| (task.id.to_string(), task.status().to_string())).collect();
    listed.sort();
    found.sort();
    assert_eq!(listed, found, "a listing does not agree with the records");
    found
}

fn start_without_waiting(world: &World, server: &mut McpServer, mark: &str) {
    let call = json!({"jsonrpc": "2.0", "id": 9, "method": "tools/call",
        "params": {"name": "codex_agent", "arguments": work(world)}});
    let hello = json!({"jsonrpc": "2.0", "id": 8, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}});
    for line in [hello, json!({"jsonrpc": "2.0", "method": "notifications/initialized"}), call] {
        // The server may have exited already.
        let _ = server.send_raw(format!("{line}\n").as_bytes());
    }
    eventually("the end of the server or of the work", ANSWER_TIMEOUT, || {
        let ended = server.try_wait().is_some();
        let idle = processes_with_env(MARK, mark).iter().all(|pid| *pid == server.pid());
        let done = statuses_anywhere(world) && idle;
        (ended || done).then_some(())
    });
    server.kill();
    eventually("the end of everything", ANSWER_TIMEOUT, || processes_with_env(MARK, mark).is_empty().then_some(()));
}

/// Whether any task other than the prepared ones has ended, according to its record.
fn statuses_anywhere(world: &World) -> bool {
    fs::read_dir(world.data_dir().join("logs")).into_iter().flatten().flatten().any(|file| {
        let name = file.file_name().to_string_lossy().into_owned();
        let record = name.strip_suffix(".debug.json").filter(|id| !["0dead000", "01d00000"].contains(id));
        record.is_some_and(|id| world.record(id)["status"] != "running")
    })
}

#[test]
fn a_supervisor_killed_at_any_point_leaves_no_task_unfinished() {
    for point in 1..=points_of("supervise") {
        let (world, mark) = world();
        let world = world.variable(FAULT, format!("supervise:kill@{point}"));
        let mut server = world.server();
        let answer = server.call("codex_agent", work(&world), |_| {});
        let mut world = world.without(FAULT);
        settle(&world);
        let found = statuses(&world);
        match found.as_slice() {
            [] => assert!(answer.is_error, "point {point}: {}", answer.text),
            [(id, status)] => {
                assert!(matches!(status.as_str(), "completed" | "interrupted"), "point {point}: {status}");
                assert!(answer.is_error || answer.text.contains(id.as_str()), "point {point}: {}", answer.text);
            }
            more => panic!("point {point}: {more:?}"),
        }
        drop(server);
        eventually("nothing left", ANSWER_TIMEOUT, || processes_with_env(MARK, &mark).is_empty().then_some(()));
        world = world.without(MARK);
        drop(world);
    }
}

#[test]
fn a_server_killed_at_any_point_leaves_no_task_unfinished() {
    for point in 1..=points_of("serve") {
        let (world, mark) = world();
        create_dead_task(&world);
        create_old_task(&world);
        let world = world.variable(FAULT, format!("serve:kill@{point}"));
        start_without_waiting(&world, &mut world.silent_server(), &mark);
        let world = world.without(FAULT);
        settle(&world);
        let _server = world.server();
        wait_for_removal(&world);
        settle(&world);
        let found = statuses(&world);
        assert!(found.contains(&("0dead000".into(), "interrupted".into())), "point {point}: {found:?}");
        let others: Vec<_> = found.iter().filter(|(id, _)| id != "0dead000").collect();
        let is_final = |(_, status): &&(String, String)| matches!(status.as_str(), "completed" | "interrupted");
        assert!(others.len() <= 1 && others.iter().all(is_final), "point {point}: {found:?}");
    }
}

#[test]
fn a_full_disk_at_any_point_loses_no_record_and_is_reported() {
    for point in 1..=points_of("supervise") {
        let (world, _) = world();
        let world = world.variable(FAULT, format!("supervise:ENOSPC@{point}"));
        let mut server = world.server();
        let answer = server.call("codex_agent", work(&world), |_| {});
        let data = world.data_dir().to_string_lossy().into_owned();
        let world = world.without(FAULT);
        settle(&world);
        match statuses(&world).as_slice() {
            [] => {
                let named = answer.text.contains("No space left on device") && answer.text.contains(&data);
                assert!(answer.is_error && named, "point {point}: {}", answer.text);
            }
            [(_, status)] => assert_eq!(status, "completed", "point {point}: {}", answer.text),
            more => panic!("point {point}: {more:?}"),
        }
    }
}

#[test]
fn a_permanently_full_disk_refuses_tasks_with_its_path_and_the_server_survives() {
    for error in ["ENOSPC", "EDQUOT", "EROFS", "EMFILE", "EIO"] {
        let (world, _) = world();
        let world = world.variable(FAULT, format!("supervise:{error}@1-"));
        let mut server = world.server();
        let answer = server.call("codex_agent", work(&world), |_| {});
        let data = world.data_dir().to_string_lossy().into_owned();
        assert!(answer.is_error && answer.text.contains(&data), "{error}: {}", answer.text);
        let listed = server.call("codex_tasks", json!({}), |_| {});
        assert_eq!(listed.text, "No tasks found.", "{error}");
    }
}

#[test]
fn a_dead_task_that_cannot_be_finalized_hides_no_other_task() {
    // A full disk, a read-only file system, and failures of all operations or of all opens.
    for fault in ["ENOSPC@begin", "EROFS@1-", "EIO@1-", "EMFILE@open"] {
        let (world, _) = world();
        let done = world.server().call("codex_agent", work(&world), |_| {});
        let done = task_id(&done);
        settle(&world);
        create_dead_task(&world);
        let world = world.variable(FAULT, format!("serve:{fault}"));
        let mut server = world.server();

        // The server also finalizes dead tasks at startup, in the background.
        let recorded = "the supervisor of task 0dead000 is gone, and the task cannot be finalized yet";
        let listed = eventually("a notice", ANSWER_TIMEOUT, || {
            let listed = server.call("codex_tasks", json!({}), |_| {});
            assert!(!listed.is_error, "{fault}: {}", listed.text);
            listed.text.contains(recorded).then_some(listed)
        });
        assert!(listed.text.contains(&done) && listed.text.contains("0dead000"), "{fault}: {}", listed.text);
        let filtered = server.call("codex_tasks", json!({"status": "completed"}), |_| {});
        assert!(!filtered.is_error && filtered.text.contains(&done), "{fault}: {}", filtered.text);
        let status = server.call("codex_status", json!({"taskId": "0dead000"}), |_| {});
        assert!(!status.is_error && status.text.contains("running"), "{fault}: {}", status.text);
        let status = server.call("codex_status", json!({"taskId": done}), |_| {});
        assert!(!status.is_error && status.text.contains("completed"), "{fault}: {}", status.text);
        let resources = server.request("resources/list", json!({})).to_string();
        assert!(resources.contains(&done) && resources.contains("0dead000"), "{fault}: {resources}");

        assert!(!world.log("0dead000").contains("END:"), "{fault}: its log has an END line");
        // Once there is space again, it is finalized.
        let world = world.without(FAULT);
        let mut server = world.server();
        eventually("the end of the dead task", ANSWER_TIMEOUT, || {
            let listed = server.call("codex_tasks", json!({"status": "interrupted"}), |_| {});
            listed.text.contains("0dead000").then_some(())
        });
        settle(&world);
        assert_eq!(world.log("0dead000").matches("END: interrupted").count(), 1, "{fault}");
    }
}

#[test]
fn an_unwritable_home_is_named_in_each_answer() {
    let (world, _) = world();
    let world = world.variable(FAULT, "serve:EROFS@1-");
    let mut command = world.command(&[]);
    command.arg("--data-dir").arg(world.home().join("elsewhere"));
    let mut server = McpServer::spawn(command);
    server.initialize();
    let answer = server.call("codex_tasks", json!({}), |_| {});
    assert!(answer.is_error && answer.text.contains("elsewhere") && answer.text.contains("next: "), "{}", answer.text);
}

#[test]
fn a_log_that_cannot_grow_loses_only_its_remainder() {
    let (world, _) = world();
    // The limit is in blocks of 512 bytes.
    let limited = format!("ulimit -f 64; exec {}", env!("CARGO_BIN_EXE_codex-connector"));
    let mut command = std::process::Command::new("sh");
    let plain = world.command(&[]);
    command.arg("-c").arg(limited).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = McpServer::spawn(command);
    server.initialize();
    let flood = json!({"lines": 2_000, "length": 200, "stream": "stdout"});
    let answer =
        server.call("codex_agent", and(world.fake(json!([{"flood": flood}, {"say": "done"}])), json!({})), |_| {});
    assert!(answer.text.contains("completed successfully") && answer.text.contains("done"), "{}", answer.text);
}
