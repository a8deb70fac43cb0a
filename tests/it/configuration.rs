//! The program's use of its configuration.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
};

use serde_json::json;

use crate::world::{World, start, task_id};

#[test]
fn a_broken_configuration_is_reported_to_every_caller_and_runs_no_task() {
    let world = World::with_fake_agent().configure("[tasks]\nheartbeet_interval = \"30s\"\n");
    let mut server = world.server();
    let tools = server.request("tools/list", json!({}));
    assert_eq!(tools["tools"].as_array().map(Vec::len), Some(4));
    for (tool, arguments) in [("codex_agent", world.task("x")), ("codex_tasks", json!({}))] {
        let answer = server.call(tool, arguments, |_| {});
        assert_eq!(answer.is_error, tool == "codex_agent", "{}", answer.text);
        for word in ["config.toml", "tasks.heartbeet_interval", "tasks.heartbeat_interval", "next:"] {
            assert!(answer.text.contains(word), "{word:?} is not in: {}", answer.text);
        }
    }
    assert!(world.data_dir().join("logs").read_dir().expect("it was created").next().is_none(), "a task was started");

    let check = world.command(&["check"]).output().expect("the program runs");
    assert!(!check.status.success());
    assert!(String::from_utf8_lossy(&check.stderr).contains("tasks.heartbeat_interval"));
}

#[test]
fn tasks_can_be_viewed_awaited_and_cancelled_with_an_invalid_configuration() {
    let mut world = World::with_fake_agent();
    let done = task_id(&world.server().call("codex_agent", world.fake(json!([{"say": "the answer"}])), |_| {}));
    let mut healthy = world.server();
    let running = start(&mut healthy, world.fake(json!([{"say": "busy"}, {"hang": true}])));
    for (broken, named) in [("[tasks]\nheartbeet_interval = \"30s\"\n", "heartbeet_interval"), ("[tasks\n", "line 1")] {
        world = world.configure(broken);
        let mut server = world.server();
        for (tool, arguments, words) in [
            ("codex_tasks", json!({}), done.as_str()),
            ("codex_status", json!({"taskId": done}), "the answer"),
            ("codex_status", json!({"taskId": running}), "busy"),
        ] {
            let answer = server.call(tool, arguments, |_| {});
            assert!(!answer.is_error && answer.text.contains(words), "{}", answer.text);
            let (_, notices) = answer.text.split_once("### Notices\n").expect("the answer has notices");
            assert!(notices.contains("the configuration is invalid") && notices.contains(named), "{notices}");
        }
        let refused = server.call("codex_agent", world.task("x"), |_| {});
        assert!(refused.is_error && refused.text.contains(named), "{}", refused.text);
        for verb in [&["wait", &done][..], &["notify", "--since-last"]] {
            let said = world.command(verb).stdin(Stdio::null()).output().expect("the program runs");
            assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
            assert!(String::from_utf8_lossy(&said.stderr).contains(named));
        }
    }
    let cancelled = world.server().call("codex_cancel", json!({"taskId": running}), |_| {});
    assert!(!cancelled.is_error && cancelled.text.starts_with("## Task Cancelled"), "{}", cancelled.text);
}

#[test]
fn a_data_directory_that_cannot_be_created_is_reported_to_every_caller() {
    let world = World::with_fake_agent();
    let file = world.home().join("a-file");
    fs::write(&file, "").expect("the home is writable");
    let world = world.variable("CODEX_CONNECTOR_DATA_DIR", file.join("data").to_string_lossy());
    let answer = world.server().call("codex_tasks", json!({}), |_| {});
    assert!(answer.is_error && answer.text.contains("a-file/data"), "{}", answer.text);
    let check = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(!check.status.success() && said.contains("next: make that directory writable"), "{said}");
}

#[test]
fn environment_and_flags_override_the_file() {
    let world = World::with_codex("/no/such/codex".as_ref());
    let world = world.variable("CODEX_CONNECTOR_BACKENDS__CODEX__PROGRAM", env!("CARGO_BIN_EXE_fake-agent"));
    let check = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    assert!(check.status.success() && said.contains("0.169.0"), "{said}");

    let flag = "backends.codex.program=/no/such/either";
    let check = world.command(&["--set", flag, "check"]).output().expect("the program runs");
    assert!(!check.status.success());
    assert!(String::from_utf8_lossy(&check.stdout).contains("/no/such/either"));
}

#[test]
fn check_reports_version_sandboxes_and_login() {
    let world = World::with_fake_agent().variable("FAKE_CODEX_LOGGED_OUT", "1");
    let check = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stdout);
    for word in ["0.169.0", "read-only, workspace-write, danger-full-access", "Not logged in", "codex login"] {
        assert!(said.contains(word), "{word:?} is not in:\n{said}");
    }
}

#[test]
fn check_exits_with_1_unless_tasks_can_run_with_the_default_or_the_named_backend() {
    let world =
        World::with_fake_agent().configure("[backends.other]\nkind = \"codex\"\nprogram = \"/no/such/codex\"\n");
    let logged_out = World::with_fake_agent().variable("FAKE_CODEX_LOGGED_OUT", "1");
    let invalid = World::with_fake_agent().configure("colour = 1\n");
    for (world, args, code) in [
        (&world, &["check"][..], 0),
        (&world, &["check", "codex", "--json"], 0),
        (&world, &["check", "other"], 1),
        (&world, &["check", "other", "--json"], 1),
        (&world, &["check", "unknown"], 1),
        (&world, &["check", "--no-such-option"], 2),
        (&logged_out, &["check"], 1),
        (&logged_out, &["check", "--deep", "codex"], 1),
        (&invalid, &["check"], 1),
    ] {
        let done = world.command(args).stdin(Stdio::null()).output().expect("the program runs");
        assert_eq!(done.status.code(), Some(code), "{args:?} {done:?}");
    }
}

#[test]
fn check_fails_if_the_default_backend_can_work_neither_by_login_nor_by_key() {
    let world = World::with_fake_agent().variable("FAKE_CODEX_LOGGED_OUT", "1");
    let run = |world: &World, args: &[&str]| {
        let done = world.command(args).stdin(Stdio::null()).output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (done.status.success(), text(&done.stdout), text(&done.stderr))
    };
    for args in [&["check"][..], &["doctor"], &["check", "codex"]] {
        let (is_usable, said, _) = run(&world, args);
        assert!(!is_usable && said.contains("PROBLEM") && said.contains("codex login"), "{args:?}: {said}");
    }
    let (is_usable, said, _) = run(&world, &["check", "codex", "--json"]);
    let report: serde_json::Value = serde_json::from_str(&said).expect("the report is JSON");
    assert!(!is_usable && report["usable"] == false && report["findings"].is_array(), "{said}");
    let (_, schema, _) = run(&world, &["schema", "--output"]);
    let schema: serde_json::Value = serde_json::from_str(&schema).expect("the schema is JSON");
    assert!(jsonschema::is_valid(&schema, &report) && report["type"] == "check", "{said}");
    for deep in [&["check", "--deep", "codex"][..], &["check", "codex", "--deep"], &["check", "--deep"]] {
        let (is_usable, said, problem) = run(&world, deep);
        assert!(!is_usable && said.is_empty(), "no task was tried: {said}");
        assert!(problem.contains("backend `codex` is not logged in: Not logged in\nnext: "), "{problem}");
    }
    let (_, _, unknown) = run(&world, &["check", "codx"]);
    assert!(unknown.contains("did you mean `codex`?"), "{unknown}");
    assert!(unknown.contains("next: run `codex-connector check codex`"), "{unknown}");
    let config = world.home().join(".codex");
    fs::create_dir_all(&config).expect("the home is writable");
    fs::write(config.join("config.toml"), "model_provider = \"mine\"\n").expect("the home is writable");
    assert!(run(&world, &["check"]).0, "its own provider needs no login");
    fs::remove_file(config.join("config.toml")).expect("the home is writable");
    let world = world.variable("CODEX_API_KEY", "dummy-key");
    let (is_usable, said, _) = run(&world, &["check"]);
    assert!(is_usable && said.contains("Not logged in, but the environment"), "{said}");
    let left = world.data_dir().read_dir().expect("there is a data directory").flatten();
    let left: Vec<_> = left.filter(|entry| entry.file_name().to_string_lossy().starts_with("kit-")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn check_says_what_does_not_work_without_git_or_with_an_old_one() {
    let bin = tempfile::tempdir().expect("a temporary directory can be made");
    let world = World::with_fake_agent();
    let check = |world: &World, git: Option<&str>| {
        let program = bin.path().join("git");
        match git {
            Some(version) => {
                fs::write(&program, format!("#!/bin/sh\necho git version {version}\n")).expect("it is writable");
                fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
            }
            None => drop(fs::remove_file(&program)),
        }
        let done = world.command(&["check"]).env("PATH", bin.path()).output().expect("the program runs");
        let text = String::from_utf8_lossy(&done.stdout).into_owned();
        let (_, from) = text.split_once("\ngit ").expect("git is a finding");
        let found: Vec<_> =
            from.lines().take(2).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        (done.status.success(), found.join("\n"))
    };
    assert!(check(&world, Some("2.47.3")).1.contains("ok version 2.47\n"));
    let (is_usable, old) = check(&world, Some("2.34.1"));
    assert!(
        is_usable
            && old
                .contains("old version 2.34; `diff` works, but `undo`, `redo` and `apply` need 2.38\nnext: update git")
    );
    let (is_usable, older) = check(&world, Some("2.25.1"));
    let lost = "what tasks change cannot be shown, undone or applied, and no task gets a worktree";
    let words = format!("old version 2.25, but snapshots need 2.32: {lost}\nnext: update git");
    assert!(is_usable && older.contains(&words), "{older}");
    let (is_usable, missing) = check(&world, None);
    let words = format!("missing `git` not found on PATH: {lost}\nnext: install git");
    assert!(is_usable && missing.contains(&words), "{missing}");
    let world = world.configure("[workspace]\ntree = \"always\"\n");
    let (is_usable, missing) = check(&world, None);
    assert!(!is_usable && missing.contains("PROBLEM `git` not found"), "{missing}");
}

#[test]
fn a_misspelt_kind_gets_a_suggestion() {
    let world = World::with_fake_agent().configure("[backends.gemini]\nkind = \"gemni\"\n");
    let check = world.command(&["check"]).output().expect("the program runs");
    let said = String::from_utf8_lossy(&check.stderr);
    assert!(said.contains("did you mean `gemini`?"), "{said}");
}

#[test]
fn check_in_a_home_directory_does_not_advise_moving_the_data_directory_there() {
    let world = World::with_fake_agent();
    // This home must not be the world's home, which is inside this program's own repository.
    let home = tempfile::tempdir().expect("a temporary directory can be made");
    let check = || {
        let mut command = world.command(&["check"]);
        command.env("HOME", home.path()).current_dir(home.path());
        command.env("CODEX_CONNECTOR_BACKENDS__CODEX__PROGRAM", env!("CARGO_BIN_EXE_fake-agent"));
        String::from_utf8_lossy(&command.output().expect("the program runs").stdout).into_owned()
    };
    let said = check();
    assert!(said.contains("workspace-write") && !said.contains("is refused"), "no task runs there anyway: {said}");
    let init = Command::new("git").args(["init", "--quiet"]).current_dir(home.path()).status();
    assert!(init.expect("git is installed").success());
    let said = check();
    assert!(said.contains("is refused") && said.contains("such as a single project"), "{said}");
    assert!(!said.contains("~/.codex-connector"), "{said}");
}

/// The variables that Claude Code 2.1.330 sets for its servers, and those that its user may have set.
const CLAUDES: [&str; 12] = [
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_SESSION_ID",
    "CLAUDE_CODE_MESSAGING_SOCKET",
    "CLAUDE_CODE_MESSAGING_TOKEN",
    "CLAUDE_CODE_CHILD_NOTES_DIR",
    "CLAUDE_PROJECT_DIR",
    "CLAUDE_CONFIG_DIR",
    "CLAUDE_AUTO_BACKGROUND_TASKS",
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "ANTHROPIC_BASE_URL",
];

/// The variables without which an agent cannot work on some machines.
const NEEDED: [&str; 8] = [
    "HTTPS_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "NODE_EXTRA_CA_CERTS",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "OPENAI_API_KEY",
    "LANG",
];

#[test]
fn variables_of_claude_code_do_not_reach_an_agent_and_needed_ones_do() {
    let mut world = World::with_fake_agent();
    for name in CLAUDES.into_iter().chain(NEEDED) {
        world = world.variable(name, format!("value-of-{name}"));
    }
    let file = world.home().join("environment");
    world.server().call("codex_agent", world.fake(json!([{"print_env": file}])), |_| {});
    let environment = fs::read_to_string(&file).expect("the agent wrote it");
    let has = |name: &str| environment.contains(&format!("value-of-{name}\n"));
    assert_eq!(CLAUDES.into_iter().filter(|name| has(name)).collect::<Vec<_>>(), Vec::<&str>::new());
    assert_eq!(NEEDED.into_iter().filter(|name| !has(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}

#[test]
fn version_and_help_are_printed() {
    let world = World::with_fake_agent();
    let version = world.command(&["--version"]).output().expect("the program runs");
    assert_eq!(String::from_utf8_lossy(&version.stdout), format!("codex-connector {}\n", env!("CARGO_PKG_VERSION")));
    let help = world.command(&["--help"]).output().expect("the program runs");
    assert!(String::from_utf8_lossy(&help.stdout).contains("claude mcp add"));
}

#[test]
fn an_unknown_verb_is_refused() {
    let world = World::with_fake_agent();
    let refused = world.command(&["chekc"]).stdin(Stdio::null()).output().expect("the program runs");
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("check"));
}
