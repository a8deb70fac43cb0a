//! `run`, `resume`, `watch`, `wait` and `cancel`, without a terminal.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Stdio},
};

use connector_testing::{eventually, processes::processes_with_env};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    cli::{Ran, begin, fake, finish, interrupt, pid_of, run, run_with},
    world::{ANSWER_TIMEOUT, World},
};

/// Starts a task that keeps running, and returns its ID.
fn detached(world: &World, steps: Value) -> String {
    let ran = run(world, &["run", "-d", &fake(steps)]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    ran.stdout.trim().to_owned()
}

/// The IDs of all tasks that have a record.
fn ids(world: &World) -> Vec<String> {
    let files = fs::read_dir(world.data_dir().join("logs")).into_iter().flatten().flatten();
    files.filter_map(|file| Some(file.file_name().to_str()?.strip_suffix(".debug.json")?.to_owned())).collect()
}

/// The only task's ID, as soon as its agent has said something.
fn only_busy(world: &World) -> String {
    eventually("a busy agent", ANSWER_TIMEOUT, || {
        ids(world).into_iter().find(|id| world.log(id).contains("MESSAGE: busy"))
    })
}

fn ended(world: &World, id: &str) -> Value {
    eventually("the end of the task", ANSWER_TIMEOUT, || {
        Some(world.record(id)).filter(|record| record["status"] != "running")
    })
}

#[test]
fn run_prints_the_result_on_stdout_and_the_steps_on_stderr() {
    let world = World::with_fake_agent();
    let ran = run(&world, &["run", &fake(json!([{"say": "working\non it"}, {"say": "the answer\u{1b}[1m"}]))]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "the answer\u{1b}[1m\n"), "{}", ran.stderr);
    let id = ids(&world).remove(0);
    let rows: Vec<Vec<&str>> = ran.stderr.lines().map(|line| line.split('\t').collect()).collect();
    assert!(rows.iter().all(|row| row.len() == 4 && row[0] == id), "{}", ran.stderr);
    assert!(rows.iter().any(|row| row[2..] == ["message", "says: working on it"]), "{}", ran.stderr);
    assert_eq!(rows.last().expect("there are rows")[2..], ["ended", "completed"]);
    let record = world.record(&id);
    assert_eq!(record["submitter"], json!({"by": "terminal"}));
    assert_eq!(record["workingDirectory"], json!(world.project.path()));
}

#[test]
fn the_prompt_comes_from_arguments_a_file_or_stdin() {
    let world = World::with_fake_agent();
    let file = world.home().join("task.md");
    fs::write(&file, "from a file\n").expect("the home is writable");
    let file = file.to_str().expect("it is text");
    for (args, stdin, answer) in [
        (&["run", "two", "words"][..], &b""[..], "ok: two words\n"),
        (&["run", "review", "this"], b"a diff", "ok: review this\n\na diff"),
        (&["run", "-", "review", "this"], b"a diff", "ok: review this\n\na diff"),
        (&["run", "-f", file], b"a diff", "ok: from a file\n\na diff"),
        (&["run", "-f", file], b"", "ok: from a file\n"),
        (&["run"], b"from stdin", "ok: from stdin\n"),
        (&["run", "-"], b"with a dash", "ok: with a dash\n"),
        (&["run", "--", "--not-an-option"], b"", "ok: --not-an-option\n"),
    ] {
        let ran = run_with(&world, args, stdin);
        assert_eq!((ran.code, ran.stdout.trim_end()), (Some(0), answer.trim_end()), "{args:?} {}", ran.stderr);
    }
}

#[test]
fn a_prompt_that_is_too_long_is_refused_and_not_read_to_its_end() {
    let world = World::with_fake_agent();
    let file = world.home().join("long.md");
    fs::write(&file, vec![b'x'; 4 << 20]).expect("the home is writable");
    let file = file.to_str().expect("it is text");
    for (args, stdin) in [
        (&["run", "-f", "/dev/zero"][..], &b""[..]),
        (&["run", "-f", file], b"more"),
        (&["run", "-"], &vec![b'x'; (4 << 20) + 1]),
    ] {
        let ran = run_with(&world, args, stdin);
        assert_eq!((ran.code, &*ran.stdout), (Some(2), ""), "{args:?}");
        assert!(ran.stderr.starts_with("the prompt is longer than 4 MiB, "), "{args:?} {}", ran.stderr);
    }
    assert!(ids(&world).is_empty());
}

#[test]
fn a_pipe_in_which_nothing_arrives_is_left_out_with_a_message() {
    let world = World::with_fake_agent();
    let (stdin, _silent) = std::io::pipe().expect("there are descriptors");
    let mut command = world.command(&["run", "two", "words"]);
    let ran: Ran = command.current_dir(world.project.path()).stdin(stdin).output().expect("it runs").into();
    assert_eq!((ran.code, ran.stdout.trim_end()), (Some(0), "ok: two words"), "{}", ran.stderr);
    assert!(ran.stderr.starts_with("stdin is left out of the prompt"), "{}", ran.stderr);
}

#[test]
fn a_task_that_fails_in_a_pipe_says_why() {
    let world = World::with_fake_agent();
    let ran = run(&world, &["run", &fake(json!([{"fail": "no luck"}]))]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let (_, after) = ran.stderr.split_once("\tended\tfailed: Exited with code 1\n").expect("its end has a row");
    assert_eq!(after, "  the agent says: no luck\n");
}

#[test]
fn a_run_that_cannot_begin_says_why_and_starts_nothing() {
    let world = World::with_fake_agent();
    let roots = world.home().canonicalize().expect("it exists");
    let ceiling = format!("[ceiling]\nsandbox = \"workspace-write\"\ntimeout = \"1h\"\nroots = [{roots:?}]\n");
    let world = world.configure(&ceiling);
    let bad = world.home().join("bad.md");
    fs::write(&bad, b"a\xffb").expect("the home is writable");
    let bad = bad.to_str().expect("it is text");
    for (args, code, words) in [
        (&["run"][..], 2, "the prompt is empty\nnext: write the task after the command"),
        (&["run", " ", ""], 2, "the prompt is empty"),
        (&["run", "-f", "no-such-file"], 2, "cannot read the prompt from no-such-file"),
        (&["run", "-f", bad], 2, "is not valid UTF-8\nnext: convert it"),
        (&["run", "-f", bad, "text"], 2, "cannot be used with"),
        (&["run", "-b", "codx", "x"], 5, "did you mean `codex`?"),
        (&["run", "-b", "no name", "x"], 2, "invalid backend name"),
        (&["run", "-C", "nowhere", "x"], 5, "the directory `"),
        (&["run", "--sandbox", "none", "x"], 2, "possible values: read-only"),
        (&["run", "--timeout", "30", "x"], 2, "expected a time such as 90s"),
        (&["run", "x"], 5, "add `--sandbox workspace-write`, or change `ceiling.sandbox`"),
        (&["run", "x"], 5, "no `--sandbox` is given, and the default, "),
        (&["run", "-s", "read-only", "--timeout", "2h", "x"], 5, "`--timeout` 2h 0m exceeds the ceiling, 1h 0m"),
        (&["run", "-s", "read-only", "--timeout", "0s", "x"], 5, "no limit (`--timeout none`) exceeds the ceiling"),
        (&["run", "-s", "read-only", "--timeout", "1h", "-C", "/", "x"], 5, "the directory / is outside the allowed"),
        (&["ls", "--watch"], 2, "so it needs a terminal\nnext: run `codex-connector watch`"),
        (&["resume", "00000000", "x"], 4, "no task has the ID `00000000`"),
    ] {
        let ran = run(&world, args);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(code), ""), "{args:?} {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{args:?} {}", ran.stderr);
    }
    assert_eq!(ids(&world), Vec::<String>::new());
}

#[test]
fn a_failed_task_ends_run_with_1_and_its_reason() {
    let world = World::with_fake_agent();
    let ran = run(&world, &["run", &fake(json!([{"fail": "no luck today"}]))]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("no luck today") && ran.stderr.contains("\tended\tfailed: "), "{}", ran.stderr);
}

#[test]
fn a_detached_task_outlives_its_terminal_whatever_on_server_exit_says() {
    let world = World::with_fake_agent().configure("[tasks]\non_server_exit = \"interrupt\"\n");
    let release = world.home().join("go");
    let id = detached(&world, json!([{"say": "busy"}, {"await_file": release}, {"say": "done"}]));
    assert_eq!(only_busy(&world), id);
    assert_eq!(world.record(&id)["submitter"], json!({"by": "detached"}));
    fs::write(release, "").expect("the home is writable");
    let ran = run(&world, &["wait", &id]);
    assert!(ran.code == Some(0) && ran.stdout.contains("done"), "{}", ran.stdout);
}

#[test]
fn a_foreground_task_ends_with_its_process_as_on_server_exit_says() {
    for (on_server_exit, status) in [("interrupt", "interrupted"), ("continue", "completed")] {
        let world = World::with_fake_agent().configure(&format!("[tasks]\non_server_exit = \"{on_server_exit}\"\n"));
        let release = world.home().join("go");
        let running = begin(&world, &["run", &fake(json!([{"say": "busy"}, {"await_file": release}]))]);
        let id = only_busy(&world);
        kill_process(pid_of(&running), Signal::HUP).expect("it is ours");
        assert_eq!(finish(running).code, None, "a signal ended it");
        if status == "interrupted" {
            ended(&world, &id);
        }
        fs::write(release, "").expect("the home is writable");
        assert_eq!(ended(&world, &id)["status"], status);
    }
}

#[test]
fn ctrl_c_cancels_and_a_second_one_does_not_wait() {
    let world = World::with_fake_agent().configure("[stopping]\ninterrupt_grace = \"8s\"\n");
    let mut running = begin(&world, &["run", &fake(json!([{"ignore": ["INT"]}, {"say": "busy"}, {"hang": true}]))]);
    let id = only_busy(&world);
    interrupt(&running);
    // As soon as it has said that it cancels the task, whether or not the supervisor knows yet.
    let mut stderr = BufReader::new(running.stderr.take().expect("it is piped"));
    let cancelling = format!("Cancelling task {id}. Press Ctrl-C again to leave at once.\n");
    let mut line = String::new();
    while line != cancelling {
        line.clear();
        assert!(stderr.read_line(&mut line).expect("it is text") > 0, "it ended");
    }
    interrupt(&running);
    let ran = finish(running);
    assert_eq!(ran.code, Some(130), "{}", ran.stderr);
    assert_eq!(world.record(&id)["status"], "running", "it waited for the end");
    assert_eq!(ended(&world, &id)["failureReason"], "Cancelled by user");
    eventually("the end of the agent", ANSWER_TIMEOUT, || {
        processes_with_env("CONNECTOR_TASK_IDS", &id).is_empty().then_some(())
    });
}

#[test]
fn a_task_is_cancelled_if_its_program_exits_right_after_the_request() {
    let world = World::with_fake_agent();
    let mut running = begin(&world, &["run", &fake(json!([{"say": "busy"}, {"hang": true}]))]);
    let id = only_busy(&world);
    // The supervisor looks for requests once a second, and when its lifeline is closed.
    fs::write(world.data_dir().join("run").join(&id).join("cancel"), "").expect("the task is running");
    running.kill().expect("it is ours");
    running.wait().expect("it ends");
    assert_eq!(ended(&world, &id)["failureReason"], "Cancelled by user");
}

#[test]
fn a_closed_pipe_ends_run_quietly() {
    let world = World::with_fake_agent();
    let mut running = begin(
        &world,
        &["run", "--json", &fake(json!([{"say": "busy"}, {"sleep": 1}, {"say": "more"}, {"hang": true}]))],
    );
    drop(running.stdout.take());
    let ran = finish(running);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    eventually("the end of the task", ANSWER_TIMEOUT, || {
        let id = ids(&world).pop()?;
        (world.record(&id)["status"] != "running").then_some(())
    });
}

#[test]
fn resume_goes_on_in_the_earlier_session_directory_and_sandbox() {
    let sessions = tempfile::tempdir().expect("a temporary directory can be made");
    let world = World::with_fake_agent();
    let world = world.variable("FAKE_AGENT_SESSIONS", sessions.path().to_str().expect("it is text"));
    let first = run(&world, &["run", "--sandbox", "read-only", "Reply with exactly this word: `pear`"]);
    assert_eq!((first.code, first.stdout.as_str()), (Some(0), "pear\n"), "{}", first.stderr);
    let earlier = ids(&world).remove(0);
    let again = "Reply with exactly the word you replied with before.";
    // From another directory, the task is found by its prefix.
    let mut command = world.command(&["resume", &earlier[..6], again]);
    let ran: Ran = command.current_dir(world.home()).stdin(Stdio::null()).output().expect("it runs").into();
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), "pear\n"), "{}", ran.stderr);
    let id = ids(&world).into_iter().find(|id| *id != earlier).expect("there is a second task");
    let record = world.record(&id);
    assert_eq!((&record["sandbox"], &record["resumedFrom"]), (&json!("read-only"), &json!(earlier)));
    assert_eq!(record["workingDirectory"], json!(world.project.path()));
    let wider = run(&world, &["resume", "@1", "--sandbox", "workspace-write", again]);
    assert_eq!(wider.code, Some(0), "{}", wider.stderr);
    let wider =
        ids(&world).into_iter().map(|id| world.record(&id)).filter(|record| record["sandbox"] == "workspace-write");
    assert_eq!(wider.count(), 1);
}

#[test]
fn wait_takes_prefixes_and_rows_and_by_default_the_newest_unfinished_task() {
    let world = World::with_fake_agent();
    let release = world.home().join("go");
    let old = detached(&world, json!([{"await_file": world.home().join("never")}, {"say": "old"}]));
    let new = detached(&world, json!([{"await_file": release}, {"say": "new"}]));
    let ran = run(&world, &["wait", "--timeout", "1ms"]);
    assert_eq!(ran.stdout, format!("Timed out. Still running: {new}.\n"));
    assert_eq!(ran.code, Some(124));
    let all = run(&world, &["wait", "--all", "--timeout", "1ms"]);
    assert!(all.stdout.contains(&old) && all.stdout.contains(&new), "{}", all.stdout);
    fs::write(release, "").expect("the home is writable");
    for args in [&["wait", &new[..7]][..], &["wait", "@1"], &["wait", "--any", "@1", "@2"]] {
        let ran = run(&world, args);
        assert!(ran.code == Some(0) && ran.stdout.contains("new") && ran.stderr.is_empty(), "{args:?} {}", ran.stderr);
    }
    let unknown = run(&world, &["wait", "@3"]);
    assert!(unknown.code == Some(4) && unknown.stderr.contains("there are only 2 tasks here"), "{}", unknown.stderr);
    assert_eq!(run(&world, &["cancel", &old]).code, Some(0));
    let nothing = run(&world, &["wait"]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), "No unfinished tasks here.\n"));
}

#[test]
fn cancel_waits_for_the_end_and_an_ended_task_is_no_error() {
    let world = World::with_fake_agent();
    let [first, second, third] = [(); 3].map(|()| detached(&world, json!([{"say": "busy"}, {"hang": true}])));
    let ran = run(&world, &["cancel", &first, "@1"]);
    let expected = format!("{first}\tended\tcancelled\n{third}\tended\tcancelled\n");
    assert_eq!((ran.code, ran.stdout), (Some(0), expected), "{}", ran.stderr);
    assert_eq!(world.record(&first)["failureReason"], "Cancelled by user");
    let again = run(&world, &["cancel", &first]);
    assert_eq!((again.code, again.stdout), (Some(0), format!("{first}\tended\tcancelled\n")));
    let all = run(&world, &["cancel", "--all-here"]);
    assert_eq!((all.code, all.stdout), (Some(0), format!("{second}\tended\tcancelled\n")));
    let none = run(&world, &["cancel", "--all-here"]);
    assert_eq!((none.code, none.stderr.as_str()), (Some(0), "No unfinished tasks here.\n"));
    assert_eq!(run(&world, &["cancel", "00000000"]).code, Some(4));
    assert_eq!(run(&world, &["cancel"]).code, Some(2));
}

#[test]
fn watch_prints_one_line_per_step_in_a_pipe_and_ctrl_c_only_stops_it() {
    let world = World::with_fake_agent();
    let release = world.home().join("go");
    let id = detached(&world, json!([{"say": "busy"}, {"await_file": release}, {"fail": "no luck"}]));
    let watching = begin(&world, &["watch"]);
    only_busy(&world);
    interrupt_once_it_prints(watching, |ran| {
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        assert!(ran.stdout.contains(&format!("{id}\t")), "{}", ran.stdout);
    });
    assert_eq!(world.record(&id)["status"], "running");
    fs::write(release, "").expect("the home is writable");
    let ran = run(&world, &["watch", &id]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(ran.stdout.lines().all(|line| line.split('\t').count() == 4), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("\tmessage\tsays: busy\n") && ran.stdout.contains("\tended\tfailed: "),
        "{}",
        ran.stdout
    );
    let nothing = run(&world, &["watch", "-a"]);
    assert_eq!((nothing.code, nothing.stderr.as_str()), (Some(0), "No unfinished tasks.\n"));
}

/// Sends Ctrl-C as soon as the program has printed something.
fn interrupt_once_it_prints(mut child: Child, check: impl FnOnce(Ran)) {
    use std::io::{BufRead, BufReader, Read};
    let mut stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
    let mut text = String::new();
    stdout.read_line(&mut text).expect("stdout is readable");
    interrupt(&child);
    stdout.read_to_string(&mut text).expect("stdout is readable");
    let mut ran = finish(child);
    ran.stdout = text;
    check(ran);
}

#[test]
fn the_words_of_other_programs_lead_to_ours() {
    let world = World::with_fake_agent();
    for (word, verb) in [("stop", "cancel"), ("delegate", "run"), ("retry", "resume"), ("cancle", "cancel")] {
        let ran = run(&world, &[word, "1a2b"]);
        assert_eq!(ran.code, Some(2));
        let expected = format!("unknown command `{word}`\nnext: did you mean `codex-connector {verb}`?");
        assert!(ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
    for word in ["list", "get", "path"] {
        let ran = run(&world, &["config", word]);
        let expected = format!("unknown command `config {word}`\nnext: did you mean `codex-connector config show`?");
        assert!(ran.code == Some(2) && ran.stderr.starts_with(&expected), "{}", ran.stderr);
    }
    let background = run(&world, &["run", "--background", "x"]);
    assert_eq!(
        (background.code, background.stderr.trim_end()),
        (Some(2), "unknown option `--background`\nnext: use `--detach`")
    );
    let hostile = run(&world, &["\u{1b}[2Jx"]);
    assert_eq!((hostile.code, hostile.stderr.contains('\u{1b}')), (Some(2), false), "{}", hostile.stderr);
    assert!(run(&world, &["help"]).stdout.contains("  cancel "));
    assert!(run(&world, &["help", "run"]).stdout.contains("codex-connector run fix"));
    assert!(run(&world, &["version"]).stdout.starts_with("codex-connector 2."));
}

#[test]
fn the_help_of_resume_names_its_own_default_sandbox() {
    let world = World::with_fake_agent();
    for (verb, default, other) in
        [("run", "the configured one", "earlier"), ("resume", "that of the earlier task", "configured one")]
    {
        let help = run(&world, &[verb, "-h"]).stdout;
        let line = help.lines().find(|line| line.contains("--sandbox <")).expect("the option has a line").to_owned();
        assert!(line.contains(&format!("(default: {default})")) && !line.contains(other), "{help}");
    }
}

#[test]
fn ls_and_usage_understand_the_same_times() {
    let world = World::with_fake_agent();
    for (time, code) in
        [("90s", 0), ("12h", 0), ("30d", 0), ("2026-01-02T03:04:05Z", 0), ("yesterday", 2), ("2026-01-02", 2)]
    {
        for verb in ["ls", "usage"] {
            let ran = run(&world, &[verb, "--since", time]);
            assert_eq!(ran.code, Some(code), "{verb} {time}: {}", ran.stderr);
        }
    }
}
