//! Tests the MCP client with servers that are a few lines of shell script.

use std::{
    io,
    process::Command,
    sync::{Arc, Mutex},
    time::Duration,
};

use connector_testing::{McpServer, eventually};
use rustix::process::Signal;
use serde_json::json;

const SHORT_DEADLINE: Duration = Duration::from_secs(10);

/// A server that runs `script` in a shell for each line it receives; the line is in `$line`.
fn server(script: &str) -> McpServer {
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("while read -r line; do {script}\ndone"));
    let mut server = McpServer::spawn(command);
    server.set_answer_timeout(SHORT_DEADLINE);
    server
}

/// A server that answers every line with the result `result`, for the requests 1, 2, 3 … in this order.
fn answering(result: &str) -> McpServer {
    server(&format!(r#"id=$((id + 1)); printf '{{"jsonrpc":"2.0","id":%d,"result":%s}}\n' "$id" '{result}'"#))
}

#[test]
fn the_handshake_sends_initialize_and_then_the_notification() {
    let mut server = server(
        r#"printf '%s\n' "$line" >&2
        case $line in *'"initialize"'*) echo '{"id":1,"result":{"protocolVersion":"2025-11-25"}}';; esac"#,
    );
    assert_eq!(server.initialize(), json!({"protocolVersion": "2025-11-25"}));
    let seen = eventually("the notification", SHORT_DEADLINE, || {
        Some(server.stderr()).filter(|text| text.contains("notifications/initialized"))
    });
    assert!(seen.contains(r#""clientInfo":{"name":"connector-testing""#), "{seen}");
    assert!(!seen.contains("io.modelcontextprotocol"), "{seen}");
}

#[test]
fn after_discover_every_request_has_the_three_keys() {
    let mut server = server(
        r#"id=$((id + 1)); case $line in
            *'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":'*'"io.modelcontextprotocol/clientCapabilities":{}'*)
                printf '{"id":%d,"result":{"seen":true}}\n' "$id";;
            *) printf '{"id":%d,"error":{"code":-32602,"message":"keys"}}\n' "$id";; esac"#,
    );
    assert_eq!(server.discover(), json!({"seen": true}));
    assert_eq!(server.request("tools/list", json!({})), json!({"seen": true}));
}

#[test]
fn an_error_is_returned_by_try_request() {
    let mut server = server(r#"echo '{"id":1,"error":{"code":-32601,"message":"no such method"}}'"#);
    let error = server.try_request("nonsense", json!({})).expect_err("it answers with an error");
    assert_eq!((error.code, error.message.as_str()), (-32601, "no such method"));
}

#[test]
fn progress_is_delivered_before_the_answer_and_kept_in_it() {
    let mut server = server(
        r#"case $line in *'"progressToken":1}},"'* | *'"progressToken":1}}}')
            for part in one two; do
                printf '{"method":"notifications/progress","params":{"progressToken":1,"message":"%s"}}\n' $part
            done
            echo '{"id":1,"result":{"content":[{"type":"text","text":"done"}]}}';; esac"#,
    );
    let mut received = Vec::new();
    let answer = server.call("tool", json!({"a": 1}), |message| received.push(message.to_owned()));
    assert_eq!(received, ["one", "two"]);
    assert_eq!((answer.text.as_str(), answer.is_error, answer.progress), ("done", false, received));
    server.assert_stdout_was_only_json();
}

#[test]
fn a_pending_call_can_be_waited_for_in_another_thread() {
    let mut server =
        server(r#"case $line in *cancelled*) echo '{"id":1,"result":{"content":[],"isError":true}}';; esac"#);
    let call = server.start_call("tool", json!({}));
    assert!(call.answer().is_none());
    let answer = Arc::new(Mutex::new(None));
    std::thread::scope(|scope| {
        scope.spawn(|| *answer.lock().expect("nobody panics") = Some(call.wait(SHORT_DEADLINE, |_| {})));
        server.cancel(&call);
    });
    assert!(answer.lock().expect("nobody panics").take().is_some_and(|answer| answer.is_error));
}

#[test]
#[should_panic(expected = "call 1 of tool broken was not answered: its stdout has ended")]
fn a_server_that_ends_without_an_answer_fails_the_call_at_once() {
    server("exit 0").call("broken", json!({}), |_| {});
}

#[test]
#[should_panic(expected = r#"lines on stdout that are not JSON: ["hello"]"#)]
fn a_line_that_is_not_json_is_found() {
    let mut server = server(r#"echo hello; echo '{"id":1,"result":{}}'"#);
    server.request("ping", json!({}));
    server.assert_stdout_was_only_json();
}

#[test]
fn closing_stdin_ends_the_server_and_then_nothing_can_be_sent() {
    let mut server = answering("{}");
    server.close_stdin();
    assert!(server.wait(SHORT_DEADLINE).success());
    assert_eq!(server.send_raw(b"x").expect_err("it is closed").kind(), io::ErrorKind::BrokenPipe);
    server.signal(Signal::TERM);
}

#[test]
fn a_signal_reaches_the_server() {
    use std::os::unix::process::ExitStatusExt;
    let mut server = answering("{}");
    server.request("ping", json!({}));
    server.signal(Signal::TERM);
    assert_eq!(server.wait(SHORT_DEADLINE).signal(), Some(Signal::TERM.as_raw()));
}

#[cfg(target_os = "linux")]
#[test]
fn a_dropped_server_is_killed_and_reaped() {
    let server = answering("{}");
    let pid = server.pid();
    drop(server);
    assert!(!connector_testing::processes::is_alive(pid));
}
