//! Resumed sessions of the real Codex.

use std::fs;

use connector_testing::{
    ScriptStep, ScriptedModel,
    codex::{self, CodexHome},
};
use serde_json::json;

use crate::world::{World, and, field, task_id};

/// As in `real_codex`.
const VERSIONS: [&str; 3] = ["0.47.0", "0.125.0", codex::NEWEST];

fn world(version: &str, model: &ScriptedModel) -> (World, CodexHome) {
    let program = codex::install(version).unwrap_or_else(|problem| panic!("{problem}"));
    let home = CodexHome::new(&model.base_url(), "mock-model");
    let codex_home = home.codex_home().to_string_lossy().into_owned();
    let world = World::with_codex(&program).variable("CODEX_HOME", codex_home);
    (world.configure("[tools]\nextra = [\"resume\"]\n"), home)
}

#[test]
fn the_agent_remembers_the_session_and_the_sandbox_is_set_again() {
    for version in VERSIONS {
        let model = ScriptedModel::start();
        let (world, _home) = world(version, &model);
        let mut server = world.server();
        let outside = tempfile::tempdir_in("/var/tmp").expect("a temporary directory can be made");
        let file = outside.path().join("written");
        let write = |word: &str| {
            let script =
                json!([{"shell": format!("echo {word} >> {}", file.display())}, {"say": format!("{word} was said")}]);
            format!("{word} SCRIPT{script}")
        };
        let first = server.call("codex_agent", world.task(&write("first")), |_| {});
        assert_eq!(field(&first.text, "Status"), Some("completed successfully"), "{version}: {}", first.text);
        assert_eq!(fs::read_to_string(&file).expect("it was written"), "first\n", "{version}");

        let resume = |word: &str, sandbox: &str| json!({"taskId": task_id(&first), "task": write(word), "sandbox": sandbox, "model": "another-model"});
        let second = server.call("codex_resume", resume("second", "read-only"), |_| {});
        assert_eq!(field(&second.text, "Status"), Some("completed successfully"), "{version}: {}", second.text);
        assert_eq!(fs::read_to_string(&file).expect("it exists"), "first\n", "{version}: read-only wrote");
        let seen = model.requests().pop().expect("the model was asked");
        let body = seen.body.to_string();
        assert!(
            body.contains("first SCRIPT") && body.contains("second SCRIPT"),
            "{version}: the session was forgotten"
        );
        assert_eq!(seen.model, "another-model", "{version}");
        let records = [&first, &second].map(|answer| world.record(&task_id(answer))["sessionId"].clone());
        assert_eq!(records[0], records[1], "{version}");

        let third = server.call("codex_resume", resume("third", "danger-full-access"), |_| {});
        assert_eq!(field(&third.text, "Status"), Some("completed successfully"), "{version}: {}", third.text);
        assert_eq!(fs::read_to_string(&file).expect("it exists"), "first\nthird\n", "{version}");

        // The third task resumes the first one's session, which the second has used in the meantime.
        let tokens = [&first, &second, &third].map(|answer| world.record(&task_id(answer))["usage"].clone());
        assert!(tokens[0]["inputTokens"].as_u64().is_some_and(|count| count > 0), "{version}: {tokens:?}");
        assert_eq!(
            (&tokens[0], &tokens[0]),
            (&tokens[1], &tokens[2]),
            "{version}: the token counts of the three runs differ"
        );
    }
}

#[test]
fn a_session_unknown_to_codex_is_an_error() {
    for version in VERSIONS {
        let model = ScriptedModel::with_script(vec![ScriptStep::Say("a new session".into())]);
        let (world, _home) = world(version, &model);
        let unknown_session = json!({"sessionId": "0199a213-81c0-7800-8aa1-bbab2a035a53"});
        let answer = world.server().call("codex_resume", and(world.task("x"), unknown_session), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("failed"), "{version}: {}", answer.text);
        assert!(
            !answer.text.contains("a new session") && answer.text.contains("What the agent said"),
            "{}",
            answer.text
        );
    }
}
