//! Agents that violate ACP, or do not speak it at all. Each is a few lines of shell script.

use crate::world::{World, field, task_id};

/// A world whose agent is this shell script.
fn world(script: &str) -> World {
    World::with_fake_agent().configure(&format!(
        "[tasks]\ndefault_backend = \"odd\"\n[stopping]\ninterrupt_grace = \"300ms\"\nterminate_grace = \"300ms\"\n\
         [backends.odd]\nkind = \"acp\"\nprogram = \"bash\"\nargs = [\"-c\", {script:?}]\nversion_args = []\n\
         answer_seconds = 2\n"
    ))
}

/// Runs one task with that agent, checks that no process is left, and returns the answer.
fn run(script: &str) -> String {
    let world = world(script);
    let answer = world.server().call("codex_agent", world.task("x"), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
    let id = task_id(&answer);
    assert_eq!(connector_testing::processes::processes_with_env("CONNECTOR_TASK_IDS", &id), Vec::<u32>::new());
    answer.text
}

const GREETING_REPLY: &str = r#"read -r x; echo '{"jsonrpc":"2.0","id":1,"result":{"protocolVersion":1}}'; "#;
const SESSION_REPLY: &str = r#"read -r x; echo '{"jsonrpc":"2.0","id":2,"result":{"sessionId":"s"}}'; "#;

#[test]
fn a_minimal_acp_agent_works() {
    let text = run(&format!(
        "{GREETING_REPLY}{SESSION_REPLY}{}",
        r#"read -r x; echo '{"jsonrpc":"2.0","method":"session/update","params":{"update":{"sessionUpdate":"agent_message_chunk","content":{"text":"from a shell"}}}}'; echo '{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn"}}'; sleep 300"#
    ));
    assert_eq!(field(&text, "Status"), Some("completed successfully"), "{text}");
    assert!(text.contains("from a shell"), "{text}");
}

#[test]
fn every_protocol_violation_ends_with_a_correct_status_and_a_reason() {
    for (script, words) in [
        ("sleep 300", "did not answer `initialize` within 2 s"),
        ("echo 'this is not JSON'; sleep 300", "did not answer `initialize` within 2 s"),
        ("echo '{\"jsonrpc\":\"2.0\",\"id\":77,\"result\":{}}'; sleep 300", "did not answer `initialize` within 2 s"),
        ("exec 0<&-; sleep 300", "did not answer `initialize` within 2 s"),
        ("exec 1>&-; sleep 300", "did not answer `initialize` within 2 s"),
        ("echo oops >&2; exit 3", "oops"),
        ("read -r x; echo '{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocolVersion\":9}}'; sleep 300", "version 9"),
        (&format!("{GREETING_REPLY}{SESSION_REPLY}read -r x; exit 0"), "before its turn was over"),
        (
            &format!(
                "{GREETING_REPLY}{SESSION_REPLY}read -r x; head -c 9000000 /dev/zero | tr '\\0' y; echo; sleep 300"
            ),
            "9000000 bytes",
        ),
    ] {
        let text = run(script);
        assert_eq!(field(&text, "Status"), Some("failed"), "{script}: {text}");
        assert!(text.contains(words), "{script}: {text}");
    }
}

#[test]
fn an_unknown_setting_is_reported_with_a_suggestion() {
    let world = World::with_fake_agent().configure("[backends.g]\nkind = \"acp\"\npreset = \"gemeni\"\n");
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("(did you mean `gemini`?)"), "{said}");
    let world = World::with_fake_agent().configure("[backends.g]\nkind = \"apc\"\n");
    let said = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(said.contains("`acp`"), "{said}");
}
