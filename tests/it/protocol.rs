//! MCP over real pipes.

use std::{io::Write, process::Stdio};

use connector_testing::{McpServer, PendingCall, eventually, processes::processes_with_env};
use rustix::process::Signal;
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, field, start, task_id, wait_for_end, wait_for_log};

const TOOLS: [&str; 4] = ["codex_agent", "codex_cancel", "codex_status", "codex_tasks"];

fn tools(server: &mut McpServer) -> Vec<String> {
    let listed = server.request("tools/list", json!({}));
    let tools = listed["tools"].as_array().expect("tools are a list");
    let mut names: Vec<String> = tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect();
    names.sort();
    names
}

#[test]
fn both_protocol_eras_offer_the_four_tools_and_run_a_task() {
    let world = World::with_fake_agent();
    for greet in [McpServer::initialize, McpServer::discover] {
        let mut server = world.silent_server();
        greet(&mut server);
        assert_eq!(tools(&mut server), TOOLS);
        let answer = server.call("codex_agent", world.fake(json!([{"say": "hello"}])), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
        assert!(answer.structured.is_none(), "a client would show the model only the structured part");
        server.assert_stdout_was_only_json();
    }
}

#[test]
fn the_first_progress_message_comes_at_once_and_names_the_task() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let call = server.start_call("codex_agent", world.fake(json!([{"say": "one"}, {"sleep": 2}, {"say": "two"}])));
    let first = eventually("progress", ANSWER_TIMEOUT, || call.progress().into_iter().next());
    let answer = call.wait(ANSWER_TIMEOUT, |_| {});
    assert!(first.contains(&task_id(&answer)), "{first}");
    assert!(answer.progress.iter().any(|message| message.contains("one")), "{:?}", answer.progress);
    assert!(answer.progress.iter().all(|message| message.chars().count() < 200), "{:?}", answer.progress);
}

#[test]
fn other_calls_are_answered_while_one_waits() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let waiting = server.start_call("codex_agent", world.fake(json!([{"sleep": 100}])));
    let listed = eventually("a running task", ANSWER_TIMEOUT, || {
        let listed = server.call("codex_tasks", json!({"status": "running"}), |_| {});
        listed.text.contains("running").then_some(listed.text)
    });
    assert!(listed.contains("| running |"), "{listed}");
    assert!(waiting.answer().is_none());
    server.cancel(&waiting);
}

/// A call that waits for a busy task, and the task's ID.
fn waiting_call(world: &World, server: &mut McpServer) -> (PendingCall, String) {
    let call = server.start_call("codex_agent", world.fake(json!([{"say": "busy"}, {"hang": true}])));
    let id = eventually("a running task", ANSWER_TIMEOUT, || {
        let running = std::fs::read_dir(world.data_dir().join("run")).ok()?.flatten().next()?;
        running.file_name().into_string().ok()
    });
    wait_for_log(world, &id, "MESSAGE: busy");
    (call, id)
}

#[test]
fn the_fate_of_a_task_whose_call_is_cancelled_is_configurable() {
    let (user, timeout) = ("AbortError: user-cancel", "McpError: MCP error -32001: Request timed out");
    for (setting, reason, continues) in [
        ("", user, false),
        ("", timeout, true),
        ("[server]\non_call_cancelled = \"detach\"\n", user, true),
        ("[server]\non_call_timed_out = \"cancel\"\n", timeout, false),
    ] {
        let world = World::with_fake_agent().configure(setting);
        let mut server = world.server();
        let (call, id) = waiting_call(&world, &mut server);
        server.cancel_because(&call, reason);
        if continues {
            // Calls are handled in order, so any effect of the cancellation has begun before this is answered.
            for _ in 0..20 {
                let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
                assert_eq!(field(&status, "Status"), Some("running"), "{setting}{reason}");
            }
            server.call("codex_cancel", json!({"taskId": id}), |_| {});
        }
        let ended = wait_for_end(&mut server, &id);
        assert!(ended.contains("Cancelled by user"), "{setting}{reason}: {ended}");
        assert!(call.answer().is_none(), "a cancelled call was answered");
    }
}

#[test]
fn a_second_status_reports_what_is_new() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let release = world.home().join("go");
    let steps = json!([{"say": "one"}, {"await_file": release}, {"say": "two"}]);
    let id = start(&mut server, world.fake(steps));
    wait_for_log(&world, &id, "MESSAGE: one");
    let mut status = || server.call("codex_status", json!({"taskId": id}), |_| {}).text;
    assert_eq!(field(&status(), "New"), None);
    std::fs::write(&release, "").expect("the home is writable");
    wait_for_log(&world, &id, "MESSAGE: two");
    let ended = eventually("the end of the task", ANSWER_TIMEOUT, || {
        let status = status();
        field(&status, "New").is_some_and(|new| new.starts_with("status (previously running)")).then_some(status)
    });
    assert!(ended.contains("### Recent log (last ") && ended.contains(" new)\n"), "{ended}");
    let short = status();
    assert!(field(&short, "New").is_some_and(|new| new.starts_with("no change since you last checked ")));
    assert!(!short.contains("### Recent log"), "{short}");
    // Another window has not asked for the status yet.
    let elsewhere = world.server().call("codex_status", json!({"taskId": id}), |_| {}).text;
    assert_eq!(field(&elsewhere, "New"), None);
}

#[test]
fn sigint_and_sigterm_end_the_server_at_once_with_status_0() {
    let world = World::with_fake_agent();
    for signal in [Signal::INT, Signal::TERM] {
        let mut server = world.server();
        let id = start(&mut server, world.fake(json!([{"sleep": 100}])));
        server.signal(signal);
        assert_eq!(server.wait(ANSWER_TIMEOUT).code(), Some(0));
        eventually("the end of the task", ANSWER_TIMEOUT, || {
            processes_with_env("CONNECTOR_TASK_IDS", &id).is_empty().then_some(())
        });
    }
}

#[test]
fn the_end_of_stdin_ends_the_server_with_status_0() {
    let world = World::with_fake_agent();
    let mut idle = world.server();
    idle.close_stdin();
    assert_eq!(idle.wait(ANSWER_TIMEOUT).code(), Some(0));

    let mut busy = world.server();
    let _call = busy.start_call("codex_agent", world.fake(json!([{"sleep": 100}])));
    eventually("a running task", ANSWER_TIMEOUT, || world.data_dir().join("tasks.json").exists().then_some(()));
    busy.close_stdin();
    assert_eq!(busy.wait(ANSWER_TIMEOUT).code(), Some(0));
}

#[test]
fn requests_before_the_end_of_stdin_are_answered() {
    let world = World::with_fake_agent();
    let mut command = world.command(&[]);
    let mut server = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    let asked = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#,
        "\n",
        r#"{"jsonrpc":"2.0","id":3,"method":"tools/call","params":{"name":"codex_tasks"}}"#,
        "\n",
    );
    let mut stdin = server.stdin.take().expect("stdin is piped");
    stdin.write_all(asked.as_bytes()).expect("the server reads");
    drop(stdin);
    let said = server.wait_with_output().expect("the server ends");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.contains("codex_cancel") && said.contains("No tasks found."), "{said}");
}

#[test]
fn a_call_without_arguments_is_accepted() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let listed = server.request("tools/call", json!({"name": "codex_tasks"}));
    assert_eq!(listed["content"][0]["text"], "No tasks found.");
    let status = server.request("tools/call", json!({"name": "codex_status"}));
    assert_eq!(status["isError"], true);
    assert!(status["content"][0]["text"].as_str().is_some_and(|text| text.contains("taskId")), "{status}");
}

#[test]
fn unknown_tools_and_methods_are_the_protocols_own_errors() {
    let mut server = World::with_fake_agent().server();
    let tool = server.try_request("tools/call", json!({"name": "codex_nothing", "arguments": {}}));
    assert_eq!(tool.expect_err("there is no such tool").code, -32602);
    let off = server.try_request("tools/call", json!({"name": "codex_wait", "arguments": {}}));
    let off = off.expect_err("it is off");
    assert!(off.code == -32602 && off.message.contains("add \"wait\" to `extra`"), "{}", off.message);
    let method = server.try_request("no/such/method", json!({}));
    assert_eq!(method.expect_err("there is no such method").code, -32601);
}

#[test]
fn a_client_that_skips_initialize_gets_an_error_that_says_so() {
    let world = World::with_fake_agent();
    for (method, params) in [("tools/list", json!({})), ("initialize", json!({}))] {
        let refused = world.silent_server().try_request(method, params).expect_err("it is not greeted");
        assert!(refused.message.contains("first send `initialize`"), "{method}: {}", refused.message);
    }
}

#[test]
fn lines_that_are_not_requests_are_ignored() {
    let mut server = World::with_fake_agent().server();
    server.send_raw(b"this is not JSON\n").expect("the server reads");
    server.send_raw(&[b"{\"x\":\"", vec![b'y'; 17 << 20].as_slice(), b"\"}\n"].concat()).expect("the server reads");
    assert_eq!(tools(&mut server), TOOLS);
}

#[test]
fn a_client_that_does_not_read_delays_only_itself() {
    let world = World::with_fake_agent();
    let mut command = world.command(&[]);
    let mut unread = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut stdin = unread.stdin.take().expect("stdin is piped");
    let greeting = concat!(
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"x","version":"1"}}}"#,
        "\n",
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        "\n",
    );
    stdin.write_all(greeting.as_bytes()).expect("the server reads");
    // Answers of 5 KB each fill the pipe, which nobody reads. A task must still run to its end.
    let listing: String =
        (2..60).map(|id| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"method\":\"tools/list\"}}\n")).collect();
    stdin.write_all(listing.as_bytes()).expect("the server reads");
    let file = world.home().join("written");
    let arguments = world.fake(json!([{"say": "x"}, {"write": {"path": file, "text": "y"}}]));
    let call = json!({"jsonrpc": "2.0", "id": 99, "method": "tools/call",
        "params": {"name": "codex_agent", "arguments": arguments, "_meta": {"progressToken": 99}}});
    stdin.write_all(format!("{call}\n").as_bytes()).expect("the server reads");
    eventually("the task's work", ANSWER_TIMEOUT, || file.exists().then_some(()));
    drop(stdin);
    eventually("the end of the server", ANSWER_TIMEOUT, || unread.try_wait().expect("it is our child"));
}
