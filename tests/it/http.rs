//! MCP over HTTP: authentication and limits, and the same behavior as over stdio.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use connector_testing::{
    eventually,
    http::{HttpRequest, HttpResponse},
    processes::processes_with_env,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, field, wait_for_end};

/// A server over HTTP, killed when dropped.
struct HttpServer {
    process: Child,
    address: SocketAddr,
    token: String,
}

impl HttpServer {
    fn start(world: &World) -> Self {
        Self::run(world, &mut world.command(&[]))
    }

    /// Starts the server with `command`, to which the arguments are added.
    fn run(world: &World, command: &mut Command) -> Self {
        let command = command.args(["serve", "--http", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut process = command.spawn().expect("the program runs");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server prints its address");
        let address = line.trim().strip_prefix("listening on http://").and_then(|rest| rest.strip_suffix("/mcp"));
        let address = address.and_then(|address| address.parse().ok());
        let address = address.unwrap_or_else(|| panic!("the server printed no address: {line}"));
        let token = fs::read_to_string(world.data_dir().join("http-token")).expect("there is a token");
        Self { process, address, token: token.trim().to_owned() }
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// A message with all fields that a client of 2026-07-28 sends.
    fn stateless(&self, id: u32, method: &str, mut params: Value) -> HttpRequest {
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
        params["_meta"]["io.modelcontextprotocol/clientInfo"] = json!({"name": "test", "version": "1"});
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        let name = params["name"].as_str().unwrap_or_default().to_owned();
        let request = self
            .message(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}))
            .header("MCP-Protocol-Version", "2026-07-28")
            .header("Mcp-Method", method);
        if name.is_empty() { request } else { request.header("Mcp-Name", &name) }
    }

    fn message(&self, message: &Value) -> HttpRequest {
        HttpRequest::message("/mcp", message).header("Authorization", &format!("Bearer {}", self.token))
    }

    fn send(&self, request: &HttpRequest) -> HttpResponse {
        request.send(self.address).expect("the server answers")
    }

    /// The text of a tool's answer, for a client of 2026-07-28.
    fn call(&self, tool: &str, arguments: Value) -> String {
        let answer = self.send(&self.stateless(1, "tools/call", json!({"name": tool, "arguments": arguments})));
        let message = answer.messages().pop().unwrap_or_else(|| panic!("no message: {answer:?}"));
        message["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {message}")).to_owned()
    }

    /// Starts a session for a client of 2025-11-25; the answer's header has the session ID.
    fn session(&self) -> HttpResponse {
        let client = json!({"name": "test", "version": "1"});
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        self.send(&self.message(&json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        // Both fail only if the child is already gone.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The ID of the only running task.
fn running(world: &World) -> String {
    eventually("a running task", ANSWER_TIMEOUT, || {
        let running = fs::read_dir(world.data_dir().join("run")).ok()?.flatten().next()?;
        running.file_name().into_string().ok()
    })
}

#[test]
fn both_eras_run_tasks_with_progress_and_share_them() {
    let world = World::with_fake_agent();
    let server = HttpServer::start(&world);

    let greeted = server.session();
    assert_eq!(greeted.status, 200, "{greeted:?}");
    let session = greeted.header("mcp-session-id").expect("a session has an ID").to_owned();
    let in_session = |message: Value| server.message(&message).header("Mcp-Session-Id", &session);
    let initialized = in_session(json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
    assert_eq!(server.send(&initialized).status, 202);
    let params = json!({"name": "codex_agent", "arguments": world.fake(json!([{"say": "from a session"}])),
        "_meta": {"progressToken": 7}});
    let answer = server.send(&in_session(json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params})));
    let messages = answer.messages();
    let progress: Vec<_> = messages.iter().filter(|message| message["method"] == "notifications/progress").collect();
    let id = progress[0]["params"]["message"].as_str().and_then(|words| words.split(' ').nth(1)).expect("a task ID");
    let text =
        messages.last().expect("an answer")["result"]["content"][0]["text"].as_str().unwrap_or_default().to_owned();
    assert!(text.contains("from a session") && field(&text, "Task ID") == Some(id), "{text}");

    let text = server.call("codex_agent", world.fake(json!([{"say": "from one request"}])));
    assert!(text.contains("from one request"), "{text}");
    let listed = server.call("codex_tasks", json!({}));
    assert!(listed.contains(id) && listed.matches("| completed |").count() == 2, "{listed}");
    assert!(world.server().call("codex_status", json!({"taskId": id}), |_| {}).text.contains("from a session"));

    let end = HttpRequest::new("DELETE", "/mcp").header("Authorization", &format!("Bearer {}", server.token));
    let ended = server.send(&end.header("Mcp-Session-Id", &session));
    assert!((200..300).contains(&ended.status), "{ended:?}");
    let after = server.send(&in_session(json!({"jsonrpc": "2.0", "id": 8, "method": "tools/list"})));
    assert_eq!(after.status, 404, "the session was not closed");
}

#[test]
fn unauthenticated_requests_are_rejected() {
    let world = World::with_fake_agent();
    let server = HttpServer::start(&world);
    let list = || server.stateless(1, "tools/list", json!({}));
    assert_eq!(server.send(&list()).status, 200);
    let wrong_token = server.send(&list().header("Authorization", "Bearer 0123456789abcdef0123456789abcdef"));
    assert_eq!(wrong_token.status, 401);
    assert!(wrong_token.header("www-authenticate").is_some_and(|how| how.starts_with("Bearer")), "{wrong_token:?}");
    assert!(wrong_token.body.contains("next: ") && !wrong_token.body.contains(&server.token), "{wrong_token:?}");
    assert_eq!(server.send(&HttpRequest::message("/mcp", &json!({}))).status, 401, "no token at all");
    assert_eq!(server.send(&list().header("Host", "evil.example")).status, 403);
    assert_eq!(server.send(&list().header("Origin", "https://evil.example")).status, 403);
    let large =
        server.message(&json!({"jsonrpc": "2.0", "id": 1, "method": "x", "params": {"x": "y".repeat(5 << 20)}}));
    assert_eq!(server.send(&large).status, 413);
    assert_eq!(server.send(&HttpRequest::new("GET", "/")).status, 404);
    assert_eq!(server.send(&list()).status, 200, "the server no longer works");
}

#[test]
fn hosts_and_origins_can_be_allowed() {
    let world = World::with_fake_agent()
        .configure("[server.http]\nallowed_hosts = [\"build.example\"]\nallowed_origins = [\"https://app.example\"]\n");
    let server = HttpServer::start(&world);
    let list = server.stateless(1, "tools/list", json!({}));
    assert_eq!(server.send(&list.clone().header("Host", "build.example:8181")).status, 200);
    assert_eq!(server.send(&list.clone().header("Origin", "https://app.example")).status, 200);
    assert_eq!(server.send(&list.header("Origin", "https://other.example")).status, 403);
}

#[test]
fn the_token_file_is_private_and_must_belong_to_the_user() {
    let world = World::with_fake_agent();
    let first = HttpServer::start(&world);
    let file = world.data_dir().join("http-token");
    assert_eq!(fs::metadata(&file).expect("there is a token").permissions().mode() & 0o777, 0o600);
    assert_eq!(HttpServer::start(&world).token, first.token, "a second token was created");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("it is ours");
    let refused = world.command(&["serve", "--http", "127.0.0.1:0"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("next: remove"), "{said}");
}

#[test]
fn a_public_address_must_be_allowed_explicitly() {
    let world = World::with_fake_agent();
    let refused = world.command(&["serve", "--http", "0.0.0.0:0"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--allow-remote"), "{said}");
    let taken = HttpServer::start(&world);
    let refused = world.command(&["serve", "--http", &taken.address.to_string()]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("cannot listen on"), "{said}");
}

/// Opens connections that never send the token; half of them begin a request.
fn unauthenticated(server: &HttpServer, count: usize) -> Vec<TcpStream> {
    let open = |_| TcpStream::connect(server.address).unwrap_or_else(|error| panic!("no further connection: {error}"));
    let mut unauthenticated: Vec<_> = (0..count).map(open).collect();
    for connection in unauthenticated.iter_mut().step_by(2) {
        // A connection that the server closed may reject this.
        let _ = connection.write_all(b"POST /mcp HTTP/1.1\r\nHost:");
    }
    unauthenticated
}

/// A server with these soft and hard limits on open files, which do not affect this process.
fn with_open_files(world: &World, limits: &str) -> HttpServer {
    let program = world.command(&[]);
    let mut command = Command::new("prlimit");
    command.arg(format!("--nofile={limits}")).arg("--").arg(program.get_program());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    HttpServer::run(world, &mut command)
}

#[test]
fn idle_connections_do_not_keep_clients_out_even_with_few_file_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    let wanted = limit.current.map(|current| current.max(4_096).min(limit.maximum.unwrap_or(u64::MAX)));
    setrlimit(Resource::Nofile, Rlimit { current: wanted, ..limit }).expect("a limit can be raised to its maximum");
    let most = wanted.map_or(1_100, |wanted| usize::try_from(wanted / 2).unwrap_or(1_100).min(1_100));
    for (limits, count) in [("1024:4096", most), ("128:128", 300)] {
        let world = World::with_fake_agent();
        let server = with_open_files(&world, limits);
        let _strangers = unauthenticated(&server, count);
        let begun = Instant::now();
        let text = server.call("codex_agent", world.fake(json!([{"say": "room for one more"}])));
        assert!(text.contains("room for one more"), "{limits}: {text}");
        // Each of them is closed after 30 seconds anyway.
        assert!(begun.elapsed() < Duration::from_secs(25), "{limits}: it had to wait until they were closed");
    }
}

#[test]
fn a_web_page_of_an_allowed_origin_can_call_and_read_the_answer() {
    let world = World::with_fake_agent().configure("[server.http]\nallowed_origins = [\"https://app.example\"]\n");
    let server = HttpServer::start(&world);
    let question = HttpRequest::new("OPTIONS", "/mcp")
        .header("Origin", "https://app.example")
        .header("Access-Control-Request-Method", "POST")
        .header("Access-Control-Request-Headers", "authorization, mcp-session-id");
    let allowed = server.send(&question);
    assert_eq!(allowed.status, 204, "{allowed:?}");
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(allowed.header("access-control-allow-headers"), Some("authorization, mcp-session-id"));
    assert!(allowed.header("access-control-allow-methods").is_some_and(|methods| methods.contains("POST")));
    for origin in ["https://other.example", "null"] {
        let refused = server.send(&question.clone().header("Origin", origin));
        assert_eq!((refused.status, refused.header("access-control-allow-origin")), (403, None), "{refused:?}");
    }

    let list = server.stateless(1, "tools/list", json!({})).header("Origin", "https://app.example");
    let listed = server.send(&list);
    assert_eq!((listed.status, listed.header("access-control-allow-origin")), (200, Some("https://app.example")));
    assert!(listed.header("access-control-expose-headers").is_some_and(|names| names.contains("Mcp-Session-Id")));
    let refused = server.send(&list.header("Authorization", "Bearer of-the-wrong-token"));
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, Some("https://app.example")));
    let no_page = server.send(&server.stateless(1, "tools/list", json!({})));
    assert_eq!(no_page.header("access-control-allow-origin"), None);
}

#[test]
fn the_number_of_sessions_is_limited() {
    let server = HttpServer::start(&World::with_fake_agent());
    for _ in 0..200 {
        assert_eq!(server.session().status, 200);
    }
    let refused = server.session();
    assert!(refused.status == 503 && refused.body.contains("next: "), "{refused:?}");
    assert_eq!(
        server.send(&server.stateless(1, "tools/list", json!({}))).status,
        200,
        "a client without a session was rejected"
    );
}

#[test]
fn a_disconnecting_client_of_the_current_protocol_cancels_its_call() {
    for (setting, reason) in [("", Some("Cancelled by user")), ("[server]\non_call_cancelled = \"detach\"\n", None)] {
        let world = World::with_fake_agent().configure(setting);
        let server = HttpServer::start(&world);
        let release = world.home().join("go");
        let arguments = world.fake(json!([{"say": "busy"}, {"await_file": release}]));
        let call = server.stateless(1, "tools/call", json!({"name": "codex_agent", "arguments": arguments}));
        let open = call.begin(server.address).expect("the server listens");
        let id = running(&world);
        crate::world::wait_for_log(&world, &id, "MESSAGE: busy");
        drop(open);
        match reason {
            Some(_) => {}
            None => {
                for _ in 0..20 {
                    let status = server.call("codex_status", json!({"taskId": id}));
                    assert_eq!(field(&status, "Status"), Some("running"), "{status}");
                }
                fs::write(&release, "").expect("the home is writable");
            }
        }
        let status = eventually("the end of the task", ANSWER_TIMEOUT, || {
            let status = server.call("codex_status", json!({"taskId": id}));
            (field(&status, "Status") != Some("running")).then_some(status)
        });
        assert_eq!(field(&status, "Failure reason"), reason, "{status}");
    }
}

#[test]
fn a_disconnecting_client_leaves_no_error_in_the_log() {
    let world = World::with_fake_agent();
    let log = world.home().join("stderr");
    let stderr = fs::File::create(&log).expect("the home is writable");
    let server = HttpServer::run(&world, world.command(&[]).stderr(stderr));
    for _ in 0..5 {
        let call = json!({"name": "codex_agent", "arguments": world.fake(json!([{"say": "busy"}, {"hang": true}]))});
        let open = server.stateless(1, "tools/call", call).begin(server.address).expect("the server listens");
        let id = running(&world);
        crate::world::wait_for_log(&world, &id, "MESSAGE: busy");
        drop(open);
        eventually("the end of the task", ANSWER_TIMEOUT, || {
            fs::read_dir(world.data_dir().join("run")).ok()?.next().is_none().then_some(())
        });
    }
    drop(server);
    assert_eq!(fs::read_to_string(&log).expect("it exists"), "");
}

#[test]
fn sigterm_ends_the_server_and_its_tasks_as_over_stdio() {
    let world = World::with_fake_agent();
    let mut server = HttpServer::start(&world);
    let arguments = and(world.fake(json!([{"hang": true}])), json!({"async": true}));
    let text = server.call("codex_agent", arguments);
    let id = field(&text, "Task ID").expect("a task ID").to_owned();
    let waits = json!({"name": "codex_agent", "arguments": world.fake(json!([{"hang": true}]))});
    let _waiting = server.stateless(2, "tools/call", waits).begin(server.address).expect("the server listens");
    kill_process(server.pid(), Signal::TERM).expect("it is our child");
    let ended =
        eventually("the end of the server", Duration::from_secs(10), || server.process.try_wait().ok().flatten());
    assert_eq!(ended.code(), Some(0));
    eventually("the end of the agent", ANSWER_TIMEOUT, || {
        processes_with_env("CONNECTOR_TASK_IDS", &id).is_empty().then_some(())
    });
    // If the signal arrived before the agent was started, the supervisor may still be running.
    let status = wait_for_end(&mut world.server(), &id);
    assert_eq!(field(&status, "Failure reason"), Some("Server restarted while task was running"), "{status}");
}

#[test]
fn an_invalid_configuration_is_reported() {
    let world = World::with_fake_agent().configure("no_such_key = 1\n");
    let refused = world.command(&["serve", "--http", "127.0.0.1:0"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("no_such_key"), "{said}");
}

#[test]
fn a_malformed_message_is_repaired_or_answered_with_a_parse_error() {
    let world = World::with_fake_agent();
    let server = HttpServer::start(&world);
    let send = |text: &[u8]| server.send(&server.stateless(7, "ping", json!({"x": "@"})).replace("\"@\"", text));
    for text in [&b"\"\\ud83d\""[..], b"\"\xe9\"", b"\"a\tb\""] {
        let answer = send(text);
        assert!(answer.messages()[0]["error"]["code"] != -32700 && answer.messages()[0]["id"] == 7, "{answer:?}");
    }
    for text in [&b"1e999"[..], b"NaN", b"1,", b"\"torn"] {
        let answer = send(text);
        assert_eq!((answer.status, &answer.messages()[0]["id"]), (400, &json!(7)), "{answer:?}");
        assert_eq!(answer.messages()[0]["error"]["code"], -32700);
    }
}

#[test]
fn the_server_says_how_to_add_it_and_ends_without_an_error() {
    let world = World::with_fake_agent();
    let mut command = world.command(&["serve", "--http", "localhost:0"]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = command.spawn().expect("the program runs");
    let mut lines = BufReader::new(process.stdout.take().expect("stdout is piped")).lines();
    let mut line = || lines.next().expect("a line").expect("it is UTF-8");
    let url = line().strip_prefix("listening on ").expect("the address").to_owned();
    let token = world.data_dir().join("http-token").display().to_string();
    assert!(line().contains(&token));
    let expected = format!("codex-connector {url} --header \"Authorization: Bearer $(cat {token})\"");
    assert!(line().ends_with(&expected));
    kill_process(Pid::from_child(&process), Signal::INT).expect("it is our child");
    let done = process.wait_with_output().expect("it ends");
    assert!(done.status.success() && done.stderr.is_empty(), "{}", String::from_utf8_lossy(&done.stderr));
}
