//! Pinned versions of the real Codex CLI, offline with a scripted model.

use std::{fs, path::Path};

use connector_testing::{
    ScriptStep, ScriptedModel,
    codex::{self, CodexHome},
    eventually,
    processes::processes_with_env,
    scripted_model::{Fail, ToolCall},
};
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, and, field, start, task_id, wait_for_end, wait_for_log};

/// The oldest version with all flags that the tests need, the last one that lists `--full-auto`, and the newest.
const VERSIONS: [&str; 3] = ["0.47.0", "0.125.0", codex::NEWEST];

/// A world whose `codex` is this version, configured to use `model`.
fn world(version: &str, model: &ScriptedModel) -> (World, CodexHome) {
    let program = codex::install(version).unwrap_or_else(|problem| panic!("{problem}"));
    let home = CodexHome::new(&model.base_url(), "mock-model");
    let codex_home = home.codex_home().to_string_lossy().into_owned();
    (World::with_codex(&program).variable("CODEX_HOME", codex_home), home)
}

fn each_version(test: impl Fn(&str)) {
    for version in VERSIONS {
        test(version);
    }
}

fn shell(command: &str) -> Vec<ScriptStep> {
    vec![ScriptStep::Shell(command.to_owned()), ScriptStep::Say("the end".to_owned())]
}

#[test]
fn workspace_write_edits_a_file() {
    each_version(|version| {
        let model = ScriptedModel::with_script(shell("echo edited >> README.md"));
        let (world, _home) = world(version, &model);
        let before = fs::read_to_string(world.project.path().join("README.md")).expect("the project has one");
        let arguments = and(world.task("edit it"), json!({"sandbox": "workspace-write"}));
        let answer = world.server().call("codex_agent", arguments, |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{version}: {}", answer.text);
        assert!(answer.text.contains("the end"), "{version}: {}", answer.text);
        let after = fs::read_to_string(world.project.path().join("README.md")).expect("it is still there");
        assert_eq!(after, format!("{before}edited\n"), "{version}");
        let record = world.record(&task_id(&answer));
        assert!(
            record["sessionId"].is_string() && record["usage"]["inputTokens"].as_u64() > Some(0),
            "{version}: {record}"
        );
        assert!(world.log(&task_id(&answer)).contains("COMMAND FINISHED (exit code 0"), "{version}");
    });
}

#[test]
fn read_only_changes_nothing() {
    each_version(|version| {
        let model = ScriptedModel::with_script(shell("sleep 0.1; echo edited >> README.md; echo tried"));
        let (world, _home) = world(version, &model);
        let file = world.project.path().join("README.md");
        let before = fs::read(&file).expect("the project has one");
        let answer = world.server().call("codex_agent", and(world.task("x"), json!({"sandbox": "read-only"})), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{version}: {}", answer.text);
        let asked = model.requests();
        assert!(asked.len() >= 2, "{version}: the command was not tried");
        assert_eq!(fs::read(&file).expect("it is still there"), before, "{version}");
    });
}

#[test]
fn danger_full_access_writes_outside_the_workspace() {
    each_version(|version| {
        // Not in the temporary directory, where every sandbox lets Codex write.
        let outside = tempfile::tempdir_in("/var/tmp").expect("a temporary directory can be made");
        let file = outside.path().join("outside");
        let model = ScriptedModel::with_script(shell(&format!("echo x > {}", file.display())));
        let (world, _home) = world(version, &model);
        for (sandbox, written) in [("workspace-write", false), ("danger-full-access", true)] {
            let answer = world.server().call("codex_agent", and(world.task("x"), json!({"sandbox": sandbox})), |_| {});
            assert!(!answer.is_error, "{version}: {}", answer.text);
            assert_eq!(file.exists(), written, "{version} in {sandbox}");
        }
    });
}

#[test]
fn the_provider_receives_the_requested_model() {
    each_version(|version| {
        let model = ScriptedModel::with_script(vec![ScriptStep::Say("x".into())]);
        let (world, _home) = world(version, &model);
        let mut server = world.server();
        server.call("codex_agent", world.task("x"), |_| {});
        server.call("codex_agent", and(world.task("x"), json!({"model": "another-model"})), |_| {});
        let seen: Vec<_> = model.requests().into_iter().map(|request| request.model).collect();
        assert_eq!(seen, ["mock-model", "another-model"], "{version}");
    });
}

#[test]
fn every_prompt_arrives_byte_for_byte() {
    each_version(|version| {
        let model = ScriptedModel::with_script(vec![ScriptStep::Say("x".into())]);
        let (world, _home) = world(version, &model);
        let mut server = world.server();
        let long: String = (0..30_000).map(|n| format!("{n:>9}\u{e4}")).collect();
        assert!(long.len() > 300_000);
        for prompt in
            ["--help", "-", "resume", "help", "a\u{1}b\u{7f}\u{fffd} \t \"quoted\" 'x' $HOME `x`\nnext", &long]
        {
            let answer = server.call("codex_agent", world.task(prompt), |_| {});
            assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{version}: {}", answer.text);
            let seen = model.requests().pop().expect("the provider was asked").prompt;
            assert!(seen == prompt, "{version}: {} bytes were sent, {} arrived", prompt.len(), seen.len());
        }
    });
}

#[test]
fn a_command_of_a_cancelled_task_is_stopped() {
    each_version(|version| {
        let model = ScriptedModel::with_script(shell("echo started; sleep 300; echo never"));
        let (world, _home) = world(version, &model);
        let mut server = world.server();
        let id = start(&mut server, world.task("x"));
        wait_for_log(&world, &id, "COMMAND STARTED");
        let answer = server.call("codex_cancel", json!({"taskId": id}), |_| {});
        assert!(answer.text.contains("Cancelled by user"), "{version}: {}", answer.text);
        assert_eq!(processes_with_env("CONNECTOR_TASK_IDS", &id), Vec::<u32>::new(), "{version}");
    });
}

#[test]
fn a_model_failure_quotes_codex() {
    each_version(|version| {
        let failure = Fail { status: 400, message: Some("the script says no".into()), ..Default::default() };
        let model = ScriptedModel::with_script(vec![ScriptStep::Fail(failure)]);
        let (world, _home) = world(version, &model);
        let answer = world.server().call("codex_agent", world.task("x"), |_| {});
        assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 1"), "{version}: {}", answer.text);
        assert!(answer.text.contains("the script says no"), "{version}: {}", answer.text);
    });
}

#[test]
fn a_failure_is_shown_with_advice() {
    let fail = |status, message: &str, kind: &str| Fail {
        status,
        message: Some(message.into()),
        kind: Some(kind.into()),
        ..Default::default()
    };
    for (failure, words, advice) in [
        (fail(404, "The model `nope` does not exist", "invalid_request_error"), "does not exist", "`model`"),
        (fail(429, "You are out", "usage_limit_reached"), "usage limit", "limit is reset"),
        (fail(401, "bad key", "invalid_request_error"), "401 Unauthorized", "codex login"),
    ] {
        let model = ScriptedModel::with_script(vec![ScriptStep::Fail(failure)]);
        let (world, _home) = world(codex::NEWEST, &model);
        let answer = world.server().call("codex_agent", world.task("x"), |_| {});
        assert_eq!(field(&answer.text, "Failure reason"), Some("Exited with code 1"), "{}", answer.text);
        assert!(answer.text.contains(words) && answer.text.contains(advice), "{}", answer.text);
    }
}

#[test]
fn the_status_says_that_codex_waits_for_the_network() {
    let model = ScriptedModel::start();
    let program = codex::install(codex::NEWEST).unwrap_or_else(|problem| panic!("{problem}"));
    let nobody = "http://127.0.0.1:1/v1";
    let home = CodexHome::new(nobody, "mock-model");
    let world = World::with_codex(&program).variable("CODEX_HOME", home.codex_home().to_string_lossy());
    let mut server = world.server();
    let id = start(&mut server, world.task("x"));
    let status = eventually("the trouble in the status", ANSWER_TIMEOUT, || {
        let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
        field(&status, "Waiting for the network").is_some().then_some(status)
    });
    assert_eq!(field(&status, "Status"), Some("running"), "{status}");
    assert!(status.contains("waiting for network"), "{status}");
    server.call("codex_cancel", json!({"taskId": id}), |_| {});
    assert!(wait_for_end(&mut server, &id).contains("Cancelled by user"));
    assert!(model.requests().is_empty());
}

#[test]
fn a_directory_that_codex_would_not_trust_can_be_allowed() {
    let model = ScriptedModel::with_script(vec![ScriptStep::Say("worked without git".into())]);
    let (world, _home) = world(codex::NEWEST, &model);
    let world = world.variable("CODEX_CONNECTOR_BACKENDS__CODEX__REQUIRE_GIT", "false");
    let elsewhere = tempfile::tempdir().expect("a temporary directory can be made");
    let answer = call_in(&world, elsewhere.path());
    assert!(answer.contains("worked without git"), "{answer}");
}

fn call_in(world: &World, directory: &Path) -> String {
    let arguments = json!({"task": "x", "workingDirectory": directory});
    world.server().call("codex_agent", arguments, |_| {}).text
}

/// Codex in the other role: it is the client, and our agent is the fake one.
#[test]
fn codex_calls_our_tools_as_an_mcp_client() {
    let world = World::with_fake_agent();
    let task = world.fake(json!([{"say": "hello from the other side"}]));
    let call = |name: &str, args| ScriptStep::Tool(ToolCall { name: name.into(), args });
    let script = vec![call("codex_agent", task), call("codex_tasks", json!({})), ScriptStep::Say("the end".into())];
    let model = ScriptedModel::with_script(script);
    let program = codex::install(codex::NEWEST).unwrap_or_else(|problem| panic!("{problem}"));
    let home = CodexHome::new(&model.base_url(), "mock-model");
    let server = format!(
        "[mcp_servers.connector]\ncommand = {:?}\nenv = {{ HOME = {:?} }}\n",
        env!("CARGO_BIN_EXE_codex-connector"),
        world.home()
    );
    let file = home.codex_home().join("config.toml");
    let config = fs::read_to_string(&file).expect("it exists");
    fs::write(&file, format!("{config}\n{server}")).expect("the home is writable");
    let mut codex = home.command(&program);
    codex.args(["exec", "--json", "--dangerously-bypass-approvals-and-sandbox", "-C"]).arg(world.project.path());
    let output = codex.arg("go").stdin(std::process::Stdio::null()).output().expect("codex runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    let seen = model.requests().pop().expect("the model was asked").body.to_string();
    assert!(seen.contains("hello from the other side") && seen.contains("| completed |"), "{seen}");
}

/// A new version of Codex may word its failures differently, so that we no longer recognize them. These are Codex's
/// own messages about exhausted quotas and missing logins; unlike the provider's messages, they are in its binary.
#[test]
fn the_quota_messages_match_the_newest_codex() {
    const TEXTS: [&str; 7] = [
        "Selected model is at capacity.",
        "To use Codex with your ChatGPT plan, upgrade to Plus",
        "Your workspace is out of credits.",
        "You hit your spend cap set in your workspace.",
        "Your access token could not be refreshed. Please log out and sign in again.",
        "Your access token could not be refreshed because you have since logged out or signed in to another account.",
        "We\u{2019}re currently experiencing high demand",
    ];
    let shim = codex::install(codex::NEWEST).unwrap_or_else(|problem| panic!("{problem}"));
    let packages =
        shim.ancestors().find(|path| path.ends_with("node_modules")).expect("npm installs into node_modules");
    // For 300 MB, grep takes a tenth of the time of a search in a debug build.
    let mut search = std::process::Command::new("grep");
    search.args(["-r", "-a", "-o", "-h", "-F"]).args(TEXTS.map(|text| format!("--regexp={text}"))).arg(packages);
    let output = search.env("LC_ALL", "C").output().expect("grep runs");
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    for text in TEXTS {
        assert!(found.contains(text), "{text}");
        let world = World::with_fake_agent();
        let answer = world.server().call("codex_agent", world.fake(json!([{"fail": text}])), |_| {});
        assert!(answer.text.contains("### What to do"), "{}", answer.text);
    }
}
