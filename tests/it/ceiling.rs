//! The limits set by the machine's administrator, as a caller and a supervisor meet them.

use std::{
    fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::{
    supervise::{spec, supervise},
    world::{World, and, field},
};

/// Arguments for `codex_agent` that are within every ceiling of these tests.
fn limited_ceiling(world: &World, steps: Value) -> Value {
    and(world.fake(steps), json!({"sandbox": "read-only", "timeoutMs": 60_000}))
}

/// The answer to a call that must be refused. No task may have been created.
fn refusal(world: &World, arguments: Value) -> String {
    let answer = world.server().call("codex_agent", arguments, |_| {});
    assert!(answer.is_error, "{}", answer.text);
    assert_eq!(files(&world.data_dir().join("logs")), 0, "a task was created");
    assert_eq!(files(&world.data_dir().join("run")), 0, "a task was created");
    answer.text
}

fn files(dir: &Path) -> usize {
    fs::read_dir(dir).map_or(0, Iterator::count)
}

#[test]
fn a_call_above_the_ceiling_is_refused_with_the_rule_and_creates_nothing() {
    let world = World::with_fake_agent().configure(
        "[ceiling]\nsandbox = 'workspace-write'\ntimeout = '1h'\nmodels = ['gpt-5*']\n\
         [backends.codex.ceiling]\nsandbox = 'read-only'\n",
    );
    let file = world.data_dir().join("config.toml");
    for (more, problem, next) in [
        (
            json!({"sandbox": "workspace-write"}),
            "`sandbox` workspace-write exceeds the ceiling, read-only (`backends.codex.ceiling.sandbox`, from ",
            "pass `sandbox: \"read-only\"`, or ask the user to change `backends.codex.ceiling.sandbox`",
        ),
        (
            json!({"timeoutMs": 3_600_001}),
            "`timeoutMs` 3600001 exceeds the ceiling, 1h 0m (`ceiling.timeout`, from ",
            "pass a `timeoutMs` from 1 to 3600000, or ask the user to change `ceiling.timeout`",
        ),
        (
            json!({"timeoutMs": 0}),
            "No limit (a `timeoutMs` of 0, or of more than ten years) exceeds the ceiling, 1h 0m (`ceiling.timeout`, from ",
            "pass a `timeoutMs` from 1 to 3600000, or ask the user to change `ceiling.timeout`",
        ),
        (
            json!({"model": "o3"}),
            "`model` o3 is not allowed. Allowed: gpt-5\\* (`ceiling.models`, from ",
            "pass one of these as `model`, or leave it out, or ask the user to change `ceiling.models`",
        ),
    ] {
        let message = refusal(&world, and(limited_ceiling(&world, json!([])), more));
        assert_eq!(message, format!("{problem}{})\nnext: {next}", file.display()));
    }
    let below = and(limited_ceiling(&world, json!([{"say": "done"}])), json!({"model": "gpt-5.5"}));
    let answer = world.server().call("codex_agent", below, |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
}

#[test]
fn a_default_above_the_ceiling_is_refused_and_not_lowered() {
    let world = World::with_fake_agent().configure("[ceiling]\nsandbox = 'read-only'\ntimeout = '1h'\n");
    let message = refusal(&world, and(world.task("x"), json!({"timeoutMs": 1_000})));
    assert!(
        message.starts_with(
            "No `sandbox` is given, and the default, danger-full-access (`tasks.default_sandbox`), exceeds"
        )
    );
    let message = refusal(&world, and(world.task("x"), json!({"sandbox": "read-only"})));
    assert!(
        message.starts_with("No `timeoutMs` is given, and the default, no limit (`tasks.default_timeout`), exceeds"),
        "{message}"
    );
}

/// A directory next to the project with symbolic links: `in` leads to the project, `out` to another place.
struct SymlinkPair {
    dir: PathBuf,
}

impl SymlinkPair {
    fn of(world: &World, outside: &Path) -> Self {
        let dir = world.home().join("links");
        fs::create_dir(&dir).expect("the home is writable");
        symlink(world.project.path(), dir.join("in")).expect("the home is writable");
        symlink(outside, dir.join("out")).expect("the home is writable");
        Self { dir }
    }
}

#[test]
fn a_directory_is_resolved_through_its_links() {
    let outside = connector_testing::GitProject::new();
    let world = World::with_fake_agent();
    let links = SymlinkPair::of(&world, outside.path());
    let roots = [links.dir.join("in"), world.home().join("missing")];
    let world = world.configure(&format!("[ceiling]\nroots = {roots:?}\n"));
    symlink(outside.path(), world.project.path().join("out")).expect("the project is writable");

    let project = world.project.path();
    let sibling = format!("{}-beside", project.display());
    fs::create_dir_all(format!("{sibling}/.git")).expect("the directory for temporary files is writable");
    fs::write(format!("{sibling}/.git/HEAD"), "").expect("it is writable");
    let up = project.join("..").join(outside.path().file_name().expect("a project has a name"));
    for directory in [outside.path(), &links.dir.join("out"), &project.join("out"), Path::new(&sibling), &up] {
        let message = refusal(&world, and(world.fake(json!([])), json!({"workingDirectory": directory})));
        assert!(message.contains("`ceiling.roots`"), "{}: {message}", directory.display());
    }
    fs::remove_dir_all(sibling).expect("this test created it");

    fs::create_dir(project.join("src")).expect("the project is writable");
    for (directory, written) in [(project.to_owned(), "one"), (links.dir.join("in/src"), "src/two")] {
        let name = written.trim_start_matches("src/");
        let steps = json!([{"write": {"path": name, "text": "x"}}]);
        let answer =
            world.server().call("codex_agent", and(world.fake(steps), json!({"workingDirectory": directory})), |_| {});
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
        assert!(project.join(written).exists(), "the agent did not work in {}", directory.display());
    }
}

#[test]
fn a_link_changed_after_submit_starts_no_agent() {
    let outside = connector_testing::GitProject::new();
    let world = World::with_fake_agent();
    let links = SymlinkPair::of(&world, outside.path());
    let steps = r#"FAKE[{"write": {"path": "was-here", "text": "x"}}]"#;
    let mut spec = spec(&world, "0123abcd", steps, "continue");
    spec["request"]["working_directory"] = json!(links.dir.join("in"));
    let origin = json!({"key": "ceiling.roots", "place": "config.toml"});
    spec["ceiling"] = json!({"roots": [world.project.path()], "origins": {"roots": origin}});
    fs::remove_file(links.dir.join("in")).expect("it is ours");
    symlink(outside.path(), links.dir.join("in")).expect("the home is writable");

    supervise(&world, "0123abcd", &format!("{spec}\n"));
    let record = world.record("0123abcd");
    assert_eq!((&record["status"], &record["pid"]), (&json!("failed"), &Value::Null));
    assert_eq!(record["failureReason"], "Process error: EACCES (spawn failed)");
    let said = record["agentSaid"].as_str().unwrap_or_default();
    let leads = format!("links/in, which is {}, is outside the allowed directories", outside.path().display());
    assert!(said.contains(&leads) && said.contains("(`ceiling.roots`, from config.toml)"), "{said}");
    assert!(record["advice"].as_str().is_some_and(|advice| advice.contains("`ceiling.roots`")), "{record}");
    assert!(outside.read("was-here").is_none(), "the agent was started");
}

#[test]
fn each_rule_is_checked_again_when_the_agent_starts() {
    let world = World::with_fake_agent();
    for (at, (id, rule)) in [
        ("0123abc0", json!({"sandbox": "read-only"})),
        ("0123abc1", json!({"timeout": 1_000})),
        ("0123abc2", json!({"models": ["gpt-*"]})),
    ]
    .into_iter()
    .enumerate()
    {
        let mut spec = spec(&world, id, "FAKE[]", "continue");
        spec["request"]["sandbox"] = json!("workspace-write");
        spec["request"]["model"] = json!("o3");
        spec["ceiling"] = rule;
        supervise(&world, id, &format!("{spec}\n"));
        let record = world.record(id);
        assert_eq!(record["failureReason"], "Process error: EACCES (spawn failed)", "rule {at}: {record}");
    }
}

#[test]
fn an_agent_gets_the_directory_that_was_checked() {
    let world = World::with_fake_agent();
    let links = SymlinkPair::of(&world, Path::new("/"));
    let mut spec = spec(&world, "0123abcd", "x", "continue");
    spec["request"]["working_directory"] = json!(links.dir.join("in"));
    let settings = json!({"program": "echo", "args": ["{workdir}"], "sandboxes": {"read-only": []}});
    spec["backend"] = json!({"name": "echo", "kind": "command", "settings": settings});
    spec["ceiling"] = json!({"roots": [links.dir.join("in")]});
    supervise(&world, "0123abcd", &format!("{spec}\n"));
    assert_eq!(world.record("0123abcd")["result"], json!(world.project.path()), "{}", world.record("0123abcd"));
}

#[test]
fn check_lists_limits_only_when_there_are_any() {
    let world = World::with_fake_agent();
    let said = |world: &World| {
        let check = world.command(&["check"]).output().expect("the program runs");
        String::from_utf8_lossy(&check.stdout).into_owned()
    };
    let silent = said(&world);
    for word in ["ceiling", "retention", "limit"] {
        assert!(!silent.contains(word), "{word:?} is in:\n{silent}");
    }
    let world = world.configure(
        "[limits]\nmax_running = 3\n[retention]\nmax_tasks = 500\n\
         [ceiling]\nsandbox = 'workspace-write'\nroots = ['/no/such/root']\ntimeout = '1h'\n",
    );
    let message = said(&world);
    for words in [
        "3 tasks run at once",
        "removes tasks beyond the newest 500 (`retention.max_tasks`)",
        "ceiling codex",
        "sandbox workspace-write (`ceiling.sandbox`, from ",
        "/no/such/root does not exist, so no task can run there",
        "`tasks.default_sandbox` exceeds this limit",
        "`tasks.default_timeout` exceeds this limit",
    ] {
        assert!(message.contains(words), "{words:?} is not in:\n{message}");
    }
}

#[test]
fn the_tools_offer_only_the_values_that_their_ceiling_allows() {
    let world = World::with_fake_agent().configure(
        "[tools]\nextra = ['resume']\nper_backend = true\n\
         [ceiling]\nsandbox = 'workspace-write'\ntimeout = '2h'\n\
         [backends.second]\nkind = 'codex'\n[backends.second.ceiling]\nsandbox = 'read-only'\ntimeout = '1h'\n",
    );
    let listed = world.server().request("tools/list", json!({}));
    let schema = |name: &str| {
        let tools = listed["tools"].as_array().expect("a list");
        tools.iter().find(|tool| tool["name"] == name).expect("the tool is listed")["inputSchema"].clone()
    };
    for (tool, sandboxes, max) in [
        ("codex_agent", &["read-only", "workspace-write"][..], 7_200_000),
        ("codex_resume", &["read-only", "workspace-write"], 7_200_000),
        ("second_agent", &["read-only"], 3_600_000),
    ] {
        let schema = schema(tool);
        let (sandbox, timeout) = (&schema["properties"]["sandbox"], &schema["properties"]["timeoutMs"]);
        assert_eq!((&sandbox["enum"], &timeout["maximum"]), (&json!(sandboxes), &json!(max)), "{tool}");
        assert!(sandbox.get("default").is_none() && timeout.get("default").is_none(), "{schema}");
        let required = schema["required"].as_array().expect("a list");
        // A resumed session has the sandbox of its task.
        assert_eq!(required.contains(&json!("sandbox")), tool != "codex_resume", "{schema}");
        assert!(required.contains(&json!("timeoutMs")), "{schema}");
    }
}

/// A user who pastes it can still make calls without optional parameters.
#[test]
fn a_task_runs_with_the_ceiling_in_the_readme() {
    let readme = include_str!("../../README.md");
    let mut blocks = readme.split("```toml\n").skip(1).filter_map(|rest| Some(rest.split_once("```")?.0));
    let example = blocks.find(|block| block.contains("[ceiling]")).expect("the README has an example");
    let world = World::with_fake_agent();
    let project = format!("{:?}", world.project.path());
    assert!(example.contains("\"~/work\""), "{example}");
    let world = world.configure(&format!("{}\n", example.replace("\"~/work\"", &project)));
    let answer = world.server().call("codex_agent", world.fake(json!([{"say": "done"}])), |_| {});
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}", answer.text);
    assert_eq!(field(&answer.text, "Sandbox"), Some("workspace-write"), "{}", answer.text);
}
