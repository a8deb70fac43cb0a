//! Several backends in one configuration: which one runs a task, and where it is shown.

use serde_json::json;

use crate::world::{World, and, field, task_id};

fn world(more: &str) -> World {
    let agent = env!("CARGO_BIN_EXE_fake-agent");
    World::with_fake_agent().configure(&format!(
        "{more}[backends.fast]\nkind = \"codex\"\nprogram = {agent:?}\nmodel = \"small\"\n\
         [backends.other-one]\nkind = \"codex\"\nprogram = {agent:?}\n"
    ))
}

#[test]
fn a_model_can_name_the_backend_before_it() {
    let world = world("");
    let mut server = world.server();
    for (model, backend, passed) in [
        ("fast/large", "fast", Some("--model large")),
        ("fast/", "fast", Some("--model small")),
        ("fast/a/b", "fast", Some("--model a/b")),
        ("nobody/large", "codex", Some("--model nobody/large")),
        ("fast", "fast", Some("--model small")),
        ("codex", "codex", Some("--model codex")),
        ("fas", "codex", Some("--model fas")),
        ("other-one/", "other-one", None),
    ] {
        let answer =
            server.call("codex_agent", and(world.fake(json!([{"say": "x"}])), json!({"model": model})), |_| {});
        let record = world.record(&task_id(&answer));
        assert_eq!(record["backend"], backend, "{model}: {}", answer.text);
        let command = record["command"].as_str().expect("a command");
        match passed {
            Some(words) => assert!(command.contains(words), "{model}: {command}"),
            None => assert!(!command.contains("--model"), "{model}: {command}"),
        }
    }
    let task = and(world.fake(json!([{"say": "x"}])), json!({"model": "fsat/"}));
    let refused = server.call("codex_agent", task, |_| {});
    assert!(
        refused.is_error && refused.text.contains("Unknown backend `fsat` (did you mean `fast`?)"),
        "{}",
        refused.text
    );
}

#[test]
fn a_backend_can_have_its_own_default_sandbox() {
    let world = world("[tasks]\ndefault_sandbox = \"read-only\"\n");
    let key = "backends.fast.default_sandbox";
    let mut server = connector_testing::McpServer::spawn(world.command(&["--set", &format!("{key}=workspace-write")]));
    server.initialize();
    for (model, asked, sandbox) in [
        ("fast/", None, "workspace-write"),
        ("other-one/", None, "read-only"),
        ("fast/", Some("read-only"), "read-only"),
    ] {
        let mut task = and(world.fake(json!([{"say": "x"}])), json!({"model": model}));
        asked.into_iter().for_each(|asked| task["sandbox"] = json!(asked));
        let answer = server.call("codex_agent", task, |_| {});
        assert_eq!(field(&answer.text, "Sandbox"), Some(sandbox), "{model}: {}", answer.text);
    }
    let options = ["--set", "backends.fast.default_sandbox=full", "check"];
    let said = world.command(&options).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains(key) && said.contains("`read-only`, `workspace-write`, `danger-full-access`"), "{said}");
    // A default above the ceiling is named with its own key.
    let limits = ["--set", "ceiling.sandbox=read-only", "--set", "backends.fast.default_sandbox=workspace-write"];
    let mut limited = connector_testing::McpServer::spawn(world.command(&limits));
    limited.initialize();
    let task = and(world.fake(json!([])), json!({"model": "fast"}));
    let refused = limited.call("codex_agent", task, |_| {});
    assert!(
        refused.is_error && refused.text.contains(&format!("workspace-write (`{key}`), exceeds")),
        "{}",
        refused.text
    );
}

#[test]
fn each_backend_can_have_a_tool_and_all_share_status_tasks_and_cancel() {
    let world = world("[tools]\nper_backend = true\n");
    let mut server = world.server();
    let listed = server.request("tools/list", json!({}));
    let tools = listed["tools"].as_array().expect("a list");
    let names: Vec<_> = tools.iter().map(|tool| tool["name"].as_str().expect("a name")).collect();
    assert_eq!(names[4..], ["fast_agent", "other_one_agent"]);
    assert_eq!(tools[4]["inputSchema"], tools[0]["inputSchema"]);
    let answer = server.call("fast_agent", world.fake(json!([{"say": "x"}])), |_| {});
    assert!(field(&answer.text, "Backend").is_some_and(|backend| backend.starts_with("fast")), "{}", answer.text);
    let status = server.call("codex_status", json!({"taskId": task_id(&answer)}), |_| {}).text;
    assert!(field(&status, "Backend").is_some_and(|backend| backend.starts_with("fast")), "{status}");
    let list = |server: &mut connector_testing::McpServer| server.call("codex_tasks", json!({}), |_| {}).text;
    assert!(
        list(&mut server).starts_with("| ID | Status | Duration | Exit | Task | Started | Directory |\n"),
        "there is no column for a single backend"
    );
    server.call("codex_agent", world.fake(json!([{"say": "x"}])), |_| {});
    let both = list(&mut server);
    assert!(both.starts_with("| ID | Status | Duration | Exit | Task | Started | Directory | Backend |\n"), "{both}");
    assert!(both.contains(" | codex |") && both.contains(" | fast |"), "{both}");
    let refused = server.try_request("tools/call", json!({"name": "nobody_agent", "arguments": {}}));
    assert_eq!(refused.expect_err("there is no such backend").code, -32602);
}

#[test]
fn two_backends_whose_tools_would_have_one_name_are_a_problem() {
    let agent = env!("CARGO_BIN_EXE_fake-agent");
    let world =
        world(&format!("[tools]\nper_backend = true\n[backends.other_one]\nkind = \"codex\"\nprogram = {agent:?}\n"));
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("would both get the tool `other_one_agent`"), "{said}");
}
