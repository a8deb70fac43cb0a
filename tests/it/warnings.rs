//! Warnings about a run, and the places where they are shown.

use std::{fs, fs::Permissions, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::world::{World, field, task_id};

/// The output of `wait` for this task.
fn waited(world: &World, id: &str) -> String {
    let output = world.command(&["wait", id]).output().expect("it runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_warning_is_shown_by_the_answer_the_status_the_record_the_log_and_wait() {
    let ran = json!({"command": {"cmd": "make", "output": "ok\n"}});
    for (steps, words) in [
        (json!([ran]), "the agent ended without a final message"),
        (json!([{"say": ""}]), "the agent ended without a final message"),
        (json!([{"say": "I will look"}, ran, {"say": " "}]), "before its last command"),
    ] {
        let world = World::with_fake_agent();
        let mut server = world.server();
        let answer = server.call("codex_agent", world.fake(steps), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
        let id = task_id(&answer);
        let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
        for text in [answer.text.clone(), status, waited(&world, &id)] {
            let warning = field(&text, "Warning").unwrap_or_else(|| panic!("no warning in {text}"));
            assert!(warning.contains(words) && warning.contains("What to do: "), "{warning}");
        }
        let warnings = world.record(&id)["warnings"].clone();
        assert!(warnings[0]["message"].as_str().is_some_and(|message| message.contains(words)), "{warnings}");
        let is_logged = |line: &str| line.contains("Warning: ") && line.contains(words);
        assert!(world.log(&id).lines().any(is_logged), "{}", world.log(&id));
        assert_eq!(world.index()[&id]["warnings"], warnings);
    }
}

#[test]
fn an_ordinary_answer_has_no_warning() {
    let world = World::with_fake_agent();
    let steps = json!([{"command": {"cmd": "make", "output": "no\n", "exit": 2}}, {"say": "it fails"}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Warning"), None, "{}", answer.text);
    assert_eq!(world.record(&task_id(&answer)).get("warnings"), None);
}

#[test]
fn a_sandbox_that_cannot_start_is_reported_with_advice_and_without_secrets() {
    let world = World::with_fake_agent().variable("MY_API_KEY", "s3cr3t-of-mine-0123456789");
    let words = "bwrap: Can't mkdir /tmp/s3cr3t-of-mine-0123456789: No space in this namespace\n";
    let failed = json!({"command": {"cmd": "make", "output": words, "exit": 1}});
    let steps = json!([failed, failed, {"say": "I was not able to run anything."}]);
    let mut server = world.server();
    let mut ask = |sandbox: &str, steps: &Value| {
        let mut task = world.fake(steps.clone());
        task["sandbox"] = sandbox.into();
        server.call("codex_agent", task, |_| {})
    };
    let answer = ask("workspace-write", &steps);
    let warning = field(&answer.text, "Warning").unwrap_or_else(|| panic!("no warning in {}", answer.text));
    assert!(warning.contains("no command could run") && warning.contains("install bubblewrap"), "{warning}");
    let record = world.record(&task_id(&answer)).to_string();
    assert!(record.contains("Can't mkdir") && !record.contains("s3cr3t-of-mine"), "{record}");
    assert!(!answer.text.contains("s3cr3t-of-mine"), "{}", answer.text);
    assert_eq!(field(&ask("danger-full-access", &steps).text, "Warning"), None);
    let one_ran = json!([failed, {"command": {"cmd": "ls", "output": "x\n"}}, {"say": "done"}]);
    assert_eq!(field(&ask("workspace-write", &one_ran).text, "Warning"), None);
}

#[test]
fn a_turn_completed_before_exit_code_1_keeps_its_answer_and_its_reason() {
    let world = World::with_fake_agent();
    let completed = json!({"type": "turn.completed", "usage": {"input_tokens": 1, "output_tokens": 1}}).to_string();
    let stray = json!({"lines": 1, "length": 40, "stream": "stderr"});
    let steps = json!([{"say": "All tests pass."}, {"raw": completed}, {"flood": stray}, {"exit": 1}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("failed"), "{}", answer.text);
    assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 1"));
    let turn = field(&answer.text, "Turn Status");
    assert_eq!(turn, Some("completed; the agent exited with code 1 afterwards"), "{}", answer.text);
    assert!(answer.text.contains("All tests pass.") && !answer.text.contains("What the agent said"), "{}", answer.text);
}

#[test]
fn check_reports_a_sandbox_that_cannot_start() {
    let directory = tempfile::tempdir().expect("a temporary directory can be made");
    for (exit, is_reported) in
        [("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", true), ("exit 101", false)]
    {
        let program = directory.path().join("codex");
        let script = format!(
            "#!/bin/sh\n[ \"$*\" = 'sandbox linux true' ] && {{ {exit}; }}\nexec '{}' \"$@\"\n",
            env!("CARGO_BIN_EXE_fake-agent")
        );
        fs::write(&program, script).expect("the directory is writable");
        fs::set_permissions(&program, Permissions::from_mode(0o700)).expect("it is our file");
        let output = World::with_codex(&program).command(&["check"]).output().expect("it runs");
        let text = String::from_utf8_lossy(&output.stdout);
        let words = "the agent's sandbox could not start: bwrap: setting up uid map";
        let is_reported = is_reported && cfg!(target_os = "linux");
        assert_eq!(text.contains(words) && text.contains("next: install bubblewrap"), is_reported, "{text}");
    }
}
