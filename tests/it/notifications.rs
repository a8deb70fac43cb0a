//! The ways in which Claude learns that a background task has ended: `wait`, `notify` and the channel. Handles have tests
//! of their own.

use std::{
    fs,
    io::Write,
    process::{Child, Command, Output, Stdio},
};

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, field, start, task_id, wait_for_end, wait_for_log};

fn said(output: &Output) -> (String, Option<i32>) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code())
}

fn run(world: &World, args: &[&str]) -> (String, Option<i32>) {
    said(&world.command(args).output().expect("the program runs"))
}

fn begin(command: &mut Command) -> Child {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program runs")
}

#[test]
fn an_async_start_names_a_command_that_waits_for_the_end() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let release = world.home().join("go");
    let mut arguments = world.fake(json!([{"await_file": release}, {"say": "all done"}]));
    arguments["async"] = json!(true);
    let answer = server.call("codex_agent", arguments, |_| {});
    let command = named(&answer.text);
    let environment = world.command(&[]);
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).env_clear();
    bash.envs(environment.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut waiting = begin(&mut bash);
    wait_for_log(&world, &task_id(&answer), "Timeout: none");
    assert!(waiting.try_wait().expect("it is our child").is_none(), "`wait` exited too early");
    fs::write(&release, "").expect("the home is writable");
    let (text, code) = said(&waiting.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("all done") && field(&text, "Status") == Some("completed successfully"), "{text}");
}

/// The command for waiting that an answer contains.
fn named(answer: &str) -> &str {
    let (_, command) = answer.split_once("run `").expect("it names a command");
    command.split_once('`').expect("it ends").0
}

#[test]
fn the_named_command_works_in_a_shell_without_the_environment_of_the_server() {
    let world = World::with_fake_agent();
    let logs = world.home().join("other logs");
    let release = world.home().join("go");
    let mut command = world.command(&["--set", "index.entries=2000"]);
    command.env("CODEX_CONNECTOR_LOG_DIR", &logs).env("CODEX_CONNECTOR_DATA_DIR", world.home().join("data"));
    let mut server = McpServer::spawn(command);
    server.initialize();
    let mut arguments = world.fake(json!([{"await_file": release}, {"say": "all done"}]));
    arguments["async"] = json!(true);
    let answer = server.call("codex_agent", arguments, |_| {});
    let command = named(&answer.text);
    assert!(command.contains("--set 'index.entries=2000'") && command.contains("--set 'log_dir="), "{command}");
    let mut bash = Command::new("bash");
    bash.args(["-c", command]).env_clear();
    bash.envs(world.command(&[]).get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut waiting = begin(&mut bash);
    // With the wrong log directory, the command is refused at once or answered from the index, and writes nothing.
    let wrong = ["wait", &task_id(&answer), "--data-dir", &world.home().join("data").display().to_string()];
    let refused = world.command(&[&wrong[..], &["--timeout", "1ms"]].concat()).output().expect("the program runs");
    assert!(matches!(refused.status.code(), Some(4 | 124)), "{refused:?}");
    if refused.status.code() == Some(4) {
        let problem = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(problem.contains(&logs.display().to_string()) && problem.contains("--set 'log_dir="), "{problem}");
    }
    assert!(waiting.try_wait().expect("it is our child").is_none(), "`wait` exited too early");
    fs::write(&release, "").expect("the home is writable");
    let (text, code) = said(&waiting.wait_with_output().expect("it ends"));
    assert!(code == Some(0) && text.contains("all done"), "{text}");
    let run = world.home().join("data/run");
    eventually("the removal of its run directory", ANSWER_TIMEOUT, || {
        fs::read_dir(&run).ok()?.next().is_none().then_some(())
    });
    let (text, code) = said(&world.command(&wrong).output().expect("the program runs"));
    assert!(code == Some(0) && text.contains("completed successfully"), "{text}");
    let records = |dir: &std::path::Path| {
        let files = fs::read_dir(dir).expect("it exists").flatten();
        files.filter(|file| file.file_name().to_string_lossy().ends_with(".debug.json")).count()
    };
    assert_eq!((records(&logs), records(&world.home().join("data/logs"))), (1, 0));
}

#[test]
fn the_exit_code_of_wait_reflects_the_outcome() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let mut ended = |steps: Value| {
        let id = start(&mut server, world.fake(steps));
        wait_for_end(&mut server, &id);
        id
    };
    let (good, bad) = (ended(json!([{"say": "x"}])), ended(json!([{"fail": "it did not work"}])));
    let running = start(&mut server, world.fake(json!([{"hang": true}])));
    assert_eq!(run(&world, &["wait", &good]).1, Some(0));
    let (text, code) = run(&world, &["wait", &good, &bad]);
    assert!(
        code == Some(1) && text.contains("it did not work") && text.matches("## Task Ended").count() == 2,
        "{text}"
    );
    assert_eq!(run(&world, &["wait", "--any", &good, &running]).1, Some(0));
    let (text, code) = run(&world, &["wait", "--all", &good, &running, "--timeout", "300ms"]);
    assert!(code == Some(124) && text.contains(&good), "{text}");
    assert!(text.ends_with(&format!("Timed out. Still running: {running}.\n")), "{text}");
    let unknown = world.command(&["wait", "00000000"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&unknown.stderr);
    assert_eq!(unknown.status.code(), Some(4));
    assert!(said.contains("run `codex-connector ls --all`") && !said.contains("codex_tasks"), "{said}");
    let no_id = world.command(&["wait", "no-id"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&no_id.stderr);
    assert!(no_id.status.code() == Some(4) && said.contains("`codex-connector ls` lists both"), "{said}");
    assert_eq!(run(&world, &["wait", &good, "--timeout", "soon"]).1, Some(2));
    server.kill();
    let (text, code) = run(&world, &["wait", &running]);
    assert!(code == Some(3) && text.contains("Server restarted while task was running"), "{text}");
}

#[test]
fn wait_exits_when_its_reader_does() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"hang": true}])));
    let mut waiting = begin(&mut world.command(&["wait", &id]));
    drop(waiting.stdout.take());
    eventually("the end of wait", ANSWER_TIMEOUT, || waiting.try_wait().expect("it is our child"));
    assert_eq!(world.record(&id)["status"], "running", "the task was stopped");
}

#[test]
fn notify_reports_each_finished_task_once() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let hook = |session: &str, more: &[&str]| {
        let mut command = world.command(&["notify"]);
        let mut hook = command.args(more).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it runs");
        let input = json!({"session_id": session, "hook_event_name": "UserPromptSubmit"}).to_string();
        hook.stdin.take().expect("stdin is piped").write_all(input.as_bytes()).expect("it reads");
        let (text, code) = said(&hook.wait_with_output().expect("it ends"));
        assert_eq!(code, Some(0), "{text}");
        text
    };
    assert_eq!(hook("one", &["--since-last"]), "", "no task has ended");
    let id = start(&mut server, world.fake(json!([{"say": "x"}])));
    wait_for_end(&mut server, &id);
    world.index();
    let reported = hook("one", &[]);
    assert!(reported.contains(&format!("- {id} completed after ")) && reported.contains("codex_status"), "{reported}");
    assert_eq!(hook("one", &[]), "", "the task was already reported");
    assert_eq!(hook("two", &["--since-last"]), "", "the task was reported to another session");
    let here = world.project.path().display().to_string();
    let id = start(&mut server, world.fake(json!([{"say": "x"}])));
    wait_for_end(&mut server, &id);
    world.index();
    let elsewhere = world.home().display().to_string();
    let of = |world: &World, project: &str, key: &str| {
        let mut command = world.command(&["notify", "--here", "--key", key]);
        said(&command.env("CLAUDE_PROJECT_DIR", project).output().expect("it runs")).0
    };
    assert_eq!(of(&world, &elsewhere, "one"), "", "the task was in another project");
    assert!(of(&world, &here, "two").contains(&id));
    let conflict = world.command(&["notify", "--follow", "--since-last"]).output().expect("it runs");
    assert_eq!(conflict.status.code(), Some(2));
}

#[test]
fn an_enabled_channel_announces_the_end_of_a_background_task() {
    let ended = |server: &McpServer| {
        let others = server.other_messages();
        others.into_iter().find(|message| message["method"] == "notifications/claude/channel")
    };
    let world = World::with_fake_agent().configure("[server]\nchannel = true\n");
    let mut server = world.silent_server();
    let greeted = server.initialize();
    assert_eq!(greeted["capabilities"]["experimental"]["claude/channel"], json!({}), "{greeted}");
    let id = start(&mut server, world.fake(json!([{"say": "in the background"}])));
    let message = eventually("the message", ANSWER_TIMEOUT, || ended(&server));
    assert_eq!(message["params"]["meta"], json!({"task_id": id, "status": "completed"}));
    assert!(message["params"]["content"].as_str().is_some_and(|text| text.contains("in the background")), "{message}");

    let world = World::with_fake_agent();
    let mut server = world.silent_server();
    assert!(server.initialize()["capabilities"].get("experimental").is_none());
    let id = start(&mut server, world.fake(json!([{"say": "x"}])));
    wait_for_end(&mut server, &id);
    assert_eq!(ended(&server), None);
}
