//! Text programs as backends, described in the configuration. Each one here is a shell script.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use crate::world::{World, field, task_id};

/// A world whose default backend is this shell script, with the prompt on its stdin.
fn script(script: &str, more: &str) -> World {
    let toml = format!(
        r#"
[tasks]
default_backend = "shell"
{more}
[backends.shell]
kind = "command"
program = "/bin/sh"
args = ["-c", {script:?}, "sh", "{{sandbox_args}}"]
sandboxes = {{ danger-full-access = ["none"] }}
version_args = []
"#
    );
    World::with_fake_agent().configure(&toml)
}

#[test]
fn a_text_program_gets_the_task_and_its_output_is_the_answer() {
    let world = script("printf 'sandbox %s: ' \"$1\"; cat", "");
    let mut server = world.server();
    let answer = server.call("codex_agent", world.task("say this back"), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert!(answer.text.contains("sandbox none: say this back"), "{}", answer.text);
    let mut refused = world.task("x");
    refused["sandbox"] = json!("read-only");
    let answer = server.call("codex_agent", refused, |_| {});
    assert!(answer.is_error && answer.text.contains("read-only"), "{}", answer.text);
}

#[test]
fn a_program_that_never_reads_its_prompt_causes_no_problem() {
    let world = script("sleep 0.5; echo I did not read it", "");
    let answer = world.server().call("codex_agent", world.task(&"x".repeat(1_000_000)), |_| {});
    assert!(answer.text.contains("I did not read it"), "{}", answer.text);
}

#[test]
fn an_unterminated_last_line_is_kept_while_something_holds_the_pipe() {
    let world = script("sleep 30 & printf 'the answer'", "on_agent_exit = \"leave\"");
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert!(answer.text.contains("the answer"), "{}", answer.text);
    assert!(world.log(&task_id(&answer)).contains("LEFT BEHIND: leaving alone sleep"));
}

#[test]
fn the_end_of_a_program_does_not_count_as_activity() {
    let world = script("echo x; sleep 2", "");
    let record = world.record(&task_id(&world.server().call("codex_agent", world.task("x"), |_| {})));
    let moment = |key: &str| record[key].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok()).expect("a moment");
    let silent = moment("completedAt") - moment("lastActivityAt");
    assert!(silent > TimeDelta::seconds(1), "{record}");
}

#[test]
fn environment_values_are_never_written_to_disk() {
    let toml = "[agent_env]\nset = { GIVEN = \"s3cret-of-the-agent\" }\n";
    let world = script("test -n \"$GIVEN\" && echo it has it; sleep 1", "").configure(toml);
    let mut server = world.server();
    let id = crate::world::start(&mut server, world.task("x"));
    crate::world::wait_for_log(&world, &id, "it has it");
    let mut dirs = vec![world.data_dir()];
    while let Some(dir) = dirs.pop() {
        for file in std::fs::read_dir(dir).expect("it exists").flatten() {
            let path = file.path();
            if path.is_dir() {
                dirs.push(path);
            } else if !path.ends_with("config.toml") {
                let content = std::fs::read(&path).unwrap_or_default();
                assert!(
                    !String::from_utf8_lossy(&content).contains("s3cret"),
                    "{} contains the secret",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn json_output_is_read_by_rules_and_its_session_can_be_resumed() {
    let script = concat!(
        r#"case "$2" in resume=*) id="${2#resume=}";; *) id=s-1;; esac; read -r task; "#,
        r#"echo "{\"type\":\"start\",\"sid\":\"$id\"}"; echo not JSON; "#,
        r#"echo "{\"type\":\"text\",\"part\":{\"text\":\"$task in $id\"}}"; "#,
        r#"case "$task" in bad*) echo "{\"type\":\"error\",\"error\":{\"message\":\"out of luck\"}}";; esac; "#,
        r#"echo "{\"type\":\"end\",\"usage\":{\"in\":12,\"out\":3}}""#,
    );
    let rules = r#"
resume_args = ["resume={session}"]
[backends.shell.json_lines]
message = ["type=text part.text"]
session = ["type=start sid"]
error = ["type=error error.message"]
input_tokens = ["usage.in"]
output_tokens = ["usage.out"]
"#;
    let world = World::with_fake_agent();
    let file = world.home().join("agent.sh");
    std::fs::write(&file, script).expect("the home is writable");
    let world = world.configure(&format!(
        "[tasks]\ndefault_backend = \"shell\"\n[tools]\nextra = [\"resume\"]\n[backends.shell]\nkind = \"command\"\n\
         program = \"/bin/sh\"\nargs = [{file:?}, \"{{sandbox_args}}\"]\n\
         sandboxes = {{ danger-full-access = [\"none\"] }}\nversion_args = []\n{rules}"
    ));
    let mut server = world.server();
    let first = server.call("codex_agent", world.task("hello"), |_| {});
    assert_eq!(field(&first.text, "Status"), Some("completed successfully"), "{}", first.text);
    assert!(first.text.contains("hello in s-1"), "{}", first.text);
    let record = world.record(&task_id(&first));
    assert_eq!((&record["sessionId"], &record["usage"]["inputTokens"]), (&json!("s-1"), &json!(12)));
    assert!(world.log(&task_id(&first)).contains("MESSAGE: hello in s-1"));
    let again = server.call("codex_resume", json!({"taskId": task_id(&first), "task": "again"}), |_| {});
    assert!(again.text.contains("again in s-1"), "{}", again.text);
    let bad = server.call("codex_agent", world.task("bad"), |_| {});
    assert_eq!(field(&bad.text, "Status"), Some("failed"), "{}", bad.text);
    assert!(bad.text.contains("out of luck"), "{}", bad.text);
    let wrong = World::with_fake_agent().configure(
        "[backends.shell]\nkind = \"command\"\nprogram = \"sh\"\nsandboxes = { danger-full-access = [] }\n\
         [backends.shell.json_lines]\nmessage = [\"type=text\"]\n",
    );
    let said = wrong.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("json_lines.message") && said.contains("comes last"), "{said}");
}
