//! Fallback backends.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::json;

use crate::world::{World, and, field, start, task_id, wait_for_end, wait_for_log};

const AGENT: &str = env!("CARGO_BIN_EXE_fake-agent");

/// A world in which `codex` is this program, and `second` and `third` are its fallbacks.
fn world(program: &str) -> World {
    World::with_codex(std::path::Path::new(program)).configure(&format!(
        "[backends.second]\nkind = \"codex\"\nprogram = \"no-such-program\"\n\
         [backends.third]\nkind = \"codex\"\nprogram = {AGENT:?}\n"
    ))
}

fn with_fallback(world: World) -> World {
    let file = world.data_dir().join("config.toml");
    let config = fs::read_to_string(&file).expect("there is a configuration");
    let line = "[backends.codex]\nfallback = [\"second\", \"third\"]\n";
    fs::write(&file, config.replace("[backends.codex]\n", line)).expect("the home is writable");
    world
}

#[test]
fn a_backend_that_cannot_start_is_replaced_and_that_is_reported() {
    let world = with_fallback(world("nor-this-one"));
    let mut server = world.server();
    let task = and(world.fake(json!([{"say": "from the third"}])), json!({"model": "of-the-first"}));
    let answer = server.call("codex_agent", task, |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let fallback = field(&answer.text, "Fallback").expect("the answer names the fallback");
    assert!(
        fallback.contains("codex: ") && fallback.contains("second: ") && fallback.contains("no-such-program"),
        "{fallback}"
    );
    assert!(field(&answer.text, "Backend").is_some_and(|backend| backend.starts_with("third")), "{}", answer.text);
    let record = world.record(&task_id(&answer));
    assert!(!record["command"].as_str().expect("a command").contains("of-the-first"), "{record}");
    assert!(world.log(&task_id(&answer)).contains("FALLBACK: codex: "));
    let status = server.call("codex_status", json!({"taskId": task_id(&answer)}), |_| {}).text;
    assert!(field(&status, "Fallback").is_some(), "{status}");
}

#[test]
fn a_failure_with_a_documented_cause_falls_back_unless_work_was_done() {
    for (steps, falls_back) in [
        (json!([{"fail": "401 Unauthorized: bad key"}]), true),
        (json!([{"fail": "You've hit your usage limit."}]), true),
        (json!([{"say": "I begin"}, {"fail": "You've hit your usage limit."}]), false),
        (json!([{"command": {"cmd": "make"}}, {"fail": "401 Unauthorized"}]), false),
        (json!([{"fail": "Selected model is at capacity. Please try a different model."}]), true),
        (json!([{"fail": "the model is confused"}]), false),
        (json!([{"fail": "failed to write session file: Disk quota exceeded (os error 122)"}]), false),
        (json!([{"fail": "Sorry, you have been blocked. Ray ID: 9c401d2e7f0ab1c2"}]), false),
        (json!([{"exit": 3}]), false),
    ] {
        let world = with_fallback(world(AGENT));
        let answer = world.server().call("codex_agent", world.fake(steps.clone()), |_| {});
        // The fallback plays the same steps and fails too; the last failure is reported.
        assert_eq!(field(&answer.text, "Status"), Some("failed"), "{steps}: {}", answer.text);
        assert_eq!(field(&answer.text, "Fallback").is_some(), falls_back, "{steps}: {}", answer.text);
    }
}

/// Creates a program in this directory that passes everything to the fake agent, with or without a sandbox.
fn wrapper(directory: &Path, has_sandbox: bool) {
    let variable = if has_sandbox { "" } else { "export FAKE_CODEX_NO_SANDBOX=1\n" };
    let script = format!("#!/bin/sh\n{variable}exec {AGENT} \"$@\"\n");
    // Renamed into place, as an update would do it, because a file cannot be executed while it is being written.
    let written = directory.join("written");
    fs::write(&written, script).expect("the directory is writable");
    fs::set_permissions(&written, fs::Permissions::from_mode(0o755)).expect("it is ours");
    fs::rename(&written, directory.join("codex")).expect("the directory is writable");
}

#[test]
fn an_unenforceable_sandbox_neither_falls_back_nor_advises_installation() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    wrapper(directory.path(), true);
    let world = with_fallback(world(&directory.path().join("codex").to_string_lossy()));
    let world = world.configure("[limits]\nmax_running = 1\n");
    let mut server = world.server();
    let running = start(&mut server, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &running, "MESSAGE: busy");
    let read_only = and(world.fake(json!([{"say": "x"}])), json!({"sandbox": "read-only"}));
    let queued = start(&mut server, read_only);
    wait_for_log(&world, &queued, "QUEUED:");
    wrapper(directory.path(), false);
    server.call("codex_cancel", json!({"taskId": running}), |_| {});

    let status = wait_for_end(&mut server, &queued);
    assert_eq!(field(&status, "Failure reason"), Some("Process error: ENOTSUP (spawn failed)"), "{status}");
    assert!(
        status.contains("sandbox `read-only` cannot be enforced") && field(&status, "Fallback").is_none(),
        "{status}"
    );
    assert!(status.contains("choose another `sandbox`") && !status.contains("npm install"), "{status}");
}

/// A command backend that answers with its own name, and supports these sandboxes.
fn shell(name: &str, program: &str, sandboxes: &str, more: &str) -> String {
    format!(
        "[backends.{name}]\nkind = \"command\"\nprogram = {program:?}\nversion_args = []\nrequire_git = false\n\
         args = [\"-c\", \"echo answered by {name}\"]\nsandboxes = {{ {sandboxes} }}\n{more}\n"
    )
}

fn answer_of_chain(fallback: &str) -> String {
    let (weak, both) = ("danger-full-access = []", "read-only = [\"-e\"], danger-full-access = []");
    let backends = [
        shell("first", "/no/such/program", both, &format!("fallback = {fallback}")),
        shell("weak", "/bin/sh", weak, ""),
        shell("last", "/bin/sh", both, ""),
    ];
    let world = World::with_codex(Path::new(AGENT)).configure(&backends.concat());
    let task = and(world.task("x"), json!({"sandbox": "read-only", "model": "first/"}));
    world.server().call("codex_agent", task, |_| {}).text
}

#[test]
fn a_fallback_that_cannot_enforce_the_sandbox_is_skipped() {
    let answer = answer_of_chain("[\"weak\", \"last\"]");
    assert_eq!(field(&answer, "Status"), Some("completed successfully"), "{answer}");
    assert!(answer.contains("answered by last") && !answer.contains("answered by weak"), "{answer}");
    let fallback = field(&answer, "Fallback").expect("the answer names the fallback");
    assert!(fallback.contains("weak: sandbox") && fallback.contains("cannot be enforced"), "{fallback}");
}

#[test]
fn without_a_fallback_that_enforces_the_sandbox_the_first_failure_is_reported() {
    let answer = answer_of_chain("[\"weak\"]");
    assert_eq!(field(&answer, "Status"), Some("failed"), "{answer}");
    assert_eq!(field(&answer, "Failure reason"), Some("Process error: ENOENT (spawn failed)"), "{answer}");
    assert_eq!(field(&answer, "Backend"), Some("first"), "{answer}");
    assert!(
        answer.contains("/no/such/program does not exist") && answer.contains("install `/no/such/program`"),
        "{answer}"
    );
    assert!(!answer.contains("answered by weak") && !answer.contains("install `/bin/sh`"), "{answer}");
    let fallback = field(&answer, "Fallback").expect("the answer names the fallback");
    assert!(fallback.contains("weak: sandbox") && fallback.contains("cannot be enforced"), "{fallback}");
}

#[test]
fn a_task_cancelled_during_its_first_agent_does_not_fall_back() {
    let world = with_fallback(world(AGENT));
    let mut server = world.server();
    let task = world.fake(json!([{"error": "401 Unauthorized"}, {"sleep": 300}]));
    let id = start(&mut server, task);
    wait_for_log(&world, &id, "401 Unauthorized");
    let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {}).text;
    assert!(answer.contains("Cancelled by user"), "{answer}");
    assert!(!world.log(&id).contains("FALLBACK"), "{}", world.log(&id));
    assert_eq!(world.record(&id)["backend"], "codex");
}

#[test]
fn a_directory_that_vanished_while_its_task_was_queued_is_reported_as_missing() {
    let world = with_fallback(world(AGENT)).configure("[limits]\nmax_running = 1\n");
    let mut server = world.server();
    let running = start(&mut server, world.fake(json!([{"say": "busy"}, {"sleep": 300}])));
    wait_for_log(&world, &running, "MESSAGE: busy");
    let gone = connector_testing::GitProject::new();
    let task = and(world.fake(json!([{"say": "x"}])), json!({"workingDirectory": gone.path()}));
    let queued = start(&mut server, task);
    wait_for_log(&world, &queued, "QUEUED:");
    fs::remove_dir_all(gone.path()).expect("it is ours");
    server.call("codex_cancel", json!({"taskId": running}), |_| {});

    let status = wait_for_end(&mut server, &queued);
    assert_eq!(field(&status, "Failure reason"), Some("Process error: ENOENT (spawn failed)"), "{status}");
    assert!(status.contains("no longer exists") && status.contains("`workingDirectory` that exists"), "{status}");
    assert!(field(&status, "Fallback").is_none() && !status.contains("npm install"), "{status}");
}

#[test]
fn a_program_being_replaced_by_an_update_is_awaited_unless_the_task_is_stopped() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    let link = directory.path().join("codex");
    std::os::unix::fs::symlink("updated", &link).expect("the directory is writable");
    let world = with_fallback(world(&link.to_string_lossy()));
    let mut server = world.server();

    let cancelled = start(&mut server, world.fake(json!([{"say": "never"}])));
    wait_for_log(&world, &cancelled, "WAITING:");
    let answer = server.call("codex_cancel", json!({"taskId": cancelled}), |_| {}).text;
    assert!(answer.contains("Cancelled by user"), "{answer}");
    let limited = and(world.fake(json!([{"say": "never"}])), json!({"timeoutMs": 1_000}));
    let answer = server.call("codex_agent", limited, |_| {}).text;
    assert!(field(&answer, "Failure reason").is_some_and(|reason| reason.starts_with("Timeout after")), "{answer}");

    let waiting = start(&mut server, world.fake(json!([{"say": "after the update"}])));
    wait_for_log(&world, &waiting, "WAITING:");
    std::os::unix::fs::symlink(AGENT, directory.path().join("updated")).expect("the directory is writable");
    let status = wait_for_end(&mut server, &waiting);
    assert!(status.contains("after the update") && field(&status, "Fallback").is_none(), "{status}");
}

#[test]
fn an_unknown_fallback_is_reported() {
    let world = world(AGENT);
    let file = world.data_dir().join("config.toml");
    let config = fs::read_to_string(&file).expect("there is a configuration");
    let line = "[backends.codex]\nfallback = [\"thrid\", \"codex\"]\n";
    fs::write(&file, config.replace("[backends.codex]\n", line)).expect("the home is writable");
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("unknown backend `thrid`; did you mean `third`?"), "{said}");
    assert!(said.contains("`codex` cannot be its own fallback"), "{said}");
}

#[test]
fn a_fallback_without_another_backend_is_reported() {
    let world = World::with_fake_agent().variable("CODEX_CONNECTOR_BACKENDS__CODEX__FALLBACK", "[\"codex\"]");
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("`codex` cannot be its own fallback; `codex` is the only backend"), "{said}");
    assert!(!said.contains("``"), "{said}");
}

#[test]
fn an_unexecutable_program_falls_back_and_a_request_above_the_ceiling_does_not() {
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let directory = file.path().parent().expect("a file is in a directory");
    for program in [file.path(), directory] {
        let world = with_fallback(world(&program.to_string_lossy()));
        let answer = world.server().call("codex_agent", world.fake(json!([{"say": "x"}])), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{program:?}: {}", answer.text);
    }
    let world = with_fallback(world(AGENT)).configure("[ceiling]\nsandbox = \"read-only\"\n");
    let task = and(world.fake(json!([{"say": "x"}])), json!({"sandbox": "danger-full-access"}));
    let answer = world.server().call("codex_agent", task, |_| {});
    assert!(answer.is_error && answer.text.contains("ceiling"), "{}", answer.text);
}
