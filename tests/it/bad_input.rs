//! Invalid calls: the answer says what to change, and no task is created.

use std::fs;

use connector_testing::{ToolAnswer, eventually};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, field};

/// Asserts that the call was refused, that the answer contains all `words`, and that no task was created.
fn assert_refused(world: &World, answer: &ToolAnswer, words: &[&str]) {
    assert!(answer.is_error, "the call was accepted: {}", answer.text);
    for word in words {
        assert!(answer.text.contains(word), "{word:?} is not in: {}", answer.text);
    }
    assert!(answer.text.contains("next:"), "the answer does not say what to do: {}", answer.text);
    let logs = fs::read_dir(world.data_dir().join("logs")).map(|files| files.count()).unwrap_or(0);
    assert_eq!(logs, 0, "a refused call left files");
}

#[test]
fn an_invalid_working_directory_is_named_with_advice() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let outside = tempfile::tempdir().expect("a temporary directory can be made");
    fs::create_dir(outside.path().join(".git")).expect("it is writable");
    let file = world.project.path().join("README.md");
    fs::write(&file, "x").expect("the project is writable");
    for (directory, words) in [
        (json!("some/where"), ["some/where", "absolute"]),
        (json!("~project"), ["~project", "absolute"]),
        (json!("/no/such/directory"), ["/no/such/directory", "does not exist"]),
        (json!(file), ["README.md", "not a directory"]),
        (json!(outside.path()), ["not a git repository", "git init"]),
        (json!(""), ["workingDirectory", "workingDirectory"]),
        (json!(7), ["workingDirectory", "string"]),
        (Value::Null, ["workingDirectory", "workingDirectory"]),
    ] {
        let answer = server.call("codex_agent", json!({"task": "x", "workingDirectory": directory}), |_| {});
        assert_refused(&world, &answer, &words);
    }
    let answer = server.call("codex_agent", json!({"task": "x"}), |_| {});
    assert_refused(&world, &answer, &["workingDirectory"]);
}

#[test]
fn an_invalid_argument_is_named_with_the_allowed_values() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    for (wrong, words) in [
        (json!({"task": ""}), vec!["task"]),
        (json!({"task": "  \n"}), vec!["task"]),
        (json!({"task": 3}), vec!["task", "string"]),
        (json!({"task": null}), vec!["task"]),
        (json!({"sandbox": "none"}), vec!["sandbox", "read-only", "workspace-write", "danger-full-access"]),
        (json!({"sandbox": 1}), vec!["sandbox", "read-only"]),
        (json!({"timeoutMs": -1}), vec!["timeoutMs", "0"]),
        (json!({"timeoutMs": "5s"}), vec!["timeoutMs", "number"]),
        (json!({"timeoutMs": 0.5}), vec!["timeoutMs"]),
        (json!({"async": "yes"}), vec!["async", "true"]),
        (json!({"model": 4}), vec!["model", "string"]),
        (json!({"tsak": "x"}), vec!["tsak", "task"]),
    ] {
        let answer = server.call("codex_agent", and(world.task("x"), wrong), |_| {});
        assert_refused(&world, &answer, &words);
    }
    for (tool, wrong, word) in [
        ("codex_status", json!({"taskId": "0123abcd", "tailLines": 0}), "tailLines"),
        ("codex_status", json!({"taskId": "0123abcd", "tailLines": -5}), "tailLines"),
        ("codex_status", json!({"taskId": "0123abcd", "tailLines": 1.5}), "tailLines"),
        ("codex_status", json!({}), "taskId"),
        ("codex_tasks", json!({"limit": 0}), "limit"),
        ("codex_tasks", json!({"limit": "all"}), "limit"),
        ("codex_tasks", json!({"status": "lost"}), "interrupted"),
        ("codex_tasks", json!({"state": "all"}), "status"),
        ("codex_cancel", json!({"taskId": 5}), "taskId"),
    ] {
        assert_refused(&world, &server.call(tool, wrong, |_| {}), &[word]);
    }
}

#[test]
fn huge_numbers_are_accepted_with_a_note() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let forever = and(world.fake(json!([{"say": "x"}])), json!({"timeoutMs": 1e18}));
    let answer = server.call("codex_agent", forever, |_| {});
    assert!(!answer.is_error && answer.text.contains("timeoutMs"), "{}", answer.text);
    let listed = server.call("codex_tasks", json!({"limit": 1e15}), |_| {});
    assert!(!listed.is_error && listed.text.contains("limit"), "{}", listed.text);
}

#[test]
fn an_unknown_task_is_not_found_and_a_path_is_not_read() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    for id in ["0123abcd", "../../../etc/passwd", "0123ABCD", "x".repeat(100_000).as_str()] {
        for tool in ["codex_status", "codex_cancel"] {
            let answer = server.call(tool, json!({"taskId": id}), |_| {});
            assert!(
                answer.is_error
                    && (answer.text.to_lowercase().contains("no such task")
                        || answer.text.contains("is not a task ID")),
                "{}",
                answer.text
            );
            assert!(answer.text.contains("codex_tasks") && answer.text.len() < 2_000, "{}", answer.text);
        }
    }
}

#[test]
fn an_outdated_agent_is_refused_with_the_version_to_install() {
    let world = World::with_fake_agent().variable("FAKE_CODEX_VERSION", "0.42.0");
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert_refused(&world, &answer, &["0.42.0", "0.44", "npm install"]);
}

#[test]
fn an_agent_that_lacks_the_flag_for_the_sandbox_is_refused() {
    let world = World::with_fake_agent().variable("FAKE_CODEX_NO_SANDBOX", "1");
    let answer = world.server().call("codex_agent", and(world.task("x"), json!({"sandbox": "read-only"})), |_| {});
    assert_refused(&world, &answer, &["read-only", "--sandbox"]);
}

#[test]
fn an_agent_updated_in_place_is_probed_again_and_then_works() {
    let in_workspace = |world: &World| and(world.task("x"), json!({"sandbox": "workspace-write"}));
    let world = World::with_fake_agent().variable("FAKE_CODEX_FULL_AUTO", "1");
    let old = world.server().call("codex_agent", in_workspace(&world), |_| {});
    assert_eq!(field(&old.text, "Status"), Some("completed successfully"), "{}", old.text);

    // The file is the same, but the agent behind it has changed: it no longer lists or accepts the flag.
    let world = world.without("FAKE_CODEX_FULL_AUTO").variable("FAKE_CODEX_REFUSES", "--full-auto");
    let new = world.server().call("codex_agent", in_workspace(&world), |_| {});
    assert_eq!(field(&new.text, "Status"), Some("completed successfully"), "{}", new.text);
    let log = world.log(&crate::world::task_id(&new));
    assert!(log.contains("COMMAND LINE REFUSED") && log.contains("exec --json --sandbox workspace-write -"), "{log}");
}

#[test]
fn an_agent_that_rejects_its_listed_options_is_probed_again_and_then_fails() {
    let world = World::with_fake_agent().variable("FAKE_CODEX_REFUSES", "--sandbox");
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
    assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 2"), "{}", answer.text);
    assert!(answer.text.contains("unexpected argument"), "{}", answer.text);
}

#[test]
fn a_prompt_that_is_too_long_is_refused_and_one_that_fits_is_not() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let answer = server.call("codex_agent", world.task(&"x".repeat(10 << 20)), |_| {});
    assert_refused(&world, &answer, &["1048576"]);
    let answer = server.call("codex_agent", world.task(&"ä".repeat(1_048_576)), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
}

#[test]
fn a_huge_result_is_cut_in_the_answer_but_complete_in_its_file() {
    let world = World::with_fake_agent();
    let text = format!("begin {} end", "0123456789".repeat(30_000));
    let answer = world.server().call("codex_agent", world.fake(json!([{"say": text}])), |_| {});
    assert!(answer.text.chars().count() < 40_000, "{} characters", answer.text.chars().count());
    assert!(
        answer.text.contains("begin 0123") && answer.text.contains("6789 end"),
        "the beginning or the end is missing"
    );
    let id = crate::world::task_id(&answer);
    assert!(answer.text.contains(&format!("{id}.result")), "the file is not named");
    assert_eq!(fs::read_to_string(world.log_file(&id, "result")).expect("it exists"), text);
}

#[test]
fn torn_malformed_and_enormous_lines_are_survived() {
    let world = World::with_fake_agent();
    let steps = json!([
        {"raw": "{\"type\":\"item.compl"},
        {"raw": "{\"type\":\"brand.new\",\"x\":1}"},
        {"raw_bytes": {"byte": 255, "count": 1000, "newline": true}},
        {"raw_bytes": {"byte": 120, "count": 50 << 20, "newline": true}},
        {"say": "still here"}
    ]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let id = crate::world::task_id(&answer);
    let log = fs::metadata(world.log_file(&id, "log")).expect("there is a log").len();
    assert!(log > 50 << 20, "the log has {log} bytes: the long line is not complete");
    assert!(world.log(&id).contains("brand.new"));
}

#[test]
fn every_request_with_an_id_is_answered_however_it_is_written() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let deep = "[".repeat(200) + &"]".repeat(200);
    let values: [&[u8]; 8] =
        [b"\"\\ud83d\"", b"\"\\udc00x\"", b"\"\xe9\"", b"\"a\tb\"", b"1e999", b"NaN", b"1,", deep.as_bytes()];
    let is_repaired = |number: usize| number < 4;
    for (number, value) in values.iter().enumerate() {
        let head = format!(r#"{{"jsonrpc":"2.0","id":"n{number}","method":"no/such/method","params":{{"x":"#);
        server.send_raw(&[head.as_bytes(), value, b"}}\n"].concat()).expect("the server reads");
    }
    server.send_raw(b"{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":NaN}\n").expect("the server reads");
    server.request("ping", json!({}));
    let answers = eventually("an answer to each", ANSWER_TIMEOUT, || {
        let answers: Vec<_> = server.other_messages().into_iter().filter(|message| message["id"].is_string()).collect();
        (answers.len() == values.len()).then_some(answers)
    });
    for (number, value) in values.iter().enumerate() {
        let id = format!("n{number}");
        let answer = answers.iter().find(|answer| answer["id"] == id).expect("each is answered");
        let is_parse_error = answer["error"]["code"] == -32700;
        assert_eq!(is_parse_error, !is_repaired(number), "{}: {answer}", value.escape_ascii());
    }
    let unrequested = server.other_messages().into_iter().filter(|message| !message["id"].is_string());
    assert_eq!(unrequested.count(), 0, "a message without an ID was answered");
}
