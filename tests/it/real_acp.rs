//! A real ACP agent: codex-acp, offline with a scripted model.

use std::{
    fs,
    path::{Path, PathBuf},
};

use connector_testing::{
    ScriptStep, ScriptedModel,
    codex::{CodexHome, install_other},
    processes::processes_with_env,
};
use serde_json::json;

use crate::world::{World, and, field, start, task_id, wait_for_log};

fn codex_acp() -> PathBuf {
    let installed = install_other("@zed-industries/codex-acp", "0.16.0", "codex-acp");
    installed.unwrap_or_else(|problem| panic!("{problem}"))
}

fn world(model: &ScriptedModel) -> (World, CodexHome) {
    let home = CodexHome::below(Path::new(env!("CARGO_TARGET_TMPDIR")), &model.base_url(), "mock-model");
    let codex_home = home.codex_home().to_string_lossy().into_owned();
    let world = World::with_fake_agent().variable("CODEX_HOME", codex_home).configure(&format!(
        "[tools]\nextra = [\"resume\"]\n[tasks]\ndefault_backend = \"acp\"\nkeep_events = true\n\
         [backends.acp]\nkind = \"acp\"\npreset = \"codex-acp\"\nprogram = {:?}\n",
        codex_acp()
    ));
    (world, home)
}

#[test]
fn codex_acp_edits_a_file_and_answers() {
    let script = vec![ScriptStep::Shell("echo edited >> README.md".into()), ScriptStep::Say("the end".into())];
    let model = ScriptedModel::with_script(script);
    let (world, _home) = world(&model);
    let answer = world.server().call("codex_agent", world.task("edit it"), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert!(answer.text.contains("the end"), "{}", answer.text);
    let file = fs::read_to_string(world.project.path().join("README.md")).expect("the project has one");
    assert!(file.ends_with("edited\n"), "{file}");
    let id = task_id(&answer);
    assert!(world.log(&id).contains("COMMAND FINISHED"), "{}", world.log(&id));
    assert!(world.record(&id)["sessionId"].is_string());
    assert!(processes_with_env("CONNECTOR_TASK_IDS", &id).is_empty());
}

#[test]
fn a_command_of_a_cancelled_task_is_stopped() {
    let script = vec![ScriptStep::Shell("echo started; sleep 300".into()), ScriptStep::Say("never".into())];
    let model = ScriptedModel::with_script(script);
    let (world, _home) = world(&model);
    let mut server = world.server();
    let id = start(&mut server, world.task("x"));
    wait_for_log(&world, &id, "COMMAND STARTED");
    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});
    assert!(answer.text.contains("Cancelled by user"), "{}", answer.text);
    assert_eq!(processes_with_env("CONNECTOR_TASK_IDS", &id), Vec::<u32>::new());
}

#[test]
fn a_time_limit_stops_codex_acp() {
    let model = ScriptedModel::with_script(vec![ScriptStep::Hang]);
    let (world, _home) = world(&model);
    let answer = world.server().call("codex_agent", and(world.task("x"), json!({"timeoutMs": 4000})), |_| {});
    assert!(
        field(&answer.text, "Failure reason").is_some_and(|reason| reason.starts_with("Timeout after")),
        "{}",
        answer.text
    );
    assert!(processes_with_env("CONNECTOR_TASK_IDS", &task_id(&answer)).is_empty());
}

#[test]
fn a_sandbox_that_codex_acp_cannot_enforce_is_refused() {
    let model = ScriptedModel::with_script(vec![ScriptStep::Say("x".into())]);
    let (world, _home) = world(&model);
    for sandbox in ["read-only", "workspace-write"] {
        let answer = world.server().call("codex_agent", and(world.task("x"), json!({"sandbox": sandbox})), |_| {});
        assert!(answer.is_error && answer.text.contains("cannot be enforced"), "{}", answer.text);
    }
    assert!(model.requests().is_empty());
}

#[test]
fn a_session_is_resumed() {
    let model = ScriptedModel::start();
    let (world, _home) = world(&model);
    let mut server = world.server();
    let first = server.call("codex_agent", world.task("first SCRIPT[{\"say\": \"one\"}]"), |_| {});
    assert_eq!(field(&first.text, "Status"), Some("completed successfully"), "{}", first.text);
    let more = json!({"taskId": task_id(&first), "task": "second SCRIPT[{\"say\": \"two\"}]"});
    let second = server.call("codex_resume", more, |_| {});
    assert_eq!(field(&second.text, "Status"), Some("completed successfully"), "{}", second.text);
    assert!(second.text.contains("two"), "{}", second.text);
    let seen = model.requests().pop().expect("the model was asked").body.to_string();
    assert!(seen.contains("first SCRIPT") && seen.contains("second SCRIPT"), "the session was forgotten: {seen}");
    let sessions = [&first, &second].map(|answer| world.record(&task_id(answer))["sessionId"].clone());
    assert_eq!(sessions[0], sessions[1]);
    let unknown_session =
        json!({"sessionId": "0199a213-81c0-7800-8aa1-bbab2a035a53", "workingDirectory": world.project.path()});
    let lost = server.call("codex_resume", and(json!({"task": "x", "model": "acp/"}), unknown_session), |_| {});
    assert_eq!(field(&lost.text, "Status"), Some("failed"), "{}", lost.text);
}
