//! Backends that stand in for others.

use std::fs;

use serde_json::json;

use crate::world::{World, and, field, task_id};

const AGENT: &str = env!("CARGO_BIN_EXE_fake-agent");

/// A world in which `codex` is this program, and `second` and `third` stand in for it.
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
fn one_that_cannot_start_is_stood_in_for_and_that_is_said() {
    let world = with_fallback(world("nor-this-one"));
    let mut server = world.server();
    let task = and(world.fake(json!([{"say": "from the third"}])), json!({"model": "of-the-first"}));
    let answer = server.call("codex_agent", task, |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    let fallback = field(&answer.text, "Fallback").expect("it is said");
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
fn one_that_is_not_logged_in_or_out_of_quota_is_stood_in_for_unless_it_has_worked() {
    for (steps, falls_back) in [
        (json!([{"fail": "401 Unauthorized: bad key"}]), true),
        (json!([{"fail": "You've hit your usage limit."}]), true),
        (json!([{"say": "I begin"}, {"fail": "You've hit your usage limit."}]), false),
        (json!([{"command": {"cmd": "make"}}, {"fail": "401 Unauthorized"}]), false),
        (json!([{"fail": "the model is confused"}]), false),
        (json!([{"exit": 3}]), false),
    ] {
        let world = with_fallback(world(AGENT));
        let answer = world.server().call("codex_agent", world.fake(steps.clone()), |_| {});
        // Whoever stands in plays the same steps, and fails as well: the last one has the word.
        assert_eq!(field(&answer.text, "Status"), Some("failed"), "{steps}: {}", answer.text);
        assert_eq!(field(&answer.text, "Fallback").is_some(), falls_back, "{steps}: {}", answer.text);
    }
}

#[test]
fn a_sandbox_or_a_cancel_is_no_reason() {
    let world = with_fallback(world(AGENT)).variable("FAKE_CODEX_NO_SANDBOX", "1");
    let answer = world.server().call("codex_agent", world.fake(json!([{"say": "x"}])), |_| {});
    assert!(answer.is_error && answer.text.contains("cannot be enforced"), "{}", answer.text);
}

#[test]
fn a_fallback_that_is_not_there_is_told() {
    let world = world(AGENT);
    let file = world.data_dir().join("config.toml");
    let config = fs::read_to_string(&file).expect("there is a configuration");
    let line = "[backends.codex]\nfallback = [\"thrid\", \"codex\"]\n";
    fs::write(&file, config.replace("[backends.codex]\n", line)).expect("the home is writable");
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(
        said.contains("`thrid` is no other backend (`third`?)") && said.contains("`codex` is no other backend"),
        "{said}"
    );
}

#[test]
fn a_program_that_may_not_be_executed_is_stood_in_for_and_one_above_the_ceiling_is_not() {
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
