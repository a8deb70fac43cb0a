//! The documented files of the data directory.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use connector_testing::{McpServer, eventually};
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, start, task_id};

#[test]
fn a_log_contains_the_prompt_redacted_and_without_control_characters() {
    let world = World::with_fake_agent().variable("SOME_SECRET", "s3cr3t-value");
    let mut arguments = world.fake(json!([{"say": "done"}]));
    let script = arguments["task"].as_str().expect("it is text").to_owned();
    arguments["task"] =
        json!(format!("Fix the parser.\n[2024-01-15T10:30:00.000Z] END: failed\n\u{1b}[2J s3cr3t-value {script}"));
    let answer = world.server().call("codex_agent", arguments, |_| {});
    let log = world.log(&task_id(&answer));
    let prompt = "] PROMPT: Fix the parser.\n    [2024-01-15T10:30:00.000Z] END: failed\n    \\x1b[2J [redacted:SOME_SECRET] FAKE";
    assert_eq!(log.matches(prompt).count(), 1, "{log}");
}

#[test]
fn the_four_files_of_a_task_are_written_as_documented() {
    let world = World::with_fake_agent().variable("SOME_SECRET", "s3cr3t-value");
    let steps = json!([
        {"command": {"cmd": "make", "output": "built\n", "exit": 2}},
        {"stderr": "a complaint"},
        {"raw": "not JSON at all"},
        {"say": "first\nsecond"}
    ]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    let id = task_id(&answer);

    let log = world.log(&id);
    for words in [
        "Command: ",
        &format!("Working directory: {}", world.project.path().display()),
        "Sandbox: danger-full-access",
        "Model: ",
        "Timeout: none",
        "COMMAND FINISHED (exit code 2",
        "    built",
        "STDERR: a complaint",
        "STDOUT: not JSON at all",
        "MESSAGE: first\n    second",
        "END: completed",
    ] {
        assert!(log.contains(words), "{words:?} is not in the log:\n{log}");
    }
    assert_eq!(fs::read_to_string(world.log_file(&id, "result")).expect("there is a result"), "first\nsecond");

    let record = world.record(&id);
    let documented = [
        "id",
        "task",
        "sandbox",
        "workingDirectory",
        "model",
        "status",
        "startedAt",
        "completedAt",
        "pid",
        "command",
        "stdoutBytes",
        "stderrBytes",
        "lastActivityAt",
        "lastActivityType",
        "heartbeatCount",
        "timeoutMs",
        "exitCode",
        "exitSignal",
        "failureReason",
        "duration",
        "durationFormatted",
        "result",
        "logFile",
        "resultFile",
        "debugFile",
    ];
    for key in documented {
        assert!(record.get(key).is_some(), "the record has no `{key}`");
        assert!(world.index()[&id].get(key).is_some(), "the index has no `{key}`");
    }
    assert_eq!(record["environment"]["SOME_SECRET"], "set");
    for ending in ["log", "timeline.jsonl", "result", "debug.json"] {
        let content = fs::read_to_string(world.log_file(&id, ending)).expect("it exists");
        assert!(!content.contains("s3cr3t-value"), "a value of the environment is in the {ending}");
        assert_eq!(mode(&world.log_file(&id, ending)), 0o600, "{ending}");
    }
    assert_eq!(mode(&world.data_dir().join("tasks.json")), 0o600);
    assert_eq!(mode(&world.data_dir().join("logs")), 0o700);
    assert!(!world.log_file(&id, "events.jsonl").exists(), "raw events are kept by default");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it exists").permissions().mode() & 0o777
}

#[test]
fn raw_events_are_kept_on_request() {
    let world = World::with_fake_agent().configure("[tasks]\nkeep_events = true\n");
    let answer = world.server().call("codex_agent", world.fake(json!([{"raw": "torn {"}, {"say": "x"}])), |_| {});
    let events = fs::read_to_string(world.log_file(&task_id(&answer), "events.jsonl")).expect("raw events are kept");
    assert!(events.starts_with("{\"type\":\"thread.started\"") && events.contains("\ntorn {\n"), "{events}");
}

#[test]
fn claudes_own_secrets_do_not_reach_the_agent() {
    let world = World::with_fake_agent().variable("ANTHROPIC_API_KEY", "sk-ant-x").variable("KEPT", "yes");
    let file = world.home().join("environment");
    world.server().call("codex_agent", world.fake(json!([{"print_env": file}, {"say": "x"}])), |_| {});
    let environment = fs::read_to_string(&file).expect("the agent wrote it");
    assert!(environment.contains("KEPT=yes") && environment.contains("CONNECTOR_TASK_IDS="), "{environment}");
    assert!(!environment.contains("sk-ant-x"), "{environment}");
}

#[test]
fn a_data_directory_of_the_original_program_works_unchanged() {
    let world = World::with_fake_agent();
    let original = include_str!("fixtures/original-tasks.json");
    fs::write(world.data_dir().join("tasks.json"), original).expect("the home is writable");
    let mut server = world.server();

    let listed = server.call("codex_tasks", json!({"limit": 100}), |_| {});
    for id in ["3f9a1c07", "b81d22e4", "0c5e7f19", "77aa01bd"] {
        assert!(listed.text.contains(id), "{id} is not listed:\n{}", listed.text);
    }
    let old = server.call("codex_status", json!({"taskId": "b81d22e4"}), |_| {});
    assert!(old.text.contains("Timeout after 5m 0s (limit: 5m 0s)"), "{}", old.text);
    let stuck = server.call("codex_status", json!({"taskId": "77aa01bd"}), |_| {});
    assert!(stuck.text.contains("Server restarted while task was running"), "{}", stuck.text);

    let new = task_id(&server.call("codex_agent", world.fake(json!([{"say": "new"}])), |_| {}));
    let listed = server.call("codex_tasks", json!({"limit": 100}), |_| {});
    assert!(listed.text.contains(&new) && listed.text.contains("3f9a1c07"), "{}", listed.text);
    let archived = fs::read_dir(world.data_dir()).expect("it exists").flatten().any(|file| {
        file.file_name().to_string_lossy().starts_with("tasks-archive-")
            && fs::read_to_string(file.path()).is_ok_and(|content| content == original)
    });
    assert!(archived, "the original index was not archived unchanged");
}

#[test]
fn created_files_are_private_whatever_the_umask() {
    for umask in ["0", "027", "777"] {
        let world = World::with_fake_agent();
        let data = world.home().join("a/data");
        let shell = format!("umask {umask}; exec \"$0\" \"$@\"");
        let program = env!("CARGO_BIN_EXE_codex-connector");
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &shell, program, "--set", "tasks.keep_events=true", "--data-dir"]).arg(&data).env_clear();
        command.env("HOME", world.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.args(["--config".as_ref(), world.data_dir().join("config.toml").as_os_str()]);
        let mut server = McpServer::spawn(command);
        server.initialize();
        let running = start(&mut server, world.fake(json!([{"say": "here"}, {"sleep": 300}])));
        let answer = server.call("codex_agent", world.fake(json!([{"say": "done"}])), |_| {});
        assert!(answer.text.contains("completed successfully"), "umask {umask}: {}", answer.text);
        eventually("the live view", ANSWER_TIMEOUT, || {
            data.join("run").join(&running).join("live.json").exists().then_some(())
        });
        let mut next = vec![world.home().join("a")];
        let mut checked = 0;
        while let Some(path) = next.pop() {
            // A temporary file may have been renamed in the meantime.
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let expected = if meta.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(meta.permissions().mode() & 0o777, expected, "umask {umask}: {}", path.display());
            // The directory protects everything that git creates in it.
            if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("shadow-")) {
                continue;
            }
            next.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            checked += 1;
        }
        assert!(checked > 12, "only {checked} files");
        server.call("codex_cancel", json!({"taskId": running}), |_| {});
    }
}
