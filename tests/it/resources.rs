//! Tasks as resources, and prompts, in both eras of the protocol.

use std::{fs, io::Write};

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, start, wait_for_end, wait_for_log};

/// The text of a resource.
fn read(server: &mut McpServer, uri: &str) -> String {
    let result = server.request("resources/read", json!({"uri": uri}));
    result["contents"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}")).to_owned()
}

/// A task that has ended.
fn ended(world: &World, server: &mut McpServer, steps: Value) -> String {
    let id = start(server, world.fake(steps));
    wait_for_end(server, &id);
    id
}

fn uris(page: &Value) -> Vec<String> {
    let resources = page["resources"].as_array().expect("resources are a list");
    resources.iter().map(|resource| resource["uri"].as_str().expect("a name").to_owned()).collect()
}

#[test]
fn all_resources_of_a_task_can_be_listed_and_read_in_both_eras() {
    let world = World::with_fake_agent().configure("[tasks]\nkeep_events = true\n");
    for greet in [McpServer::initialize, McpServer::discover] {
        let mut server = world.silent_server();
        let greeted = greet(&mut server);
        assert_eq!(greeted["capabilities"]["resources"], json!({"subscribe": true, "listChanged": true}), "{greeted}");
        let id = ended(&world, &mut server, json!([{"say": "a resource"}]));
        let listed = server.request("resources/list", json!({}));
        let name = |part: &str| format!("task://{id}{part}");
        let all: Vec<_> = ["", "/log", "/result", "/events", "/diff", "/diagnostics"].map(name).to_vec();
        assert_eq!(uris(&listed)[..6], all);
        let log = &listed["resources"][1];
        assert_eq!(log["size"].as_u64(), Some(fs::metadata(world.log_file(&id, "log")).expect("it exists").len()));
        assert!(log["annotations"]["lastModified"].is_string() && log["mimeType"] == "text/plain", "{log}");
        let record: Value = serde_json::from_str(&read(&mut server, &name(""))).expect("a record is JSON");
        assert_eq!((&record["id"], &record["status"]), (&json!(id), &json!("completed")));
        assert_eq!(read(&mut server, &name("/log")), world.log(&id));
        assert_eq!(read(&mut server, &name("/result")), "a resource");
        assert!(read(&mut server, &name("/events")).contains("\"agent_message\""));
        assert!(read(&mut server, &name("/diagnostics")).contains("| Exit code | 0 |"));
        let templates = server.request("resources/templates/list", json!({}));
        assert_eq!(templates["resourceTemplates"].as_array().map(Vec::len), Some(6));
    }
}

#[test]
fn missing_resources_are_not_found() {
    let world = World::with_fake_agent();
    for (greet, code) in [(McpServer::initialize as fn(&mut McpServer) -> Value, -32002), (McpServer::discover, -32602)]
    {
        let mut server = world.silent_server();
        greet(&mut server);
        let id = ended(&world, &mut server, json!([{"fail": "x"}]));
        for uri in [
            "task://00000000",
            "task://00000000/log",
            &format!("task://{id}/events"),
            "file:///etc/passwd",
            "task://../x",
        ] {
            let refused = server.try_request("resources/read", json!({"uri": uri})).expect_err(uri);
            assert_eq!(refused.code, code, "{uri}: {refused}");
            let is_unknown_task = uri.contains("00000000");
            assert!(!is_unknown_task || refused.message.contains("; next: call `codex_tasks`"), "{uri}: {refused}");
        }
        let refused = server.try_request("resources/list", json!({"cursor": "x"})).expect_err("it is not a cursor");
        assert_eq!(refused.code, -32602);
    }
}

#[test]
fn pages_are_stable_when_tasks_are_added() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let before: Vec<_> = (0..23).map(|_| ended(&world, &mut server, json!([{"say": "x"}]))).collect();
    let first = server.request("resources/list", json!({}));
    let cursor = first["nextCursor"].as_str().expect("there is more").to_owned();
    ended(&world, &mut server, json!([{"say": "later"}]));
    let second = server.request("resources/list", json!({"cursor": cursor}));
    assert!(second.get("nextCursor").is_none(), "{second}");
    let seen: Vec<_> =
        uris(&first).into_iter().chain(uris(&second)).filter(|uri| uri.len() == "task://".len() + 8).collect();
    let expected: Vec<_> = before.iter().rev().map(|id| format!("task://{id}")).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_long_record_is_read_in_chunks() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let mut arguments = world.fake(json!([{"say": "x"}]));
    let task = format!("{}{}", arguments["task"].as_str().expect("it is text"), " ".repeat(900_000));
    arguments["task"] = json!(task);
    let id = start(&mut server, arguments);
    wait_for_end(&mut server, &id);
    let (mut joined, mut chunks, mut next) = (String::new(), 0, Some(format!("task://{id}")));
    while let Some(uri) = next {
        let result = server.request("resources/read", json!({"uri": uri}));
        let chunk = result["contents"][0]["text"].as_str().expect("it is text");
        assert!(chunk.len() <= 256 << 10, "{} bytes", chunk.len());
        joined.push_str(chunk);
        chunks += 1;
        next = result["contents"][0]["_meta"]["codex-connector/next"].as_str().map(str::to_owned);
    }
    let record: Value = serde_json::from_str(&joined).expect("the chunks are a record");
    assert!(record["task"] == json!(task) && chunks > 3, "{chunks} chunks");
    assert_eq!(read(&mut server, &format!("task://{id}?offset=0&length=1")), "{");
}

#[test]
fn a_long_log_is_read_in_chunks() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"say": "x"}]));
    let log = world.log_file(&id, "log");
    let mut file = fs::OpenOptions::new().append(true).open(&log).expect("it is ours");
    for number in 0..20_000 {
        writeln!(file, "line {number} with some words in it to make it long").expect("it is writable");
    }
    let uri = format!("task://{id}/log");
    let (mut joined, mut chunks, mut next) = (String::new(), 0, Some(uri.clone()));
    while let Some(uri) = next {
        let result = server.request("resources/read", json!({"uri": uri}));
        let chunk = result["contents"][0]["text"].as_str().expect("it is text");
        assert!(chunk.len() <= 256 << 10, "{} bytes", chunk.len());
        joined.push_str(chunk);
        chunks += 1;
        next = result["contents"][0]["_meta"]["codex-connector/next"].as_str().map(str::to_owned);
    }
    assert!(joined == world.log(&id) && chunks > 3, "{chunks} chunks");
    assert_eq!(read(&mut server, &format!("{uri}?tail=1")), "line 19999 with some words in it to make it long\n");
    let size = joined.len();
    let end = read(&mut server, &format!("{uri}?offset={}", size - 49));
    assert_eq!(end, "line 19999 with some words in it to make it long\n");
    assert_eq!(read(&mut server, &format!("{uri}?offset={size}")), "");
}

/// The changes reported so far: the URIs of resources, and `list`.
fn reported(server: &McpServer) -> Vec<String> {
    let others = server.other_messages();
    let reported = others.iter().filter_map(|message| match message["method"].as_str()? {
        "notifications/resources/updated" => message["params"]["uri"].as_str().map(str::to_owned),
        "notifications/resources/list_changed" => Some("list".to_owned()),
        _ => None,
    });
    reported.collect()
}

#[test]
fn a_subscriber_is_notified_of_changes_in_both_eras() {
    for stateless in [false, true] {
        let world = World::with_fake_agent();
        let mut server = world.silent_server();
        if stateless {
            server.discover()
        } else {
            server.initialize()
        };
        let release = world.home().join("go");
        let id = start(&mut server, world.fake(json!([{"say": "one"}, {"await_file": release}, {"say": "two"}])));
        wait_for_log(&world, &id, "MESSAGE: one");
        let (log, record) = (format!("task://{id}/log"), format!("task://{id}"));
        if stateless {
            let wanted =
                json!({"resourceSubscriptions": [log, record, "task://00000000"], "resourcesListChanged": true});
            server.begin_request("subscriptions/listen", json!({"notifications": wanted}));
            let accepted = eventually("the acknowledgement", ANSWER_TIMEOUT, || {
                let mut others = server.other_messages().into_iter();
                others.find(|message| message["method"] == "notifications/subscriptions/acknowledged")
            });
            assert_eq!(
                accepted["params"]["notifications"]["resourceSubscriptions"],
                json!([log, record]),
                "{accepted}"
            );
        } else {
            server.request("resources/list", json!({}));
            server.request("resources/subscribe", json!({"uri": log}));
            server.request("resources/subscribe", json!({"uri": record}));
            let unknown = server.try_request("resources/subscribe", json!({"uri": "task://00000000"}));
            assert_eq!(unknown.expect_err("there is no such task").code, -32002);
        }
        fs::write(&release, "").expect("the home is writable");
        eventually("changes of the log, the record and the list", ANSWER_TIMEOUT, || {
            let reported = reported(&server);
            [&log, &record, "list"].iter().all(|name| reported.iter().any(|reported| reported == name)).then_some(())
        });
        if !stateless {
            server.request("resources/unsubscribe", json!({"uri": log}));
            let before = reported(&server).len();
            let mut file = fs::OpenOptions::new().append(true).open(world.log_file(&id, "log")).expect("it is ours");
            file.write_all(b"more\n").expect("it is writable");
            // The list changes once more. When that has been reported, a change of the log would have been reported
            // too.
            ended(&world, &mut server, json!([{"say": "x"}]));
            eventually("a change of the list", ANSWER_TIMEOUT, || {
                reported(&server)[before..].contains(&"list".to_owned()).then_some(())
            });
            assert!(!reported(&server)[before..].contains(&log), "it was unsubscribed");
        }
    }
}

#[test]
fn prompts_name_the_tool_to_call() {
    let world = World::with_fake_agent();
    for greet in [McpServer::initialize, McpServer::discover] {
        let mut server = world.silent_server();
        greet(&mut server);
        let failed = ended(&world, &mut server, json!([{"fail": "the disk is **full**"}]));
        let listed = server.request("prompts/list", json!({}));
        let names: Vec<_> =
            listed["prompts"].as_array().expect("a list").iter().map(|prompt| &prompt["name"]).collect();
        assert_eq!(names, ["delegate", "review", "rescue", "status"]);
        let mut text = |name: &str, arguments: Value| {
            let prompt = server.request("prompts/get", json!({"name": name, "arguments": arguments}));
            prompt["messages"][0]["content"]["text"].as_str().expect("it is text").to_owned()
        };
        let delegate = text("delegate", json!({"task": "write --model m1 some  tests --background"}));
        for words in ["codex_agent", "\n\nwrite some  tests\n\n", "`model`: m1", "`async`: true"] {
            assert!(delegate.contains(words), "{delegate}");
        }
        assert!(text("review", json!({"focus": "--base main"})).contains("main...HEAD"));
        assert!(text("review", json!({})).contains("`sandbox`: read-only"));
        let rescue = text("rescue", json!({"taskId": format!("{failed} use another disk")}));
        assert!(
            rescue.contains("the disk is **full**") && rescue.contains(&failed) && rescue.contains("another disk"),
            "{rescue}"
        );
        assert!(text("status", json!({})).contains("codex_tasks"));
        assert!(text("status", json!({"taskId": failed})).contains(&failed));
        for (name, arguments) in [
            ("delegate", json!({})),
            ("delegate", json!({"task": "  "})),
            ("delegate", json!({"task": "x", "what": "y"})),
            ("delegate", json!({"task": "x", "sandbox": "read-only"})),
            ("delegate", json!({"task": "fix it --sandbox parser"})),
            ("delegate", json!({"task": "--background --model m1"})),
            ("rescue", json!({"taskId": "00000000"})),
            ("rescue", json!({"taskId": "../x"})),
            ("nothing", json!({})),
        ] {
            let refused = server.try_request("prompts/get", json!({"name": name, "arguments": arguments}));
            assert_eq!(refused.expect_err(name).code, -32602);
        }
    }
}

#[test]
fn arguments_are_completed() {
    let world = World::with_fake_agent()
        .configure("[tasks]\ndefault_sandbox = \"read-only\"\n[ceiling]\nsandbox = \"workspace-write\"\n");
    let mut server = world.server();
    let mut arguments = world.fake(json!([{"say": "x"}]));
    arguments["model"] = json!("some-model");
    let id = start(&mut server, arguments);
    wait_for_end(&mut server, &id);
    let mut complete = |reference: Value, name: &str, typed: &str| {
        let asked = json!({"ref": reference, "argument": {"name": name, "value": typed}});
        server.request("completion/complete", asked)["completion"]["values"].clone()
    };
    let prompt = |name: &str| json!({"type": "ref/prompt", "name": name});
    let template = json!({"type": "ref/resource", "uri": "task://{id}/log{?offset,length,tail}"});
    assert_eq!(complete(prompt("rescue"), "taskId", ""), json!([id]));
    assert_eq!(complete(template.clone(), "id", &id[..3]), json!([id]));
    assert_eq!(complete(template, "id", "zz"), json!([]));
    assert_eq!(complete(prompt("delegate"), "task", "fix --model SOME"), json!(["fix --model some-model"]));
    let sandboxes = json!(["--sandbox read-only", "--sandbox workspace-write"]);
    assert_eq!(complete(prompt("delegate"), "task", "--sandbox "), sandboxes);
    assert_eq!(complete(prompt("review"), "focus", "ma"), json!([]));
    assert_eq!(complete(prompt("review"), "nothing", ""), json!([]));
    assert_eq!(complete(prompt("nothing"), "taskId", ""), json!([]));
}
