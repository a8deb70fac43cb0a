//! Each documented way in which a task ends, with a real process.

use connector_testing::{
    McpServer, eventually,
    processes::{is_alive, processes_with_env},
};
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, TIME_SLACK, World, and, field, pid_in, start, task_id, wait_for_end, wait_for_log};

/// Runs the fake agent with these steps, and returns the documented failure reason.
fn reason(world: &World, steps: serde_json::Value) -> String {
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert!(!answer.is_error, "a failed task is a normal result: {}", answer.text);
    assert_eq!(field(&answer.text, "Status"), Some("failed"), "{}", answer.text);
    let record = world.record(&task_id(&answer));
    assert_eq!(record["status"], "failed");
    assert_eq!(record["failureReason"].as_str(), field(&answer.text, "Failure reason"));
    record["failureReason"].as_str().expect("a failure has a reason").to_owned()
}

#[test]
fn a_completed_task_is_reported_as_completed() {
    let world = World::with_fake_agent();
    let answer = world.server().call("codex_agent", world.fake(json!([{"say": "all done"}])), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert!(answer.text.contains("all done"), "{}", answer.text);
    assert_eq!(world.record(&task_id(&answer))["result"], "all done");
}

#[test]
fn an_exit_code_is_reported() {
    assert_eq!(reason(&World::with_fake_agent(), json!([{"exit": 3}])), "Exited with code 3");
}

#[test]
fn a_model_failure_quotes_the_agent() {
    let world = World::with_fake_agent();
    let answer =
        world.server().call("codex_agent", world.fake(json!([{"fail": "the model `nope` does not exist"}])), |_| {});
    assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 1"), "{}", answer.text);
    assert!(answer.text.contains("the model `nope` does not exist"), "{}", answer.text);
}

#[test]
fn a_signal_is_reported() {
    assert_eq!(reason(&World::with_fake_agent(), json!([{"kill_self": 15}])), "Killed by SIGTERM");
    assert_eq!(reason(&World::with_fake_agent(), json!([{"kill_self": 9}])), "Killed by SIGKILL");
}

#[test]
fn a_stopped_supervisor_prevents_neither_the_time_limit_nor_a_cancel() {
    let world =
        World::with_fake_agent().configure("[stopping]\ninterrupt_grace = \"100ms\"\nterminate_grace = \"100ms\"\n");
    let mut server = world.server();
    let mut stopped = |more: serde_json::Value| {
        let id = start(&mut server, and(world.fake(json!([{"say": "here"}, {"sleep": 600}])), more));
        wait_for_log(&world, &id, "MESSAGE: here");
        kill_process(world.supervisor_of(&id), Signal::STOP).expect("it is ours");
        id
    };
    let limited = stopped(json!({"timeoutMs": 1_000}));
    let cancelled = stopped(json!({}));
    let answer = server.call("codex_cancel", json!({"taskId": cancelled}), |_| {});
    assert_eq!(field(&answer.text, "Failure reason"), Some("Cancelled by user"), "{}", answer.text);
    let status = wait_for_end(&mut server, &limited);
    assert_eq!(field(&status, "Status"), Some("failed"), "{status}");
    assert!(status.contains("Timeout after"), "{status}");
    for id in [limited, cancelled] {
        assert!(!world.log(&id).contains("The supervisor was gone"), "it was killed, although waking it is enough");
    }
}

#[test]
fn another_server_enforces_the_time_limit_when_supervisor_and_server_cannot() {
    let world = World::with_fake_agent().configure(
        "[tasks]\non_server_exit = \"continue\"\n[stopping]\ninterrupt_grace = \"100ms\"\nterminate_grace = \"100ms\"\n",
    );
    let (mut first, mut second) = (world.server(), world.server());
    let limit = json!({"timeoutMs": 1_000});
    let id = start(&mut first, and(world.fake(json!([{"say": "here"}, {"sleep": 600}])), limit));
    wait_for_log(&world, &id, "MESSAGE: here");
    kill_process(world.supervisor_of(&id), Signal::STOP).expect("it is ours");
    first.signal(Signal::KILL);
    first.wait(ANSWER_TIMEOUT);
    let status = wait_for_end(&mut second, &id);
    assert!(status.contains("Timeout after"), "{status}");
    assert!(processes_with_env("CONNECTOR_TASK_IDS", &id).is_empty(), "the agent still runs");
}

#[test]
fn an_agent_that_is_killed_from_outside_ends_its_task() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "here"}, {"sleep": 100}])));
    wait_for_log(&world, &id, "MESSAGE: here");
    let agent = world.record(&id)["pid"].as_i64().and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
    kill_process(agent.expect("a running task has a PID"), Signal::KILL).expect("the agent is ours");
    assert!(wait_for_end(&mut server, &id).contains("Killed by SIGKILL"));
}

#[test]
fn a_time_limit_is_enforced_and_reported() {
    let world = World::with_fake_agent();
    let arguments = and(world.fake(json!([{"sleep": 100}])), json!({"timeoutMs": 700}));
    let answer = world.server().call("codex_agent", arguments, |_| {});
    let reason = field(&answer.text, "Failure reason").unwrap_or_default();
    assert!(reason.starts_with("Timeout after ") && reason.ends_with(" (limit: 700ms)"), "{reason}");
    assert!(world.log(&task_id(&answer)).contains("Timeout: 700ms"));
}

#[test]
fn a_timed_out_task_reports_the_error_its_agent_was_retrying() {
    let world = World::with_fake_agent();
    let steps = json!([{"error": "Reconnecting... waiting for network"}, {"sleep": 100}]);
    let limited = and(world.fake(steps), json!({"timeoutMs": TIME_SLACK.as_millis()}));
    let answer = world.server().call("codex_agent", limited, |_| {});
    assert_eq!(world.record(&task_id(&answer))["agentSaid"], "Reconnecting... waiting for network");
}

#[test]
fn a_default_time_limit_can_be_set_and_lifted_for_one_call() {
    let world = World::with_fake_agent().configure("[tasks]\ndefault_timeout = \"300ms\"\n");
    let mut server = world.server();
    let limited = server.call("codex_agent", world.fake(json!([{"sleep": 1}])), |_| {});
    assert!(limited.text.contains("(limit: 300ms)"), "{}", limited.text);
    let lifted = server.call("codex_agent", and(world.fake(json!([{"sleep": 1}])), json!({"timeoutMs": 0})), |_| {});
    assert_eq!(field(&lifted.text, "Status"), Some("completed successfully"), "{}", lifted.text);
}

#[test]
fn an_agent_that_is_silent_too_long_can_be_stopped() {
    let world = World::with_fake_agent().configure("[tasks]\nstop_after_silence = \"400ms\"\n");
    assert_eq!(reason(&world, json!([{"sleep": 100}])), "Timeout after 400ms (limit: 400ms)");
}

#[test]
fn an_agent_that_waits_for_the_network_too_long_can_be_stopped() {
    let world = World::with_fake_agent().configure("[tasks]\ngive_up_offline = \"400ms\"\n");
    let offline = "Reconnecting... waiting for network (Connection failed: error sending request)";
    let steps = json!([{"error": offline}, {"sleep": 100}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    let reason = "Timeout after 400ms (limit: 400ms)";
    assert_eq!(field(&answer.text, "Failure reason"), Some(reason), "{}", answer.text);
    assert!(answer.text.contains("had only been waiting for the network for 400ms"), "{}", answer.text);
    assert_eq!(world.record(&task_id(&answer))["agentSaid"], offline);
    let steps = json!([{"error": offline}, {"say": "it works again"}, {"sleep": 1}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
}

#[test]
fn a_task_that_waits_for_the_network_says_so_everywhere() {
    let world = World::with_fake_agent().configure("[tasks]\ngive_up_offline = \"1h\"\n");
    let mut server = world.server();
    let steps = json!([{"say": "here"}, {"error": "Reconnecting... waiting for network"}, {"sleep": 100}]);
    let id = start(&mut server, world.fake(steps));
    let status = eventually("the wait in the status", ANSWER_TIMEOUT, || {
        let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
        field(&status, "Waiting for the network").is_some().then_some(status)
    });
    assert_eq!(field(&status, "Status"), Some("running"), "{status}");
    let list = server.call("codex_tasks", json!({}), |_| {}).text;
    assert!(list.contains(&format!("| {id} | running (waiting for the network, ")), "{list}");
    let listed = world.command(&["ls", "--all", "--json"]).output().expect("the program can be started");
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).expect("it prints JSON");
    let activity = &listed["tasks"][0]["activity"];
    assert_eq!(activity["kind"], "network", "{listed}");
    assert_eq!(activity["detail"], "Reconnecting... waiting for network", "{listed}");
    let policy =
        std::fs::read_to_string(world.data_dir().join(format!("run/{id}/policy.json"))).expect("it is running");
    assert!(!policy.contains("giveUpOffline"), "version 2.0.0 could not read it: {policy}");
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
}

#[test]
fn a_missing_program_fails_the_task_with_installation_advice() {
    let world = World::with_codex("/no/such/codex".as_ref());
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
    assert_eq!(field(&answer.text, "Failure reason"), Some("Process error: ENOENT (spawn failed)"), "{}", answer.text);
    assert!(answer.text.contains("npm install -g @openai/codex"), "{}", answer.text);
}

#[test]
fn an_unexecutable_program_fails_the_task() {
    let world = World::with_codex("/etc/passwd".as_ref());
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert_eq!(field(&answer.text, "Failure reason"), Some("Process error: EACCES (spawn failed)"), "{}", answer.text);
}

#[test]
fn a_program_that_exits_at_once_fails_the_task_with_its_own_message() {
    let world = World::with_codex("/bin/false".as_ref());
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
    assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 1"), "{}", answer.text);
}

#[test]
fn a_cancelled_task_stops_everything_it_started() {
    let world = World::with_fake_agent();
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = |name: &str| pids.path().join(name);
    let steps = json!([
        {"child": {"setsid": true, "ignore_term": true, "double_fork": true, "seconds": 300, "pid_file": file("a")}},
        {"child": {"setsid": true, "hold_pipe": true, "clear_env": true, "seconds": 300, "pid_file": file("b")}},
        {"ignore": ["INT", "TERM"]},
        {"say": "ready"},
        {"sleep": 300}
    ]);
    let world = world.configure("[stopping]\ninterrupt_grace = \"300ms\"\nterminate_grace = \"300ms\"\n");
    let mut server = world.server();
    let id = start(&mut server, world.fake(steps));
    wait_for_log(&world, &id, "MESSAGE: ready");
    let children = [pid_in(&file("a")), pid_in(&file("b"))];
    assert!(children.iter().all(|child| is_alive(*child)));

    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});

    assert!(!answer.is_error && answer.text.contains("Cancelled by user"), "{}", answer.text);
    assert_eq!(world.record(&id)["failureReason"], "Cancelled by user");
    assert!(!children.iter().any(|child| is_alive(*child)), "a process of the cancelled task still runs");
}

#[test]
fn processes_an_agent_leaves_behind_are_stopped_and_named() {
    let world = World::with_fake_agent();
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = pids.path().join("child");
    let steps =
        json!([{"child": {"setsid": true, "hold_pipe": true, "seconds": 300, "pid_file": file}}, {"say": "done"}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert!(!is_alive(pid_in(&file)));
    assert!(world.log(&task_id(&answer)).contains("LEFT BEHIND: stopping fake-agent"));
}

#[test]
fn processes_an_agent_leaves_behind_can_be_left_alone() {
    let world = World::with_fake_agent().configure("[tasks]\non_agent_exit = \"leave\"\n");
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = pids.path().join("child");
    let steps =
        json!([{"child": {"setsid": true, "hold_pipe": true, "seconds": 300, "pid_file": file}}, {"say": "done"}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let child = pid_in(&file);
    assert!(is_alive(child));
    kill_process(Pid::from_raw(child.cast_signed()).expect("a valid PID"), Signal::KILL).expect("the child is ours");
}

#[test]
fn a_silent_agent_gets_heartbeats_and_warnings_in_the_documented_format() {
    // The agent's first line comes before the fifth heartbeat, which also triggers the warning.
    let [heartbeat, stall] = [TIME_SLACK / 5, TIME_SLACK - TIME_SLACK / 4].map(|time| time.as_millis());
    let intervals = format!("[tasks]\nheartbeat_interval = \"{heartbeat}ms\"\nstall_warning_after = \"{stall}ms\"\n");
    let world = World::with_fake_agent().configure(&intervals);
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "x"}, {"sleep": 100}])));
    wait_for_log(&world, &id, "HEARTBEAT #5: ");
    wait_for_log(&world, &id, "WARNING: No activity for ");
    server.call("codex_cancel", json!({"taskId": id}), |_| {});

    let log = world.log(&id);
    let stamp = r"^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\] ";
    let length = r"(\d+ms|\d+\.\ds|\d+m \d+s|\d+h \d+m)";
    let heartbeat = format!(
        r"(?m){stamp}HEARTBEAT #5: elapsed={length}, lastActivity={length} ago \(stdout\), stdout=\d+B, stderr=0B$"
    );
    let warning = format!(r"(?m){stamp}WARNING: No activity for {length}$");
    for pattern in [heartbeat, warning] {
        assert!(Regex::new(&pattern).expect("a valid pattern").is_match(&log), "{pattern} is not in\n{log}");
    }
    assert!(world.record(&id)["heartbeatCount"].as_u64() >= Some(5));
}

#[test]
fn an_agent_whose_process_name_is_cut_inside_a_character_is_stopped_like_any_other() {
    let world = World::with_fake_agent();
    let program = world.home().join("aaaaaaaaaaaaaa\u{fc}");
    std::fs::copy(env!("CARGO_BIN_EXE_fake-agent"), &program).expect("the home is writable");
    let world = world.variable("CODEX_CONNECTOR_BACKENDS__CODEX__PROGRAM", program.to_string_lossy());
    let pids = tempfile::tempdir().expect("a temporary directory can be made");
    let file = pids.path().join("child");
    let steps = json!([{"child": {"setsid": true, "seconds": 300, "pid_file": file}}, {"say": "here"}, {"sleep": 300}]);
    let mut server = world.server();
    let id = start(&mut server, world.fake(steps));
    wait_for_log(&world, &id, "MESSAGE: here");
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
    assert_eq!(world.record(&id)["failureReason"], "Cancelled by user");
    assert!(!is_alive(pid_in(&file)));
}

#[test]
fn the_supervisor_exits_when_its_task_has_ended() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "x"}])));
    wait_for_end(&mut server, &id);
    let supervisor = world.record(&id)["supervisor"]["pid"].as_u64().and_then(|pid| pid.try_into().ok());
    let supervisor: u32 = supervisor.expect("a record names its supervisor");
    eventually("the end of the supervisor", ANSWER_TIMEOUT, || (!is_alive(supervisor)).then_some(()));
    assert!(!world.data_dir().join("run").join(&id).exists(), "the run directory still exists");
}

#[test]
fn an_agent_does_not_inherit_ignored_signals() {
    // This program inherits ignored signals, and installs no handlers.
    let world = World::with_fake_agent().configure(
        "[tasks]\ndefault_backend = \"plain\"\n\
         [backends.plain]\nkind = \"command\"\nprogram = \"sleep\"\nargs = [\"300\"]\nsandboxes.danger-full-access = []\n",
    );
    // Signals are ignored as by a shell that starts a background job, or by `nohup`.
    let plain = world.command(&[]);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "trap '' INT HUP TERM; exec \"$0\""]).arg(plain.get_program()).env_clear();
    command.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut server = McpServer::spawn(command);
    server.initialize();
    let id = start(&mut server, world.task("x"));
    let agent = eventually("an agent", ANSWER_TIMEOUT, || world.record(&id)["pid"].as_u64());

    let status = std::fs::read_to_string(format!("/proc/{agent}/status")).expect("it runs");
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).expect("the kernel reports it");
    let ignored = u64::from_str_radix(ignored.trim(), 16).expect("a mask");
    for signal in [Signal::INT, Signal::HUP, Signal::TERM] {
        assert_eq!(ignored & 1 << (signal.as_raw() - 1), 0, "{signal:?} is ignored");
    }
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
    server.signal(Signal::INT);
    assert_eq!(server.wait(ANSWER_TIMEOUT).code(), Some(0), "the server itself reacts to the signal");
}
