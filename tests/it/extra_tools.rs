//! The opt-in tools.

use std::fs;

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, field, start, task_id, wait_for_end, wait_for_log};

fn world() -> World {
    World::with_fake_agent().configure("[tools]\nextra = [\"wait\", \"result\", \"sessions\", \"resume\"]\n")
}

fn ended(server: &mut McpServer, arguments: Value) -> String {
    let id = start(server, arguments);
    wait_for_end(server, &id);
    id
}

fn names(server: &mut McpServer) -> Vec<String> {
    let listed = server.request("tools/list", json!({}));
    let tools = listed["tools"].as_array().expect("a list").clone();
    tools.iter().map(|tool| tool["name"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn extra_tools_are_listed_only_when_enabled() {
    let four = ["codex_agent", "codex_status", "codex_tasks", "codex_cancel"];
    let mut server = World::with_fake_agent().server();
    assert_eq!(names(&mut server), four);
    let refused = server.try_request("tools/call", json!({"name": "codex_wait", "arguments": {"taskIds": ["x"]}}));
    assert_eq!(refused.expect_err("it is off").code, -32602);
    let mut server = World::with_fake_agent().configure("[tools]\nextra = [\"resume\", \"wait\"]\n").server();
    assert_eq!(names(&mut server)[4..], ["codex_wait", "codex_resume"]);
}

#[test]
fn codex_wait_answers_when_all_or_any_tasks_end_or_at_the_time_limit() {
    let world = world();
    let mut server = world.server();
    let release = world.home().join("go");
    let quick = start(&mut server, world.fake(json!([{"say": "quick"}])));
    let slow = start(&mut server, world.fake(json!([{"await_file": release}, {"say": "slow"}])));
    let any = server.call("codex_wait", json!({"taskIds": [slow, quick], "until": "any"}), |_| {});
    assert!(any.text.contains("quick") && any.text.contains(&format!("Still running: {slow}.")), "{}", any.text);
    let up = server.call("codex_wait", json!({"taskIds": [slow], "timeoutMs": 100}), |_| {});
    assert_eq!(up.text, format!("Still running: {slow}."));
    let all = server.start_call("codex_wait", json!({"taskIds": [quick, slow]}));
    eventually("progress", ANSWER_TIMEOUT, || all.progress().iter().any(|text| text.contains(&quick)).then_some(()));
    fs::write(&release, "").expect("the home is writable");
    let all = all.wait(ANSWER_TIMEOUT, |_| {});
    assert!(all.text.matches("## Task Ended").count() == 2 && !all.text.contains("Still running"), "{}", all.text);
    for (arguments, words) in [
        (json!({"taskIds": []}), "a list of 1 to 50 task IDs"),
        (json!({"taskIds": quick}), "a list of 1 to 50 task IDs"),
        (json!({}), "`taskIds` is missing"),
        (json!({"taskIds": ["00000000"]}), "No such task"),
        (json!({"taskIds": [quick], "until": "some"}), "not a valid `until`"),
    ] {
        let refused = server.call("codex_wait", arguments, |_| {});
        assert!(
            refused.is_error && refused.text.contains(words) && refused.text.contains("\nnext: "),
            "{}",
            refused.text
        );
    }
}

#[test]
fn cancelling_a_wait_does_not_affect_its_task() {
    let world = world();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "busy"}, {"hang": true}])));
    let waiting = server.start_call("codex_wait", json!({"taskIds": [id]}));
    eventually("progress", ANSWER_TIMEOUT, || (!waiting.progress().is_empty()).then_some(()));
    server.cancel(&waiting);
    let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
    assert_eq!(field(&status, "Status"), Some("running"), "{status}");
}

#[test]
fn a_long_result_is_read_in_chunks() {
    let world = world();
    let mut server = world.server();
    let long: String = (0..30_000).map(|number| format!("{number} ä\n")).collect();
    let id = ended(&mut server, world.fake(json!([{"say": long}])));
    let (mut joined, mut offset) = (String::new(), Some(0_u64));
    while let Some(at) = offset {
        let chunk = server.call("codex_result", json!({"taskId": id, "offset": at, "length": 100_000}), |_| {}).text;
        let inside = chunk.split_once("```\n").and_then(|(_, rest)| rest.rsplit_once("```")).expect("a fence").0;
        joined.push_str(inside);
        let next = chunk.lines().next().and_then(|line| line.split_once("`offset` ")).map(|(_, next)| next.to_owned());
        offset = next.map(|next| next.trim_end_matches('.').parse().expect("a number"));
    }
    assert!(joined == long, "{} of {} bytes", joined.len(), long.len());
    let running = start(&mut server, world.fake(json!([{"hang": true}])));
    let none = server.call("codex_result", json!({"taskId": running}), |_| {});
    assert!(!none.is_error && none.text.contains("has no result"), "{}", none.text);
}

#[test]
fn a_session_is_listed_and_can_be_resumed() {
    let world = world();
    let mut server = world.server();
    assert_eq!(server.call("codex_sessions", json!({}), |_| {}).text, "No sessions found.");
    let first = ended(&mut server, world.fake(json!([{"say": "one"}])));
    let session = world.record(&first)["sessionId"].as_str().expect("the agent reported a session").to_owned();
    let listed = server.call("codex_sessions", json!({}), |_| {}).text;
    assert!(listed.contains(&format!("| {first} | {session} | codex | completed |")), "{listed}");

    let more = |sandbox: &str| json!({"task": "FAKE[{\"say\":\"two\"}]", "sandbox": sandbox});
    let answer = server.call("codex_resume", and(more("read-only"), json!({"taskId": first})), |_| {});
    assert!(answer.text.contains("two"), "{}", answer.text);
    let record = world.record(&task_id(&answer));
    assert_eq!((&record["sessionId"], &record["resumedFrom"]), (&json!(session), &json!(first)));
    assert_eq!(record["workingDirectory"], json!(world.project.path()), "the directory of the first task");
    let command = record["command"].as_str().expect("a command");
    assert!(command.contains("--sandbox read-only") && command.ends_with(&format!("resume {session} -")), "{command}");

    let by_session = server.call("codex_resume", and(more("workspace-write"), json!({"sessionId": session})), |_| {});
    assert!(by_session.text.contains("two"), "{}", by_session.text);
    let unknown_session = "0199a213-81c0-7800-8aa1-bbab2a035a53";
    let nowhere = server.call("codex_resume", json!({"sessionId": unknown_session, "task": "x"}), |_| {});
    assert!(nowhere.is_error && nowhere.text.contains("`workingDirectory`"), "{}", nowhere.text);
    let arguments =
        json!({"sessionId": unknown_session, "task": "x", "workingDirectory": world.project.path(), "async": true});
    let there = server.call("codex_resume", arguments, |_| {});
    assert_eq!(field(&there.text, "Status"), Some("running"), "{}", there.text);
}

#[test]
fn a_resumed_session_keeps_the_sandbox_of_its_task_unless_the_call_names_one() {
    let world = world();
    let mut server = world.server();
    let review = ended(&mut server, and(world.fake(json!([{"say": "one"}])), json!({"sandbox": "read-only"})));
    let session = world.record(&review)["sessionId"].as_str().expect("the agent reported a session").to_owned();
    let more = || json!({"task": "FAKE[{\"say\":\"two\"}]"});
    for (named, more, sandbox) in [
        ("task", json!({"taskId": review}), "read-only"),
        ("session", json!({"sessionId": session}), "read-only"),
        ("task, wider", json!({"taskId": review, "sandbox": "workspace-write"}), "workspace-write"),
        ("task again", json!({"taskId": review}), "read-only"),
    ]
    .map(|(named, target, sandbox)| (named, and(more(), target), sandbox))
    {
        let answer = server.call("codex_resume", more, |_| {});
        let record = world.record(&task_id(&answer));
        assert_eq!(record["sandbox"], sandbox, "{named}: {}", answer.text);
        assert!(record["command"].as_str().is_some_and(|command| command.contains(&format!("--sandbox {sandbox}"))));
        assert_eq!(field(&answer.text, "Sandbox"), Some(sandbox), "{}", answer.text);
    }
    // The ceiling was lowered after the first task.
    let wide = ended(&mut server, world.fake(json!([{"say": "one"}])));
    let mut limited = McpServer::spawn(world.command(&["--set", "ceiling.sandbox=read-only"]));
    limited.initialize();
    let refused = limited.call("codex_resume", and(more(), json!({"taskId": wide})), |_| {});
    let problem =
        "No `sandbox` is given, and that of the earlier task, danger-full-access, exceeds the ceiling, read-only";
    assert!(refused.is_error && refused.text.starts_with(problem), "{}", refused.text);
}

#[test]
fn sessions_that_no_configured_backend_can_resume_are_not_listed() {
    let world = world();
    let program = format!("backends.other.program={}", env!("CARGO_BIN_EXE_fake-agent"));
    let mut before = McpServer::spawn(world.command(&["--set", "backends.other.kind=codex", "--set", &program]));
    before.initialize();
    let task = and(world.fake(json!([{"say": "one"}])), json!({"model": "other/"}));
    let id = ended(&mut before, task);
    let listed = before.call("codex_sessions", json!({}), |_| {}).text;
    assert!(listed.contains(&id), "{listed}");
    let now = world.server().call("codex_sessions", json!({}), |_| {}).text;
    assert_eq!(now, "No sessions found.");
}

#[test]
fn an_unresumable_session_is_refused_or_fails_but_is_never_restarted() {
    let world =
        world().configure("[ceiling]\nsandbox = \"workspace-write\"\n[tasks]\ndefault_sandbox = \"read-only\"\n");
    let mut server = world.server();
    let refused = |server: &mut McpServer, arguments: Value, words: &str| {
        let answer = server.call("codex_resume", and(json!({"task": "x"}), arguments), |_| {});
        assert!(
            answer.is_error && answer.text.contains(words) && answer.text.contains("\nnext: "),
            "{words}: {}",
            answer.text
        );
    };
    let running = start(&mut server, world.fake(json!([{"say": "busy"}, {"hang": true}])));
    refused(&mut server, json!({"taskId": running}), "it is still running");
    let silent = ended(&mut server, world.fake(json!([{"exit": 3}])));
    let has_session = world.record(&silent)["sessionId"].is_string();
    assert!(has_session, "the fake agent reports its session first");
    refused(&mut server, json!({"taskId": silent, "sandbox": "danger-full-access"}), "ceiling");
    refused(&mut server, json!({"taskId": "00000000"}), "No such task");
    refused(&mut server, json!({}), "`taskId` or `sessionId` is required");
    refused(&mut server, json!({"taskId": silent, "sessionId": "x"}), "cannot be combined");
    let here = world.project.path();
    refused(&mut server, json!({"sessionId": "my session", "workingDirectory": here}), "cannot be resumed");

    let unknown = json!({"sessionId": "00000000-0000-7000-8000-000000000000", "workingDirectory": here, "task": "x"});
    let answer = server.call("codex_resume", unknown, |_| {});
    assert!(
        answer.text.contains("no rollout found") && field(&answer.text, "Status") == Some("failed"),
        "{}",
        answer.text
    );
    assert!(answer.text.contains("### What to do\nstart a new task"), "{}", answer.text);

    let again = json!({"taskId": silent, "task": "FAKE[{\"say\":\"busy\"},{\"hang\":true}]", "async": true});
    let first = task_id(&server.call("codex_resume", again, |_| {}));
    wait_for_log(&world, &first, "MESSAGE: busy");
    refused(&mut server, json!({"taskId": silent}), &format!("task {first} is using it"));

    let world = world.variable("FAKE_CODEX_STRAYS", "1");
    let mut server = world.server();
    let file = world.home().join("written");
    let steps = json!([{"sleep": 1}, {"write": {"path": file, "text": "x"}}]);
    let other = ended(&mut server, world.fake(json!([{"say": "x"}])));
    let answer = server.call("codex_resume", json!({"taskId": other, "task": format!("FAKE{steps}")}), |_| {});
    assert!(answer.text.contains("instead of resuming"), "{}", answer.text);
    assert_eq!(field(&answer.text, "Failure reason"), Some("Agent reported a failure"), "{}", answer.text);
    assert!(!file.exists(), "it was not stopped in time");
}
