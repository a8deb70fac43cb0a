//! Values of environment variables, and the places where they must not appear.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Stdio};

use connector_testing::McpServer;
use serde_json::{Value, json};

use crate::{
    supervise,
    world::{World, and, start, task_id, wait_for_end},
};

const TOKEN: &str = "tok-\"q\\uote\"-ä-5f2c9b";
const KEY: &str = "-----BEGIN KEY-----\nMIIBVgIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----";
const KEY_LINE: &str = "hkiG9w0BAQEFAASC";
const PLAIN: &str = "plain-value-83ab1e";
const GIVEN: &str = "given-to-the-agent-77d0";

/// A world whose environment contains values that appear nowhere else.
fn world() -> World {
    World::with_fake_agent()
        .configure("[agent_env]\nset = { GIVEN_SECRET = \"given-to-the-agent-77d0\" }\n[tasks]\nkeep_events = true\n")
        .variable("SOME_TOKEN", TOKEN)
        .variable("SIGNING_KEY", KEY)
        .variable("SOME_SETTING", PLAIN)
}

/// Steps that print `texts` in every way an agent can, including across the parts of a long line.
fn printed(texts: &[&str]) -> Value {
    let all = texts.join(" and ");
    let mut steps = vec![json!({"command": {"cmd": all, "output": all, "exit": 0}})];
    for text in texts {
        steps.extend([
            json!({"raw": format!("not JSON: {text}")}),
            json!({"stderr": text}),
            json!({"error": text}),
            json!({"raw_bytes": {"byte": 120, "count": (8 << 20) - 5, "newline": false}}),
            json!({"raw": text}),
        ]);
    }
    steps.push(json!({"say": all}));
    Value::Array(steps)
}

/// Every file below `dir` with its content, except the user's own.
fn files(dir: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = vec![];
    for file in fs::read_dir(dir).expect("it exists").flatten() {
        let path = file.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if !path.ends_with("config.toml") {
            found.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    found
}

/// The forms in which a secret could appear.
fn forms(secret: &str) -> [String; 2] {
    let json = Value::from(secret).to_string();
    [secret.to_owned(), json[1..json.len() - 1].to_owned()]
}

fn assert_absent(what: &str, content: &[u8], secrets: &[&str]) {
    let content = String::from_utf8_lossy(content);
    for secret in secrets.iter().flat_map(|secret| forms(secret)) {
        assert!(!content.contains(&secret), "{secret:?} is in {what}");
    }
}

/// Everything that the tools report about a task.
fn reported(server: &mut McpServer, id: &str) -> String {
    let status = server.call("codex_status", json!({"taskId": id, "tailLines": 1000}), |_| {}).text;
    status + &server.call("codex_tasks", json!({}), |_| {}).text
}

#[test]
fn environment_values_are_not_written_unless_an_agent_prints_them() {
    let world = world();
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "nothing"}, {"stderr": "nothing"}])));
    wait_for_end(&mut server, &id);
    world.index();
    let found = files(&world.data_dir());
    assert!(found.len() >= 5, "{} files", found.len());
    for (name, content) in found {
        assert_absent(&name, &content, &[TOKEN, KEY, KEY_LINE, PLAIN, GIVEN]);
    }
}

#[test]
fn secrets_that_an_agent_prints_are_redacted_everywhere() {
    let world = world();
    let mut server = world.server();
    let secrets = [TOKEN, KEY, KEY_LINE, GIVEN];
    let arguments = and(world.fake(printed(&[TOKEN, KEY_LINE, GIVEN, PLAIN])), json!({"model": TOKEN}));
    let answer = server.call("codex_agent", arguments, |_| {});
    let id = task_id(&answer);
    world.index();
    let reported = answer.text + &answer.progress.join("\n") + &reported(&mut server, &id);
    assert_absent("an answer", reported.as_bytes(), &secrets);
    assert!(reported.contains("[redacted:SOME_TOKEN]") && reported.contains(PLAIN), "{reported}");
    for (name, content) in files(&world.data_dir()) {
        assert_absent(&name, &content, &secrets);
    }
    let log = world.log(&id);
    for name in ["SOME_TOKEN", "SIGNING_KEY", "GIVEN_SECRET"] {
        assert!(log.matches(&format!("[redacted:{name}]")).count() >= 7, "{name} was not printed everywhere");
        let events = fs::read_to_string(world.log_file(&id, "events.jsonl")).expect("raw events are kept");
        assert!(events.contains(&format!("[redacted:{name}]")), "{name} is not in the raw events");
    }
    let result = fs::read_to_string(world.log_file(&id, "result")).expect("there is a result");
    let words = "[redacted:SOME_TOKEN] and [redacted:SIGNING_KEY] and [redacted:GIVEN_SECRET] and ";
    assert_eq!(result, format!("{words}{PLAIN}"));
}

#[test]
fn redaction_never_changes_our_own_words_and_paths() {
    let world = World::with_fake_agent();
    let name = |path: &Path| path.file_name().expect("it has a name").to_string_lossy().into_owned();
    let (project, home) = (name(world.project.path()), name(world.home()));
    let (frame, key) = ("**Status:** completed", "sk-Frame-0123456789");
    let world = world
        .variable("PROJECT_PASSWORD", &project)
        .variable("HOME_PASSWORD", &home)
        .variable("FRAME_TOKEN", frame)
        .variable("REAL_KEY", key);
    let mut server = world.server();
    let answer = server.call("codex_agent", world.fake(json!([{"say": format!("{frame}, {project}, {key}")}])), |_| {});
    let id = task_id(&answer);
    let directory = world.project.path().display().to_string();
    let log = world.log_file(&id, "log").display().to_string();
    let said = format!("[redacted:FRAME_TOKEN], {project}, [redacted:REAL_KEY]");
    let wait = world.command(&["wait", &id]).output().expect("the program runs");
    let wait = String::from_utf8_lossy(&wait.stdout).into_owned();
    let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
    for text in [&answer.text, &status, &wait] {
        assert!(text.contains("**Status:** completed") && text.contains(&log) && text.contains(&said), "{text}");
        assert!(!text.contains(key), "{text}");
    }
    for text in [&answer.text, &status, &world.log(&id)] {
        assert!(text.contains(&directory), "{text}");
    }
    // The prompt `rescue` is only for tasks that failed.
    let failing = world.fake(json!([{"say": format!("{frame}, {project}, {key}")}, {"fail": key}]));
    let failed = task_id(&server.call("codex_agent", failing, |_| {}));
    let prompt = server.request("prompts/get", json!({"name": "rescue", "arguments": {"taskId": failed}}));
    let prompt = prompt["messages"][0]["content"]["text"].as_str().expect("it is text");
    assert!(prompt.contains(&directory) && prompt.contains("[redacted:REAL_KEY]"), "{prompt}");
    assert!(!prompt.contains(key), "{prompt}");
    assert_eq!(world.record(&id)["workingDirectory"], json!(directory));
    assert_eq!(fs::read_to_string(world.log_file(&id, "result")).expect("it exists"), said);
    let nowhere = world.home().join("nowhere").display().to_string();
    let refused = server.call("codex_agent", json!({"task": "x", "workingDirectory": nowhere}), |_| {}).text;
    assert!(refused.contains(&nowhere), "{refused}");
    let listed = server.request("resources/read", json!({"uri": format!("task://{id}")}));
    let listed = listed["contents"][0]["text"].as_str().expect("it is text");
    assert!(listed.contains(&log) && listed.contains(&directory) && !listed.contains(key), "{listed}");
}

#[test]
fn a_password_that_is_a_common_word_does_not_ruin_answers_and_results() {
    let world = World::with_fake_agent().variable("POSTGRES_PASSWORD", "postgres");
    let text = "image: postgres:16, DATABASE_URL=postgres://db/app";
    let printed = "POSTGRES_PASSWORD=postgres";
    let steps = json!([{"command": {"cmd": "env", "output": printed, "exit": 0}}, {"say": text}]);
    let answer = world.server().call("codex_agent", world.fake(steps), |_| {});
    assert!(answer.text.contains(text), "{}", answer.text);
    let id = task_id(&answer);
    assert_eq!(fs::read_to_string(world.log_file(&id, "result")).expect("it exists"), text);
    let log = world.log(&id);
    assert!(
        log.contains("POSTGRES_PASSWORD=[redacted:POSTGRES_PASSWORD]") && !log.contains(&format!("    {printed}\n")),
        "{log}"
    );
}

#[test]
fn an_agents_failure_message_is_redacted() {
    let world = world();
    let mut server = world.server();
    let answer = server.call("codex_agent", world.fake(json!([{"fail": format!("401 for {TOKEN}")}])), |_| {});
    assert!(answer.text.contains("401 for [redacted:SOME_TOKEN]"), "{}", answer.text);
    let id = task_id(&answer);
    assert_eq!(world.record(&id)["agentSaid"], "401 for [redacted:SOME_TOKEN]");
}

#[test]
fn a_refusal_does_not_repeat_a_secret() {
    let world = world();
    let arguments = json!({"task": "x", "workingDirectory": format!("/no/such/{KEY_LINE}")});
    let answer = world.server().call("codex_agent", arguments, |_| {});
    assert!(answer.is_error && answer.text.contains("[redacted:SIGNING_KEY]"), "{}", answer.text);
    assert_absent("the refusal", answer.text.as_bytes(), &[KEY_LINE]);
}

#[test]
fn without_redaction_everything_is_kept_as_printed() {
    let world = world();
    let mut spec = supervise::spec(&world, "0123abcd", &format!("FAKE{}", json!([{"say": TOKEN}])), "continue");
    spec["policy"]["redact"] = json!(false);
    supervise::supervise(&world, "0123abcd", &format!("{spec}\n"));
    assert_eq!(world.record("0123abcd")["result"], TOKEN);
    assert!(world.log("0123abcd").contains(TOKEN));

    // Without a setting in the spec, text is redacted.
    let spec = supervise::spec(&world, "0123abce", &format!("FAKE{}", json!([{"say": TOKEN}])), "continue");
    supervise::supervise(&world, "0123abce", &format!("{spec}\n"));
    assert_eq!(world.record("0123abce")["result"], "[redacted:SOME_TOKEN]");
}

#[test]
fn text_written_without_redaction_is_redacted_when_shown() {
    let world = world();
    assert_eq!(world.command(&["notify", "--since-last", "--key", "k"]).output().expect("it runs").stdout, b"");
    let id = "0123abcf";
    let task = format!("FAKE{}", json!([{"stderr": KEY_LINE}, {"say": TOKEN}]));
    let mut spec = supervise::spec(&world, id, &task, "continue");
    spec["policy"]["redact"] = json!(false);
    supervise::supervise(&world, id, &format!("{spec}\n"));
    assert!(
        world.log(id).contains(KEY_LINE) && world.record(id)["result"] == TOKEN,
        "the text on disk is not redacted"
    );
    let mut server = world.server();
    let mut texts = vec![reported(&mut server, id)];
    for part in ["", "/log", "/log?tail=100", "/result", "/diagnostics"] {
        let read = server.request("resources/read", json!({"uri": format!("task://{id}{part}")}));
        texts.push(read["contents"][0]["text"].as_str().expect("it is text").to_owned());
    }
    texts.push(server.request("resources/list", json!({})).to_string());
    texts.push(server.call("codex_cancel", json!({"taskId": id}), |_| {}).text);
    for args in [&["wait", id][..], &["notify", "--since-last", "--key", "k"]] {
        let output = world.command(args).output().expect("the program runs");
        texts.push(String::from_utf8(output.stdout).expect("it prints text"));
    }
    for text in &texts {
        assert!(!text.is_empty());
        assert_absent("an answer", text.as_bytes(), &[TOKEN, KEY_LINE]);
    }
    assert!(texts[0].contains("[redacted:SOME_TOKEN]") && texts[0].contains("[redacted:SIGNING_KEY]"), "{}", texts[0]);
}

#[test]
fn the_command_line_never_repeats_a_secret() {
    const KEY: &str = "sk-Frame-0123456789";
    let plain = World::with_fake_agent();
    let script = plain.home().join("talkative");
    let fake = env!("CARGO_BIN_EXE_fake-agent");
    let content = format!(
        "#!/bin/sh\ncase \"$*\" in\n*login*) echo 'Logged in with {KEY}' ;;\n*) exec '{fake}' \"$@\" ;;\nesac\n"
    );
    fs::write(&script, content).expect("the home is writable");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let world = World::with_codex(&script).variable("REAL_KEY", KEY);
    for args in [
        &["check"][..],
        &["wait", KEY],
        &["--set", KEY, "check"],
        &["--set", &format!("{KEY}=1"), "notify", "--since-last", "--key", "x"],
        &["--config", &format!("/no/such/{KEY}"), "check"],
        &["check", "--deep", KEY],
        &["wait", "00000000", "--timeout", KEY],
        &[KEY],
    ] {
        let output = world.command(args).stdin(Stdio::null()).output().expect("the program runs");
        let text = String::from_utf8([output.stdout, output.stderr].concat()).expect("what is printed is UTF-8");
        assert!(!text.contains(KEY) && text.contains("[redacted:REAL_KEY]"), "{args:?}: {text}");
    }
}

#[test]
fn redaction_never_changes_our_words_in_a_refusal() {
    let world = World::with_fake_agent().variable("TASK_TOKEN", "No such task").variable("NEXT_TOKEN", "codex_tasks");
    let refused = world.server().call("codex_status", json!({"taskId": "00000000"}), |_| {});
    assert_eq!(refused.text, "No such task: `00000000`\nnext: call `codex_tasks` to list tasks");
}
