//! Every kind of backend with an agent of its kind: each one reports the same events with the same words.
//!
//! The agent is the fake one, which speaks every dialect (`tests/fake_agent/dialect`).

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use connector_testing::{ToolAnswer, eventually, processes::processes_with_env};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, field, pid_in, start, task_id};

/// A program that runs the fake agent in this dialect.
fn program(world: &World, dialect: &str) -> PathBuf {
    let file = world.home().join(format!("{dialect}-agent"));
    let agent = env!("CARGO_BIN_EXE_fake-agent");
    fs::write(&file, format!("#!/bin/sh\nFAKE_AGENT={dialect} exec '{agent}' \"$@\"\n")).expect("the home is writable");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).expect("the file is ours");
    file
}

/// A world whose default backend has this kind, an agent of this dialect, and these settings.
fn world(kind: &str, dialect: &str, settings: &str) -> World {
    let world = World::with_fake_agent();
    let (program, sessions) = (program(&world, dialect), world.home().join("sessions"));
    world.variable("FAKE_AGENT_SESSIONS", sessions.to_string_lossy()).configure(&format!(
        "[tools]\nextra = [\"resume\"]\n[tasks]\ndefault_backend = \"agent\"\nkeep_events = true\n[stopping]\ninterrupt_grace = \"300ms\"\n\
         terminate_grace = \"300ms\"\n[backends.agent]\nkind = \"{kind}\"\nprogram = {program:?}\n{settings}"
    ))
}

const ACP: &str = "model_args = [\"-m\", \"{model}\"]\nmodes = { read-only = \"read-only\", workspace-write = \"auto\", \
                   danger-full-access = \"full-access\" }\n";
const TEXT: &str = "model_args = [\"--model\", \"{model}\"]\nresume_args = [\"--resume\", \"{session}\"]\n\
                    sandboxes = { read-only = [\"--sandbox\", \"read-only\"], \
                    workspace-write = [\"--sandbox\", \"workspace-write\"], danger-full-access = [] }\n";

fn codex() -> World {
    world("codex", "codex", "")
}

fn claude() -> World {
    world("claude", "claude", "")
}

fn gemini() -> World {
    world("gemini", "gemini", "")
}

fn opencode() -> World {
    world("opencode", "opencode", "")
}

fn acp() -> World {
    world("acp", "acp", ACP)
}

fn text() -> World {
    world("command", "text", TEXT)
}

fn all() -> [(&'static str, World); 6] {
    [
        ("codex", codex()),
        ("claude", claude()),
        ("gemini", gemini()),
        ("opencode", opencode()),
        ("acp", acp()),
        ("text", text()),
    ]
}

fn ask(world: &World, task: &str) -> ToolAnswer {
    ask_with(world, task, json!({"sandbox": "danger-full-access"}))
}

fn ask_with(world: &World, task: &str, more: Value) -> ToolAnswer {
    world.server().call("codex_agent", and(world.task(task), more), |_| {})
}

fn assert_status(answer: &ToolAnswer, status: &str) {
    assert_eq!(field(&answer.text, "Status"), Some(status), "{}", answer.text);
}

/// Checks a successful task, a command whose log lines contain `command`, a failure with `words`, and a failure for an
/// unknown model.
fn assert_reported(world: &World, command: &[&str], words: &str, unknown_model: &str) {
    let answer =
        ask(world, r#"FAKE[{"command": {"cmd": "make", "output": "no rule", "exit": 2}}, {"say": "the end"}]"#);
    assert_status(&answer, "completed successfully");
    assert!(answer.text.contains("the end"), "{}", answer.text);
    let log = world.log(&task_id(&answer));
    for line in command {
        assert!(log.contains(line), "no {line:?} in {log}");
    }
    let failed = ask(world, "Fail with this message: `out of luck`");
    assert_status(&failed, "failed");
    assert!(failed.text.contains(words), "{}", failed.text);
    let model = json!({"model": "no-such-model", "sandbox": "danger-full-access"});
    let unknown = ask_with(world, "x", model);
    assert_status(&unknown, "failed");
    assert!(unknown.text.contains(unknown_model), "{}", unknown.text);
}

#[test]
fn codex_is_understood() {
    let command = ["COMMAND STARTED: ", "make", "exit code 2", "no rule"];
    assert_reported(&codex(), &command, "out of luck", "The model `no-such-model` does not exist");
}

#[test]
fn claude_code_is_understood() {
    let command = ["COMMAND STARTED: ", "make", "exit code 2", "no rule"];
    assert_reported(&claude(), &command, "API Error: 400 out of luck", "issue with the selected model (no-such-model)");
}

#[test]
fn gemini_cli_is_understood() {
    // It reports no exit code for a command that printed something.
    let command = ["COMMAND STARTED: ", "make", "no rule"];
    assert_reported(&gemini(), &command, "out of luck", "no-such-model");
}

#[test]
fn opencode_is_understood() {
    // It reports a command only when it has ended.
    assert_reported(&opencode(), &["make", "exit code 2", "no rule"], "out of luck", "no-such-model");
}

#[test]
fn an_acp_agent_is_understood() {
    let command = ["COMMAND STARTED: ", "make", "exit code 2", "no rule"];
    assert_reported(&acp(), &command, "out of luck", "The model `no-such-model` does not exist");
}

#[test]
fn a_text_program_is_understood() {
    assert_reported(
        &text(),
        &["$ make", "no rule", "(exit code 2)"],
        "error: out of luck",
        "unknown model no-such-model",
    );
}

#[test]
fn token_usage_is_counted() {
    let worlds =
        [("codex", codex()), ("claude", claude()), ("gemini", gemini()), ("opencode", opencode()), ("acp", acp())];
    for (name, world) in worlds {
        let used = json!({"input_tokens": 70, "cached_input_tokens": 20, "output_tokens": 3});
        let usage = &world.record(&task_id(&ask(&world, &format!("FAKE{}", json!([{"usage": used}])))))["usage"];
        let counted = ["inputTokens", "cachedInputTokens", "outputTokens"].map(|key| usage[key].as_u64());
        assert_eq!(counted, [Some(70), Some(20), Some(3)], "{name}");
    }
}

#[test]
fn a_file_is_written_only_if_the_sandbox_allows_it() {
    for (name, world) in [("codex", codex()), ("claude", claude()), ("acp", acp()), ("text", text())] {
        let (inside, outside) = (world.project.path().join("made"), world.home().join("made"));
        let task = |file: &PathBuf| format!("Create the file `{}` with the content: `some text`", file.display());
        for (file, sandbox, is_written) in [
            (&inside, "read-only", false),
            (&outside, "workspace-write", false),
            (&inside, "workspace-write", true),
            (&outside, "danger-full-access", true),
        ] {
            let answer = ask_with(&world, &task(file), json!({"sandbox": sandbox}));
            assert_status(&answer, "completed successfully");
            assert!(answer.text.contains("done"), "{name}: {}", answer.text);
            assert_eq!(file.exists(), is_written, "{name} {sandbox}");
            let log = world.log(&task_id(&answer));
            assert!(log.contains("made"), "{name} {sandbox}: {log}");
        }
    }
}

#[test]
fn a_session_remembers_its_word_and_an_unknown_session_fails() {
    for (name, world, unknown_session_words) in [
        ("codex", codex(), "no rollout found"),
        ("claude", claude(), "No conversation found with session ID: ffffffff-81c0-7800-8aa1-bbab2a035a53"),
        ("gemini", gemini(), "ffffffff-81c0-7800-8aa1-bbab2a035a53"),
        ("opencode", opencode(), "Session not found"),
        ("acp", acp(), "Resource not found"),
    ] {
        let mut server = world.server();
        let task = |task: &str| and(world.task(task), json!({"sandbox": "danger-full-access"}));
        let first = server.call("codex_agent", task("Reply with exactly this word: `pear`"), |_| {});
        assert!(first.text.contains("pear"), "{name}: {}", first.text);
        let before = "Reply with exactly the word you replied with before.";
        let again = server.call(
            "codex_resume",
            json!({"taskId": task_id(&first), "task": before, "sandbox": "danger-full-access"}),
            |_| {},
        );
        assert_status(&again, "completed successfully");
        assert!(again.text.contains("pear"), "{name}: {}", again.text);
        let fresh = server.call("codex_agent", task(before), |_| {});
        assert!(fresh.text.contains("none") && !fresh.text.contains("pear"), "{name}: {}", fresh.text);
        let unknown_session = json!({"sessionId": "ffffffff-81c0-7800-8aa1-bbab2a035a53", "task": before,
            "workingDirectory": world.project.path(), "model": "agent/", "sandbox": "danger-full-access"});
        let lost = server.call("codex_resume", unknown_session, |_| {});
        assert_status(&lost, "failed");
        assert!(lost.text.contains(unknown_session_words), "{name}: {}", lost.text);
    }
}

#[test]
fn commands_of_a_cancelled_task_are_stopped_even_if_the_agent_leaves_them() {
    for (name, world) in all() {
        let file = world.home().join("pid");
        let task = format!("Run the shell command: `echo $$ > {}; sleep 300`", file.display());
        let mut server = world.server();
        let id = start(&mut server, and(world.task(&task), json!({"sandbox": "danger-full-access"})));
        let pid = pid_in(&file);
        let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});
        assert!(answer.text.contains("Cancelled by user"), "{name}: {}", answer.text);
        eventually("the end of the command", ANSWER_TIMEOUT, || {
            (!processes_with_env("CONNECTOR_TASK_IDS", &id).contains(&pid)).then_some(())
        });
        assert_eq!(processes_with_env("CONNECTOR_TASK_IDS", &id), Vec::<u32>::new(), "{name}");
    }
}

#[test]
fn a_silent_agent_of_any_kind_is_stopped_at_its_time_limit() {
    for (name, world) in all() {
        let limited = json!({"timeoutMs": 1500, "sandbox": "danger-full-access"});
        let answer = ask_with(&world, "Write the numbers from 1 to 5000 in words, one a line.", limited);
        let reason = field(&answer.text, "Failure reason");
        assert!(reason.is_some_and(|reason| reason.starts_with("Timeout after")), "{name}: {}", answer.text);
    }
}

#[test]
fn an_announcement_before_the_last_command_gets_a_warning() {
    let ran = json!({"command": {"cmd": "make", "output": "ok\n"}});
    for (name, world) in all().into_iter().filter(|(name, _)| *name != "text") {
        let ask = |steps: serde_json::Value| ask(&world, &format!("FAKE{steps}"));
        let announced = ask(json!([{"say": "I will look"}, ran]));
        assert_status(&announced, "completed successfully");
        let warning = field(&announced.text, "Warning");
        assert!(warning.is_some_and(|words| words.contains("before its last command")), "{name}: {}", announced.text);
        assert!(announced.text.contains("I will look"), "{name}: {}", announced.text);
        let reported = ask(json!([{"say": "I will look"}, ran, {"say": "the end"}]));
        assert_eq!(field(&reported.text, "Warning"), None, "{name}: {}", reported.text);
    }
}

#[test]
fn unknown_events_are_kept_and_do_not_change_the_outcome() {
    for (name, world) in all() {
        let strange = json!({"type": "hologram", "item": {"shape": [1, 2]}}).to_string();
        let steps = json!([{"raw": strange}, {"say": "the end"}]);
        let answer = ask(&world, &format!("FAKE{steps}"));
        assert_status(&answer, "completed successfully");
        assert!(answer.text.contains("the end"), "{name}: {}", answer.text);
        let kept = fs::read_to_string(world.log_file(&task_id(&answer), "events.jsonl")).expect("events are kept");
        assert!(kept.contains("hologram"), "{name}: {kept}");
    }
}

#[test]
fn an_agent_with_unexpected_event_shapes_gets_a_correct_status_and_keeps_its_text() {
    for (name, world) in all().into_iter().filter(|(name, _)| *name != "text") {
        for (code, words) in [(0, "all is well"), (3, "no luck")] {
            let strange = json!({"kind": "reply", "v": 9, "words": words}).to_string();
            let answer = ask(&world, &format!("FAKE{}", json!([{"raw": strange}, {"exit": code}])));
            // There is no sign that it completed its task.
            assert_status(&answer, "failed");
            let log = world.log(&task_id(&answer));
            assert!(log.contains(words), "{name}: {log}");
        }
    }
}

#[test]
fn megabytes_without_a_newline_do_not_delay_the_end_of_a_task() {
    for (name, world) in all() {
        let endless = json!([{"raw_bytes": {"byte": 120, "count": 20_000_000, "newline": false}}, {"exit": 3}]);
        let answer = ask(&world, &format!("FAKE{endless}"));
        assert_eq!(field(&answer.text, "Status"), Some("failed"), "{name}: {}", answer.text);
    }
}

#[test]
fn an_agent_that_closes_stdout_and_keeps_running_is_stopped_at_its_time_limit() {
    for (name, world) in all() {
        let steps = json!([{"close_stdout": true}, {"hang": true}]);
        let limited = json!({"timeoutMs": 1500, "sandbox": "danger-full-access"});
        let answer = ask_with(&world, &format!("FAKE{steps}"), limited);
        let reason = field(&answer.text, "Failure reason");
        assert!(reason.is_some_and(|reason| reason.starts_with("Timeout after")), "{name}: {}", answer.text);
    }
}
