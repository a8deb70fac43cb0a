//! Handles of the tasks extension: which calls get one, and how it follows its task.

use std::fs;

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, field, wait_for_end, wait_for_log};

/// A server whose client declares the tasks extension.
fn with_handles(world: &World, greet: fn(&mut McpServer) -> Value) -> McpServer {
    let mut server = world.silent_server();
    server.declare(json!({"extensions": {"io.modelcontextprotocol/tasks": {}}}));
    let greeted = greet(&mut server);
    assert_eq!(greeted["capabilities"]["extensions"]["io.modelcontextprotocol/tasks"], json!({}), "{greeted}");
    server
}

fn call(server: &mut McpServer, arguments: Value) -> Value {
    server.request("tools/call", json!({"name": "codex_agent", "arguments": arguments}))
}

/// The arguments of a call that does not wait for its task.
fn in_background(mut arguments: Value) -> Value {
    arguments["async"] = json!(true);
    arguments
}

fn text(answer: &Value) -> &str {
    answer["content"][0]["text"].as_str().unwrap_or_else(|| panic!("not an answer with text: {answer}"))
}

fn state(server: &mut McpServer, id: &str, wanted: &str) -> Value {
    eventually(&format!("the state {wanted}"), ANSWER_TIMEOUT, || {
        let task = server.request("tasks/get", json!({"taskId": id}));
        (task["status"] == wanted).then_some(task)
    })
}

#[test]
fn a_client_that_supports_handles_gets_one_that_outlives_the_server() {
    for greet in [McpServer::initialize, McpServer::discover] {
        let world = World::with_fake_agent();
        let mut server = with_handles(&world, greet);
        let release = world.home().join("go");
        let steps = json!([{"say": "busy"}, {"await_file": release}, {"say": "done"}]);
        let handle = call(&mut server, in_background(world.fake(steps)));
        assert_eq!((&handle["resultType"], &handle["status"]), (&json!("task"), &json!("working")), "{handle}");
        let id = handle["taskId"].as_str().expect("it has an ID").to_owned();
        wait_for_log(&world, &id, "MESSAGE: busy");
        let task = state(&mut server, &id, "working");
        assert!(task["ttlMs"].is_null() && task["pollIntervalMs"].as_u64() > Some(0), "{task}");
        for task in [&handle, &task] {
            let message = task["statusMessage"].as_str().expect("it has a message");
            assert!(message.starts_with("FAKE[{\"say\":\"busy\"}"), "it begins with the task: {message}");
        }
        drop(server);
        fs::write(&release, "").expect("the home is writable");
        let mut server = with_handles(&world, greet);
        let task = state(&mut server, &id, "completed");
        let text = task["result"]["content"][0]["text"].as_str().expect("the answer is in the result");
        assert!(text.contains("done") && field(text, "Task ID") == Some(id.as_str()), "{text}");
        assert!(
            server.call("codex_status", json!({"taskId": id}), |_| {}).text.contains("done"),
            "the handle's ID is the task ID"
        );
    }
}

#[test]
fn the_first_message_of_a_handle_warns_of_other_tasks_in_the_repository() {
    let world = World::with_fake_agent();
    let mut server = with_handles(&world, McpServer::initialize);
    let first = call(&mut server, in_background(world.fake(json!([{"hang": true}]))));
    let id = first["taskId"].as_str().expect("it has an ID").to_owned();
    let second = call(&mut server, in_background(world.fake(json!([{"say": "x"}]))));
    let warning = format!("started. Warning: 1 other task is running in this repository ({id}).");
    assert!(second["statusMessage"].as_str().is_some_and(|message| message.contains(&warning)), "{second}");
    assert!(!first["statusMessage"].as_str().is_some_and(|message| message.contains("Warning")), "{first}");
    server.request("tasks/cancel", json!({"taskId": id}));
    state(&mut server, &id, "cancelled");
}

#[test]
fn a_handle_can_be_cancelled_and_fails_with_its_task() {
    let world = World::with_fake_agent();
    let mut server = with_handles(&world, McpServer::initialize);
    let id = |handle: &Value| handle["taskId"].as_str().expect("it has an ID").to_owned();
    let running = id(&call(&mut server, in_background(world.fake(json!([{"hang": true}])))));
    state(&mut server, &running, "working");
    server.request("tasks/cancel", json!({"taskId": running}));
    let task = state(&mut server, &running, "cancelled");
    assert_eq!(task["statusMessage"], "FAKE[{\"hang\":true}] · Cancelled by user");
    let failed = id(&call(&mut server, in_background(world.fake(json!([{"fail": "no luck"}])))));
    let task = state(&mut server, &failed, "failed");
    let error = task["error"]["message"].as_str().expect("it has an error");
    assert!(
        error.starts_with(&format!("Task {failed} failed: Exited with code 1. The agent said: no luck. ")),
        "{task}"
    );
    let answer = task["error"]["data"]["answer"].as_str().expect("it has the answer");
    assert!(answer.contains("no luck") && field(answer, "Task ID") == Some(failed.as_str()), "{task}");
    assert!(task.get("result").is_none() && task["error"]["code"].is_i64(), "{task}");
    server.request("tasks/update", json!({"taskId": failed, "inputResponses": {}}));
    for method in ["tasks/get", "tasks/cancel"] {
        let unknown = server.try_request(method, json!({"taskId": "00000000"}));
        assert_eq!(unknown.expect_err("there is no such task").code, -32602);
    }
}

#[test]
fn clients_without_handle_support_get_none() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    assert!(server.call("codex_agent", world.fake(json!([{"say": "plain"}])), |_| {}).text.contains("plain"));
    assert_eq!(server.try_request("tasks/get", json!({"taskId": "00000000"})).expect_err("undeclared").code, -32021);
}

#[test]
fn the_setting_decides_which_calls_get_a_handle() {
    const WAITS: &str = "## Codex Agent Result";
    const STARTED: &str = "## Codex Agent Started";
    for (word, waiting, background) in [
        (None, Some(WAITS), None),
        (Some("async"), Some(WAITS), None),
        (Some("all"), None, None),
        (Some("auto"), None, None),
        (Some("off"), Some(WAITS), Some(STARTED)),
    ] {
        let setting = word.map_or(String::new(), |word| format!("[server]\ntask_handles = \"{word}\"\n"));
        let world = World::with_fake_agent().configure(&setting);
        let mut server = with_handles(&world, McpServer::initialize);
        let mut check = |arguments: Value, expected: Option<&str>| {
            let answer = call(&mut server, arguments);
            match expected {
                Some(heading) => assert!(text(&answer).starts_with(heading), "{word:?}: {answer}"),
                None => assert_eq!(answer["resultType"], "task", "{word:?}: {answer}"),
            }
        };
        check(world.fake(json!([{"say": "x"}])), waiting);
        check(in_background(world.fake(json!([{"say": "x"}]))), background);
    }
}

#[test]
fn by_default_only_a_task_with_a_handle_outlives_its_server_and_the_other_says_why_it_was_stopped() {
    let world = World::with_fake_agent().variable("CLAUDE_CODE_SESSION_ID", "5e55-10");
    let mut server = with_handles(&world, McpServer::initialize);
    let release = world.home().join("go");
    let steps = || json!([{"say": "busy"}, {"await_file": release}, {"say": "done"}]);
    let handle = call(&mut server, in_background(world.fake(steps())));
    let with_handle = handle["taskId"].as_str().expect("it has an ID").to_owned();
    drop(server);

    let mut server = world.server();
    let answer = call(&mut server, in_background(world.fake(steps())));
    let without = field(text(&answer), "Task ID").expect("it has an ID").to_owned();
    assert!(text(&answer).contains("It is stopped when this session ends"), "{answer}");
    wait_for_log(&world, &without, "MESSAGE: busy");
    drop(server);

    let mut server = world.server();
    let stopped = eventually("the end", ANSWER_TIMEOUT, || {
        let status = server.call("codex_status", json!({"taskId": without}), |_| {}).text;
        (field(&status, "Status") != Some("running")).then_some(status)
    });
    assert_eq!(field(&stopped, "Failure reason"), Some("Server restarted while task was running"), "{stopped}");
    assert!(stopped.contains("the Claude Code session that had started it, 5e55-10, ended"), "{stopped}");
    assert!(stopped.contains("`on_server_exit = \"continue\"`"), "{stopped}");
    fs::write(&release, "").expect("the home is writable");
    wait_for_end(&mut server, &with_handle);
    let status = server.call("codex_status", json!({"taskId": with_handle}), |_| {}).text;
    assert_eq!(field(&status, "Status"), Some("completed"), "{status}");
    for (id, by) in [(&with_handle, "handle"), (&without, "async")] {
        let record = world.record(id);
        assert_eq!(record["submitter"], json!({"by": by, "session": "5e55-10"}), "{record}");
    }
}
