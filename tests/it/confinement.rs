//! Checks that a sandboxed agent cannot reach our own files. Uses the fake agent.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use connector_testing::McpServer;
use serde_json::json;

use crate::{
    supervise::{spec, supervise},
    world::{World, and, field},
};

fn server(world: &World, data_dir: &Path) -> McpServer {
    let mut command = world.command(&["--data-dir"]);
    command.arg(data_dir).arg("--set").arg(format!("backends.codex.program={}", env!("CARGO_BIN_EXE_fake-agent")));
    let mut server = McpServer::spawn(command);
    server.initialize();
    server
}

#[test]
fn workspace_write_is_refused_if_it_would_expose_the_data_directory() {
    let world = World::with_fake_agent();
    let data_dir: PathBuf = world.project.path().join(".cc");
    let mut server = server(&world, &data_dir);
    let steps = json!([{"write": {"path": "was-here", "text": "x"}}]);
    let call = |sandbox: &str| and(world.fake(steps.clone()), json!({"sandbox": sandbox}));
    let refused = server.call("codex_agent", call("workspace-write"), |_| {});
    assert!(refused.is_error && refused.text.contains("is in the working directory"), "{}", refused.text);
    assert!(refused.text.contains("`data_dir`") && refused.text.contains("`read-only`"), "{}", refused.text);
    assert!(world.project.read("was-here").is_none(), "the agent was started");
    for sandbox in ["read-only", "danger-full-access"] {
        let answer = server.call("codex_agent", call(sandbox), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    }
}

#[test]
fn workspace_write_is_refused_if_the_agent_could_replace_a_link_to_the_data_directory() {
    let world = World::with_fake_agent();
    let data_dir = world.project.path().join("state");
    symlink(world.data_dir(), &data_dir).expect("it is writable");
    let call = and(world.fake(json!([])), json!({"sandbox": "workspace-write"}));
    let refused = server(&world, &data_dir).call("codex_agent", call, |_| {});
    let through = "/state, in the working directory";
    assert!(refused.is_error && refused.text.contains(through), "{}", refused.text);
}

#[test]
fn codex_is_denied_a_temporary_directory_that_holds_the_data_directory() {
    let world = World::with_fake_agent();
    let temporary = tempfile::tempdir_in("/tmp").expect("a temporary directory can be made");
    let elsewhere = world.data_dir();
    for (data_dir, is_closed) in [(temporary.path(), true), (elsewhere.as_path(), false)] {
        let call = and(world.task("x"), json!({"sandbox": "workspace-write"}));
        let answer = server(&world, data_dir).call("codex_agent", call, |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
        let id = field(&answer.text, "Task ID").expect("the answer names the task");
        let record = fs::read_to_string(data_dir.join(format!("logs/{id}.debug.json"))).expect("it has a record");
        for key in ["exclude_slash_tmp=true", "exclude_tmpdir_env_var=true"] {
            assert_eq!(record.contains(key), is_closed, "{record}");
        }
    }
}

#[test]
fn a_working_directory_that_now_leads_to_the_data_directory_starts_no_agent() {
    let world = World::with_fake_agent();
    let link = world.home().join("link");
    symlink(world.home(), &link).expect("the home is writable");
    let mut spec = spec(&world, "0123abcd", r#"FAKE[{"write": {"path": "was-here", "text": "x"}}]"#, "continue");
    spec["request"]["working_directory"] = json!(link);
    spec["request"]["sandbox"] = json!("workspace-write");
    supervise(&world, "0123abcd", &format!("{spec}\n"));
    let record = world.record("0123abcd");
    assert_eq!(record["failureReason"], "Process error: EACCES (spawn failed)", "{record}");
    assert!(record["agentSaid"].as_str().is_some_and(|said| said.contains("the data directory")), "{record}");
    assert!(!world.home().join("was-here").exists(), "the agent was started");
}

#[test]
fn an_agent_works_in_the_real_directory_and_codex_gets_its_path() {
    let world = World::with_fake_agent();
    let link = world.home().join("link");
    symlink(world.project.path(), &link).expect("the home is writable");
    let mut spec = spec(&world, "0123abcd", "FAKE[]", "continue");
    spec["request"]["working_directory"] = json!(link);
    supervise(&world, "0123abcd", &format!("{spec}\n"));
    let command = world.record("0123abcd")["command"].as_str().unwrap_or_default().to_owned();
    let untrusted = format!("\"{}\"={{trust_level=\"untrusted\"}}", world.project.path().display());
    assert!(command.contains(&untrusted), "{command}");
}

#[test]
fn check_reports_where_workspace_write_is_refused() {
    let world = World::with_fake_agent();
    let said = |directory: &Path| {
        let check = world.command(&["check"]).current_dir(directory).output().expect("the program runs");
        String::from_utf8_lossy(&check.stdout).into_owned()
    };
    let message = said(world.home());
    assert!(message.contains("`workspace-write` is refused") && message.contains("the data directory"), "{message}");
    assert!(!said(world.project.path()).contains("is refused"));
}

#[test]
fn workspace_write_is_refused_if_it_would_expose_the_configuration_file() {
    let world = World::with_fake_agent();
    let file = world.project.path().join("connector.toml");
    let program = env!("CARGO_BIN_EXE_fake-agent");
    let text = format!("[ceiling]\nsandbox = \"workspace-write\"\n[backends.codex]\nprogram = \"{program}\"\n");
    fs::write(&file, text).expect("the project is writable");
    for (args, variable) in [
        (vec!["--config", file.to_str().expect("it is UTF-8")], None),
        (vec!["--config", "connector.toml"], None),
        (vec![], Some(("CODEX_CONNECTOR_CONFIG", &file))),
    ] {
        let mut command = world.command(&args);
        command.current_dir(world.project.path()).envs(variable);
        let mut server = McpServer::spawn(command);
        server.initialize();
        let call = |sandbox: &str| and(world.fake(json!([])), json!({"sandbox": sandbox}));
        let refused = server.call("codex_agent", call("workspace-write"), |_| {});
        assert!(refused.is_error && refused.text.contains("the configuration file"), "{}", refused.text);
        let answer = server.call("codex_agent", call("read-only"), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    }
}

#[test]
fn a_spec_whose_configuration_file_is_now_exposed_starts_no_agent() {
    let world = World::with_fake_agent();
    let mut spec = spec(&world, "0123abcd", r#"FAKE[{"write": {"path": "was-here", "text": "x"}}]"#, "continue");
    spec["request"]["sandbox"] = json!("workspace-write");
    spec["trustedFiles"] = json!([{"kind": "config", "path": world.project.path().join("config.toml")}]);
    supervise(&world, "0123abcd", &format!("{spec}\n"));
    let record = world.record("0123abcd");
    assert!(record["agentSaid"].as_str().is_some_and(|said| said.contains("the configuration file")), "{record}");
    assert!(world.project.read("was-here").is_none(), "the agent was started");
}

#[test]
fn a_sandboxed_agent_gets_no_path_that_leads_into_the_project() {
    let path = |world: &World| format!("node_modules/.bin::{}/bin:/usr/bin:/bin", world.project.path().display());
    for (sandbox, is_confined) in [("read-only", true), ("workspace-write", true), ("danger-full-access", false)] {
        let world = World::with_fake_agent();
        let all = path(&world);
        let world = world.variable("PATH", &all).variable("TMPDIR", "..").variable("LD_LIBRARY_PATH", "/nowhere:");
        let file = world.home().join("environment");
        let call = and(world.fake(json!([{"print_env": file}])), json!({"sandbox": sandbox}));
        let answer = world.server().call("codex_agent", call, |_| {});
        let variables = fs::read_to_string(&file).expect("the agent has run");
        let has = |line: &str| variables.lines().any(|variable| variable == line);
        let path = if is_confined { "/usr/bin:/bin" } else { &all };
        assert!(has(&format!("PATH={path}")), "{sandbox}: {variables}");
        assert_eq!(has("TMPDIR=.."), !is_confined, "{sandbox}: {variables}");
        assert_eq!(has("LD_LIBRARY_PATH=/nowhere"), is_confined, "{sandbox}: {variables}");
        assert_eq!(variables.contains("core.fsmonitor=false"), is_confined, "{sandbox}: {variables}");
        let log = world.log(field(&answer.text, "Task ID").expect("the answer names the task"));
        assert_eq!(log.contains("NOT PASSED ON: `node_modules/.bin` of PATH"), is_confined, "{log}");
    }
}

#[test]
fn a_sandboxed_agent_cannot_be_a_program_in_the_project() {
    use std::os::unix::fs::PermissionsExt;

    let world = World::with_codex(Path::new("codex"));
    let program = world.project.path().join("bin/codex");
    fs::create_dir(world.project.path().join("bin")).expect("the project is writable");
    fs::write(&program, "#!/bin/sh\ntouch \"$HOME/was-here\"\n").expect("the project is writable");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
    let path = format!("{}/bin:/usr/bin:/bin", world.project.path().display());
    let world = world.variable("PATH", path);
    let call = and(world.task("x"), json!({"sandbox": "read-only"}));
    let answer = world.server().call("codex_agent", call, |_| {});
    assert!(answer.text.contains("is inside the project"), "{}", answer.text);
    assert!(!world.home().join("was-here").exists(), "it was run");
}

#[test]
fn a_relative_home_of_an_agent_is_refused_in_the_weaker_sandboxes() {
    let world = World::with_fake_agent().variable("CODEX_HOME", ".codex");
    let mut server = world.server();
    for sandbox in ["read-only", "workspace-write"] {
        let refused = server.call("codex_agent", and(world.fake(json!([])), json!({"sandbox": sandbox})), |_| {});
        let is_named = refused.text.contains("the directory in `CODEX_HOME`, .codex, is a relative path");
        assert!(refused.is_error && is_named && refused.text.contains("absolute path"), "{}", refused.text);
    }
    let free = and(world.fake(json!([])), json!({"sandbox": "danger-full-access"}));
    assert!(!server.call("codex_agent", free, |_| {}).is_error);
}
