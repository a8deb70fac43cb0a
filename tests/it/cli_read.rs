//! The verbs that read tasks and settings, and those that remove tasks: `show`, `logs`, `usage`, `config show`, `rm` and
//! `prune`.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Output, Stdio},
};

use connector_testing::{McpServer, eventually};
use regex::Regex;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, start, task_id, wait_for_log};

/// The output of a verb in the project's directory.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: Option<i32>,
}

pub(crate) fn run(world: &World, args: &[&str]) -> Ran {
    let mut command = world.command(args);
    let Output { stdout, stderr, status } =
        command.current_dir(world.project.path()).stdin(Stdio::null()).output().expect("the program starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the output is UTF-8");
    Ran { stdout: text(stdout), stderr: text(stderr), code: status.code() }
}

/// The output of a verb that must succeed.
pub(crate) fn printed(world: &World, args: &[&str]) -> String {
    let ran = run(world, args);
    assert_eq!((ran.code, &*ran.stderr), (Some(0), ""), "{args:?} printed {}", ran.stdout);
    ran.stdout
}

/// Runs a task to its end, and returns its ID once its files are complete.
pub(crate) fn ended(world: &World, server: &mut McpServer, steps: Value) -> String {
    let id = task_id(&server.call("codex_agent", world.fake(steps), |_| {}));
    eventually("the end of the run directory", ANSWER_TIMEOUT, || {
        (!world.data_dir().join("run").join(&id).exists()).then_some(())
    });
    id
}

fn validator(world: &World) -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&printed(world, &["schema", "--output"])).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is valid")
}

/// Compares JSON output with a golden file, in which everything that differs between runs has a placeholder. Validates
/// it against the schema too. With `UPDATE_GOLDEN=1`, writes the file.
pub(crate) fn assert_golden(world: &World, name: &str, output: &str, id: &str) {
    let validator = validator(world);
    let objects: Vec<Value> =
        serde_json::Deserializer::from_str(output).into_iter().collect::<Result<_, _>>().expect("the output is JSON");
    assert!(!objects.is_empty(), "{name} printed nothing");
    for object in &objects {
        let errors: Vec<_> = validator.iter_errors(object).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{name}: {errors:?} in {object:#}");
    }
    let replaced = [
        (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "<time>"),
        (r#""\d{4}-\d\d-\d\d""#, "\"<day>\""),
        (r#""durationMs": \d+"#, "\"durationMs\": 0"),
        (r"tests/tmp/[^/]+|connector-[A-Za-z0-9]{6}", "<home>"),
        (r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "<session>"),
        (r"\u{202e}", "<right-to-left override>"),
        // The name of a commit depends on its time.
        (r#""[0-9a-f]{40}""#, "\"<commit>\""),
    ];
    let mut text = objects.iter().map(|object| format!("{object:#}\n")).collect::<String>().replace(id, "<id>");
    for directory in [world.project.path().to_path_buf(), world.home().to_path_buf()] {
        let real = directory.canonicalize().expect("it exists");
        for path in [directory, real] {
            text = text.replace(&*path.to_string_lossy(), "<dir>");
        }
    }
    text = text.replace(env!("CARGO_BIN_EXE_fake-agent"), "<agent>");
    for (pattern, placeholder) in replaced {
        text = Regex::new(pattern).expect("a valid pattern").replace_all(&text, placeholder).into_owned();
    }
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/it/fixtures/cli/{name}.json"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, &text).expect("the source directory is writable");
    }
    assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{name} differs from {}", file.display());
}

#[test]
fn show_prints_everything_and_the_exact_result() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let said = "first line\n\n  indented \u{1b}[31m red\u{202e}";
    let id = ended(&world, &mut server, json!([{"say": said}]));
    let text = printed(&world, &["show", &id[..4]]);
    for row in [format!("id\t{id}"), "outcome\tcompleted".into(), "agent\tcodex".into(), "result\tfirst line".into()] {
        assert!(text.lines().any(|line| line == row), "no {row:?} in {text}");
    }
    assert!(text.contains("result\t  indented \\x1b[31m red\\u{202e}"), "{text}");
    let result = fs::read_to_string(world.log_file(&id, "result")).expect("there is a result");
    assert_eq!(printed(&world, &["show", "@1", "--result"]), result);
    assert!(result.contains("\u{1b}[31m"), "{result:?}");
    assert_golden(&world, "show", &printed(&world, &["show", &id, "--json"]), &id);

    let failed = ended(&world, &mut server, json!([{"exit": 3}]));
    let text = printed(&world, &["show", &failed]);
    assert!(text.contains("outcome\tfailed\n") && text.contains("\nlog\t") && text.contains("exit\tcode 3"), "{text}");
    let none = run(&world, &["show", "--result", &failed]);
    assert_eq!((none.code, &*none.stdout), (Some(1), ""));
    assert!(none.stderr.contains("has no final message\nnext: run `codex-connector logs"), "{}", none.stderr);
}

#[test]
fn words_that_name_no_task_exit_with_4_and_say_what_to_do() {
    let world = World::with_fake_agent();
    for (word, problem) in [
        ("0a1b2c3d", "no task has the ID `0a1b2c3d`\nnext: run `codex-connector ls --all`"),
        ("0a", "no task ID begins with `0a`\nnext: "),
        ("0", "the task ID `0` is too short\nnext: "),
        ("@1", "no task `@1`: there are no tasks here\nnext: add `--all`"),
        ("../x", "not a task: `../x`\nnext: "),
    ] {
        for verb in [&["show"][..], &["logs"], &["logs", "-f"], &["logs", "--events", "--json"], &["rm"]] {
            let ran = run(&world, &[verb, &[word]].concat());
            assert_eq!((ran.code, &*ran.stdout), (Some(4), ""), "{verb:?} {word}");
            assert!(ran.stderr.starts_with(problem), "{}", ran.stderr);
        }
    }
    let everywhere = run(&world, &["show", "--all", "@1"]);
    assert!(everywhere.stderr.contains("there are no tasks\nnext: start one"), "{}", everywhere.stderr);
}

#[test]
fn logs_prints_the_log_and_the_timeline() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"command": {"cmd": "ls", "output": "x\n"}}, {"say": "done"}]));
    let log = world.log(&id);
    assert_eq!(printed(&world, &["logs", &id]), log);
    assert_eq!(printed(&world, &["logs", &id, "--raw"]), log);
    let last: Vec<_> = log.lines().rev().take(3).collect();
    assert_eq!(printed(&world, &["logs", &id, "-n", "3"]).lines().rev().collect::<Vec<_>>(), last);
    assert_eq!(printed(&world, &["logs", &id, "--since", "1h"]), log);
    assert_eq!(printed(&world, &["logs", &id, "--since", "2999-01-01T00:00:00Z"]), "");
    assert_eq!(printed(&world, &["logs", "-f", &id, "-n", "1000"]), log);
    let lines = printed(&world, &["logs", &id, "--json", "-n", "1"]);
    assert_eq!(serde_json::from_str::<Value>(&lines).expect("one object")["type"], "log_line");
    let events = printed(&world, &["logs", &id, "--events"]);
    assert!(events.contains("\tcommand_started\tls\n") && events.contains("\tmessage\tdone\n"), "{events}");
    assert_eq!(
        printed(&world, &["logs", &id, "--events", "-n", "1"]),
        events.split_inclusive('\n').next_back().expect("an entry")
    );
    assert_golden(&world, "logs-events", &printed(&world, &["logs", &id, "--events", "--json"]), &id);
    assert_golden(&world, "logs", &printed(&world, &["logs", &id, "--json", "-n", "1"]), &id);
    let usage = run(&world, &["logs", &id, "--since", "yesterday"]);
    assert!(usage.code == Some(2) && usage.stderr.contains("expected a period such as 90s"), "{}", usage.stderr);
}

#[test]
fn a_followed_log_ends_with_the_task_and_ctrl_c_only_stops_the_output() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let go = world.home().join("go");
    let id = start(&mut server, world.fake(json!([{"say": "one"}, {"await_file": go}, {"say": "two"}])));
    wait_for_log(&world, &id, "one");
    let follow = |args: &[&str]| {
        let mut command = world.command(&[&["logs", "-f", &id], args].concat());
        command.current_dir(world.project.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the program starts")
    };
    let mut stopped = follow(&[]);
    let mut first = String::new();
    BufReader::new(stopped.stdout.as_mut().expect("it is piped")).read_line(&mut first).expect("there is a line");
    kill_process(Pid::from_child(&stopped), Signal::INT).expect("it runs");
    assert_eq!(stopped.wait().expect("it ends").code(), Some(0));
    // A reader that has seen enough.
    let mut unread = follow(&["-n", "1"]);
    drop(unread.stdout.take());

    let mut all = follow(&["-n", "1000"]);
    let mut events = follow(&["--events"]);
    fs::write(&go, "").expect("the home is writable");
    for (child, words) in [(&mut all, "two"), (&mut events, "\tmessage\ttwo\n")] {
        let mut text = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut text).expect("it is text");
        assert!(text.contains(words), "{text}");
        assert_eq!(child.wait().expect("it ends").code(), Some(0));
    }
    assert_eq!(unread.wait().expect("it ends").code(), Some(0));
    assert!(printed(&world, &["show", &id]).contains("outcome\tcompleted\n"), "the task was not stopped");
}

#[test]
fn usage_adds_up_the_tokens_of_this_repository_or_of_all() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"say": "x"}]));
    let record = world.record(&id);
    let tokens = record["usage"]["inputTokens"].as_u64().expect("the fake agent reports tokens");
    let text = printed(&world, &["usage", "--by", "backend"]);
    let cells: Vec<_> = text.trim_end().split('\t').collect();
    assert_eq!((cells[0], cells[1], cells[2]), ("codex", "1", &*tokens.to_string()), "{text}");
    assert_golden(&world, "usage", &printed(&world, &["usage", "--json"]), &id);
    for by in ["day", "model", "repo"] {
        assert_eq!(printed(&world, &["usage", "--by", by]).lines().count(), 1, "{by}");
    }
    // Without the index, the records tell the same.
    fs::remove_file(world.data_dir().join("index.sqlite")).expect("it exists");
    assert_eq!(printed(&world, &["usage", "--by", "backend"]), text);

    let elsewhere = |args: &[&str]| world.command(args).current_dir("/").output().expect("the program starts").stdout;
    assert_eq!(elsewhere(&["usage"]), b"");
    assert_eq!(elsewhere(&["usage", "--all", "--by", "backend"]), text.as_bytes());
}

#[test]
fn removed_tasks_are_gone_and_running_ones_are_kept() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let running = start(&mut server, world.fake(json!([{"say": "working"}, {"hang": true}])));
    wait_for_log(&world, &running, "working");
    let ids: Vec<_> = ["one", "two", "three"].map(|say| ended(&world, &mut server, json!([{"say": say}]))).into();
    let refused = run(&world, &["rm", &ids[0], &running]);
    assert_eq!((refused.code, &*refused.stdout), (Some(5), ""));
    assert!(
        refused.stderr.contains(&format!("cancel it first: `codex-connector cancel {running}`")),
        "{}",
        refused.stderr
    );
    assert!(world.log_file(&ids[0], "log").exists(), "none is removed if one cannot be");

    assert_eq!(printed(&world, &["rm", &ids[0][..5], &ids[0]]), format!("{}\n", ids[0]));
    for file in ["log", "result", "debug.json", "timeline.jsonl"] {
        assert!(!world.log_file(&ids[0], file).exists(), "{file}");
    }
    let gone = run(&world, &["show", &ids[0]]);
    assert!(gone.code == Some(4) && gone.stderr.contains("may have been removed"), "{}", gone.stderr);
    assert!(!printed(&world, &["ls"]).contains(&ids[0]));

    let listed = printed(&world, &["prune", "--keep", "1", "--dry-run"]);
    assert!(listed.contains(&ids[1]) && !listed.contains(&ids[2]) && !listed.contains(&running), "{listed}");
    let unconfirmed = run(&world, &["prune", "--keep", "1"]);
    assert!(unconfirmed.code == Some(2) && unconfirmed.stderr.contains("add `--yes`"), "{}", unconfirmed.stderr);
    assert_eq!(printed(&world, &["prune", "--older-than", "1h", "--yes"]), "");
    let before_all_times = run(&world, &["prune", "--older-than", "999999y", "--yes"]);
    assert_eq!((before_all_times.code, &*before_all_times.stdout), (Some(2), ""));
    assert_eq!(run(&world, &["prune", "--yes"]).code, Some(2), "prune needs a rule");
    assert_golden(&world, "prune", &printed(&world, &["prune", "--keep", "1", "--yes", "--json"]), &ids[1]);
    assert!(!world.log_file(&ids[1], "debug.json").exists() && world.log_file(&ids[2], "debug.json").exists());
}

#[test]
fn a_removal_while_the_lists_are_locked_is_an_error_and_finished_later() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let ids: Vec<_> = ["one", "two"].map(|say| ended(&world, &mut server, json!([{"say": say}]))).into();
    for (id, finish) in [(&ids[0], &["rm", &ids[0]][..]), (&ids[1], &["prune", "--keep", "9", "--yes"])] {
        let lock = std::fs::File::open(world.data_dir().join("tasks.lock")).expect("there is a lock");
        lock.lock().expect("nobody else holds it");
        for _ in 0..2 {
            let kept = run(&world, &["rm", id, "--yes"]);
            assert_eq!((kept.code, &*kept.stdout), (Some(1), ""), "{}", kept.stderr);
            let next = format!("codex-connector rm {id}` again");
            assert!(kept.stderr.contains("is still listed") && kept.stderr.contains(&next), "{}", kept.stderr);
        }
        drop(lock);
        let finished = run(&world, finish);
        assert_eq!(finished.code, Some(0), "{}", finished.stderr);
        assert_eq!(finished.stdout.contains(id), finish[0] == "rm", "{}", finished.stdout);
        assert!(!world.data_dir().join("run").join(id).exists() && !printed(&world, &["ls"]).contains(id));
    }
}

#[test]
fn config_show_names_every_source_and_no_secret() {
    let secret = "sk-this-is-a-secret-0123456789";
    let toml = format!("[tasks]\nheartbeat_interval = \"10s\"\n\n[agent_env]\nset = {{ TOKEN = \"{secret}\" }}\n");
    let world = World::with_fake_agent().configure(&toml);
    let world = world.variable("CODEX_CONNECTOR_LIMITS__MAX_RUNNING", "3");
    let args = ["config", "show", "--set", "tasks.keep_events=true"];
    let text = printed(&world, &args);
    let row = |key: &str| text.lines().find_map(|line| line.strip_prefix(&format!("{key}\t"))).map(str::to_owned);
    let file = world.data_dir().join("config.toml");
    assert_eq!(row("tasks.heartbeat_interval"), Some(format!("\"10s\"\t{}", file.display())));
    assert_eq!(row("limits.max_running").as_deref(), Some("3\tCODEX_CONNECTOR_LIMITS__MAX_RUNNING"));
    assert_eq!(row("tasks.keep_events").as_deref(), Some("true\t--set"));
    assert_eq!(row("tasks.default_backend").as_deref(), Some("\"codex\"\tdefault"));
    assert_eq!(row("agent_env.set.TOKEN"), Some(format!("(hidden)\t{}", file.display())));
    assert_eq!(row("log_dir"), Some(format!("\"{}\"\tdefault", world.data_dir().join("logs").display())));
    let json = printed(&world, &["config", "show", "--json"]);
    assert!(!text.contains(secret) && !json.contains(secret), "{text}{json}");
    assert_golden(&world, "config-show", &json, "no ID");

    let world = world.configure("log_level = \"loud\"\n");
    let broken = run(&world, &["config", "show"]);
    assert_eq!(broken.code, Some(2));
    assert!(broken.stderr.contains("log_level") && broken.stderr.contains("next: "), "{}", broken.stderr);
    assert!(broken.stdout.contains("tasks.heartbeat_interval\t\"10s\"\t"), "{}", broken.stdout);
    let json: Value = serde_json::from_str(&run(&world, &["config", "show", "--json"]).stdout).expect("one object");
    assert_eq!(json["problems"].as_array().map(Vec::len), Some(1), "{json}");
}

#[test]
fn manual_pages_are_written_for_every_verb() {
    let world = World::with_fake_agent();
    let pages = world.home().join("man/man1");
    printed(&world, &["man", &pages.to_string_lossy()]);
    for verb in ["", "-show", "-logs", "-config-show", "-completions"] {
        let page = fs::read_to_string(pages.join(format!("codex-connector{verb}.1"))).expect("the page exists");
        assert!(page.contains(".SH NAME") && page.contains("codex"), "{page}");
    }
    assert!(!pages.join("codex-connector-supervise.1").exists(), "an internal verb");
    let refused = run(&world, &["man", "/dev/null/man"]);
    assert!(refused.code == Some(1) && refused.stderr.contains("next: name a directory"), "{}", refused.stderr);
}

#[test]
fn every_verb_has_an_example_in_its_help() {
    let world = World::with_fake_agent();
    for verb in [&["show"][..], &["logs"], &["usage"], &["config", "show"], &["rm"], &["prune"], &["man"]] {
        let help = printed(&world, &[verb, &["--help"]].concat());
        assert!(help.contains("Examples:\n  codex-connector"), "{help}");
    }
}

#[test]
fn completions_offer_tasks_with_their_texts_and_are_silent_on_errors() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"say": "x"}]));
    let complete = |world: &World, shell: &str, words: &[&str]| {
        let mut command = world.command(&[&["--", "codex-connector"], words].concat());
        command.env("CODEX_CONNECTOR_COMPLETE", shell).env("_CODEX_CONNECTOR_INDEX", words.len().to_string());
        command.env("_CLAP_COMPLETE_INDEX", words.len().to_string()).env("_CODEX_CONNECTOR_KIND", "9");
        command.current_dir(world.project.path());
        let output = command.output().expect("the program starts");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
        String::from_utf8(output.stdout).expect("it is text")
    };
    assert!(complete(&world, "fish", &["show", ""]).starts_with(&format!("{id}\tcompleted: FAKE")));
    assert!(complete(&world, "zsh", &["logs", "-f", &id[..1]]).starts_with(&format!("{id}:completed: FAKE")));
    assert_eq!(complete(&world, "bash", &["rm", &id[..2]]), id);
    assert!(complete(&world, "bash", &["rm", ""]).contains(&id));
    assert_eq!(complete(&world, "fish", &["rm", "zz"]), "");
    assert!(complete(&world, "fish", &["ls", "--state", "ru"]).starts_with("running"));
    assert!(complete(&world, "fish", &["ls", "--backend", ""]).lines().any(|line| line.starts_with("codex")));
    assert!(complete(&world, "fish", &["sh"]).starts_with("show\tShow everything about a task"));
    let elsewhere = world.home().join("other");
    let data_dir = elsewhere.to_string_lossy();
    assert!(!complete(&world, "fish", &["--data-dir", &data_dir, "show", ""]).contains(&id));
    assert!(!elsewhere.exists(), "completing creates nothing");
    let world = world.configure("broken = \n");
    assert!(complete(&world, "fish", &["show", ""]).starts_with(&id), "an invalid configuration has directories too");
}

#[test]
fn nothing_is_removed_or_cancelled_without_a_current_directory_or_with_an_invalid_configuration() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let id = ended(&world, &mut server, json!([{"say": "kept"}]));
    let gone = world.home().join("gone");
    for args in [&["prune", "--keep", "0", "--yes"][..], &["cancel", "--all-here"], &["ls"], &["usage"]] {
        fs::create_dir(&gone).expect("the home is writable");
        let shell = world.command(&[]);
        let program = shell.get_program().to_owned();
        let mut in_gone = std::process::Command::new("sh");
        in_gone.args(["-c", "cd \"$0\" && rmdir \"$0\" && exec \"$@\""]).arg(&gone).arg(program).args(args);
        in_gone.env_clear().env("HOME", world.home()).env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let output = in_gone.stdin(Stdio::null()).output().expect("sh is installed");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0), "{args:?} {said}");
        assert!(said.starts_with("the current directory does not exist\nnext: "), "{args:?} {said}");
    }
    let file = world.data_dir().join("config.toml");
    let valid = fs::read_to_string(&file).unwrap_or_default();
    fs::write(&file, format!("{valid}\n[tasks")).expect("the file is writable");
    for args in [&["prune", "--keep", "0", "-a", "--yes"][..], &["rm", &id, "--yes"]] {
        assert_eq!(run(&world, args).code, Some(2), "{args:?}");
    }
    fs::write(&file, valid).expect("the file is writable");
    assert!(printed(&world, &["show", &id]).contains("kept"));
}
