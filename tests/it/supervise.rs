//! A supervisor run directly, as from a shell.

use std::{io::Write, process::Stdio};

use serde_json::{Value, json};

use crate::world::World;

/// A spec for the fake agent in the world's project.
pub(crate) fn spec(world: &World, id: &str, prompt: &str, on_server_exit: &str) -> Value {
    json!({
        "format": 1, "id": id, "submittedAt": "2026-01-15T10:30:00Z", "attempt": 1,
        "request": {
            "prompt": prompt, "working_directory": world.project.path(), "sandbox": "read-only", "model": null
        },
        "backend": {"name": "codex", "kind": "codex", "settings": {"program": env!("CARGO_BIN_EXE_fake-agent")}},
        "policy": {
            "timeout": null, "heartbeat": 30_000, "stallWarning": 120_000, "stopAfterSilence": null,
            "grace": {"interrupt": 2_000, "terminate": 2_000}, "onServerExit": on_server_exit,
            "onAgentExit": "kill", "keepEvents": false
        },
        "index": {"entries": 1_000, "text": 2_000}
    })
}

/// Runs a supervisor with `stdin` as its input, which then ends. Returns its exit code and stdout.
pub(crate) fn supervise(world: &World, id: &str, stdin: &str) -> (Option<i32>, String) {
    let (data, logs) = (world.data_dir(), world.data_dir().join("logs"));
    let mut command = world.command(&["supervise", id]);
    command.arg("--data-dir").arg(data).arg("--log-dir").arg(logs);
    let mut supervisor = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the program runs");
    let mut pipe = supervisor.stdin.take().expect("stdin is piped");
    pipe.write_all(stdin.as_bytes()).expect("the supervisor reads");
    drop(pipe);
    let output = supervisor.wait_with_output().expect("the supervisor ends");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn a_task_can_be_run_from_a_shell() {
    let world = World::with_fake_agent();
    let spec = spec(&world, "0123abcd", "FAKE[{\"say\": \"from a shell\"}]", "continue");
    let (code, said) = supervise(&world, "0123abcd", &format!("{spec}\n"));
    assert_eq!(
        (code, said.lines().next(), said.lines().last()),
        (Some(0), Some("\"ready\""), Some("\"ended\"")),
        "{said}"
    );
    assert_eq!(world.record("0123abcd")["result"], "from a shell");
}

#[test]
fn the_end_is_announced_only_once_and_with_a_free_lease() {
    let world = World::with_fake_agent();
    let spec = spec(&world, "0123abcd", "FAKE[{\"say\": \"from a shell\"}]", "continue");
    let (_, said) = supervise(&world, "0123abcd", &format!("{spec}\n"));
    let timeline = std::fs::read_to_string(world.data_dir().join("logs/0123abcd.timeline.jsonl")).expect("it exists");
    let last: Value = serde_json::from_str(timeline.lines().last().expect("an entry")).expect("an entry is JSON");
    assert_eq!(last["kind"], "ended");
    let hint = format!("{{\"timeline\":{}}}", last["seq"]);
    assert!(said.contains("{\"timeline\":") && !said.lines().any(|line| line == hint), "{said}");
}

#[test]
fn the_end_of_stdin_means_that_the_server_has_ended() {
    let world = World::with_fake_agent();
    let spec = spec(&world, "0123abcd", "FAKE[{\"sleep\": 100}]", "interrupt");
    assert_eq!(supervise(&world, "0123abcd", &format!("{spec}\n")).0, Some(0));
    assert_eq!(world.record("0123abcd")["failureReason"], "Server restarted while task was running");
}

#[test]
fn a_task_id_is_used_only_once() {
    let world = World::with_fake_agent();
    let spec = format!("{}\n", spec(&world, "0123abcd", "one", "continue"));
    supervise(&world, "0123abcd", &spec);
    let before = world.record("0123abcd");
    assert_eq!(supervise(&world, "0123abcd", &spec).1, "\"inUse\"\n");
    assert_eq!(world.record("0123abcd"), before);
}

#[test]
fn an_invalid_spec_is_refused_and_creates_no_task() {
    let world = World::with_fake_agent();
    let other = format!("{}\n", spec(&world, "ffffffff", "one", "continue"));
    for stdin in ["", "\n", "{}\n", "not JSON\n", &other] {
        let (code, said) = supervise(&world, "0123abcd", stdin);
        assert_eq!(code, Some(1), "{stdin:?}");
        assert!(said.starts_with("{\"refused\":"), "{stdin:?}: {said}");
    }
    assert!(!world.log_file("0123abcd", "debug.json").exists());
}
