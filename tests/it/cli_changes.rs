//! The verbs about a task's changes: `diff`, `undo`, `redo` and `apply`.

use std::{
    ffi::OsStr,
    fs,
    io::Write,
    os::unix::ffi::OsStrExt,
    process::{Command, Stdio},
};

use connector_testing::{McpServer, eventually};
use serde_json::{Value, json};

use crate::{
    cli_read::{assert_golden, printed, run},
    tmux::Terminal,
    world::{ANSWER_TIMEOUT, World, and, start, task_id, wait_for_log},
};

/// A project with two committed files and an uncommitted one.
pub(crate) fn world() -> World {
    let world = World::with_fake_agent();
    world.project.write("a.txt", "one\ntwo\nthree\nfour\nfive\nsix\n");
    world.project.git(&["add", "a.txt"]);
    world.project.git(&[
        "-c",
        "user.name=Test",
        "-c",
        "user.email=test@example.com",
        "commit",
        "--quiet",
        "-m",
        "second",
    ]);
    world.project.write("mine.txt", "not committed\n");
    world
}

/// Runs a task to its end, and returns its ID once its files are complete.
fn ended(world: &World, server: &mut McpServer, arguments: Value) -> String {
    let id = task_id(&server.call("codex_agent", arguments, |_| {}));
    eventually("the end of the run directory", ANSWER_TIMEOUT, || {
        (!world.data_dir().join("run").join(&id).exists()).then_some(())
    });
    id
}

/// A task whose agent changes `a.txt`, names `new.txt`, and changes `made.txt` without naming it.
pub(crate) fn edited(world: &World) -> String {
    let steps = json!([
        {"write": {"path": "a.txt", "text": "ONE\ntwo\nthree\nfour\nfive\nsix\n"}},
        {"write": {"path": "new.txt", "text": "new\n"}},
        {"run": "echo generated >made.txt"},
        {"say": "done"},
    ]);
    ended(world, &mut world.server(), world.fake(steps))
}

/// Everything of the user's repository that must never change.
fn repository(world: &World) -> (Vec<u8>, String, Vec<u8>) {
    let git = world.project.path().join(".git");
    let read = |name: &str| fs::read(git.join(name)).expect("it exists");
    let refs = world.project.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]);
    (read("index"), refs, [read("HEAD"), read("config")].concat())
}

#[test]
fn a_patch_in_a_pipe_is_accepted_by_git_and_the_lists_have_columns() {
    let world = world();
    let id = edited(&world);
    let patch = printed(&world, &["diff", &id]);
    assert!(patch.contains("\n-one\n+ONE\n") && patch.contains("b/made.txt") && !patch.contains("mine.txt"), "{patch}");
    let mut apply = Command::new("git");
    apply.args(["apply", "--reverse"]).current_dir(world.project.path()).stdin(Stdio::piped());
    let mut apply = apply.spawn().expect("git is installed");
    apply.stdin.take().expect("a pipe").write_all(patch.as_bytes()).expect("git reads it");
    assert!(apply.wait().expect("it ends").success());
    assert_eq!((world.project.read("new.txt"), world.project.read("made.txt")), (None, None));
    assert!(world.project.read("a.txt").expect("it exists").starts_with("one\n"));

    let stat = printed(&world, &["diff", "@1", "--stat"]);
    assert_eq!(stat, "modified\t1\t1\ta.txt\t\nadded\t1\t0\tmade.txt\t\nadded\t1\t0\tnew.txt\t\n");
    assert_eq!(printed(&world, &["diff", "@1", "--name-only"]), "a.txt\nmade.txt\nnew.txt\n");
    assert_eq!(printed(&world, &["diff", "@1", "--name-only", "./a.txt", "new.txt"]), "a.txt\nnew.txt\n");
    let unchanged = run(&world, &["diff", "@1", "README.md"]);
    assert_eq!((unchanged.code, &*unchanged.stdout), (Some(2), ""), "like undo");
    assert!(unchanged.stderr.contains("changed no file at `README.md`"), "{}", unchanged.stderr);
    let outside = run(&world, &["diff", "@1", "../x"]);
    assert_eq!((outside.code, &*outside.stdout), (Some(2), ""));
    assert!(outside.stderr.contains("is outside the repository of task"), "{}", outside.stderr);
    assert_golden(&world, "diff", &printed(&world, &["diff", &id, "--json"]), &id);
}

#[test]
fn undo_reverts_what_the_agent_named_and_redo_makes_it_again() {
    let world = world();
    let before = repository(&world);
    let id = edited(&world);
    world.project.write("a.txt", "ONE\ntwo\nthree\nfour\nfive\nSIX\n");
    let checked = printed(&world, &["undo", &id, "--check"]);
    assert_eq!(checked, "would change\ta.txt\nwould change\tnew.txt\nskipped\tmade.txt\n");
    assert!(world.project.read("new.txt").is_some(), "a check writes nothing");

    assert_golden(&world, "undo", &printed(&world, &["undo", &id, "--json"]), &id);
    assert_eq!(
        world.project.read("a.txt").as_deref(),
        Some("one\ntwo\nthree\nfour\nfive\nSIX\n"),
        "later changes are kept"
    );
    assert_eq!((world.project.read("new.txt"), world.project.read("made.txt").as_deref()), (None, Some("generated\n")));
    let partly = run(&world, &["diff", &id, "--name-only"]);
    assert!(partly.stderr.contains("2 of these 3 files were undone"), "{}", partly.stderr);
    let elsewhere = world.home().join("elsewhere");
    world.project.git(&["worktree", "add", "--quiet", "--detach", &elsewhere.to_string_lossy()]);
    let checked = world.command(&["redo", &id, "--check"]).current_dir(&elsewhere).output().expect("it can be started");
    let said = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(said.contains(&format!("the files are in {}, not in", world.project.path().display())), "{said}");
    world.project.git(&["worktree", "remove", &elsewhere.to_string_lossy()]);
    let again = run(&world, &["undo", &id, "a.txt"]);
    assert_eq!(again.code, Some(5), "{}", again.stderr);
    assert!(
        again.stderr.contains("already undone\nnext: to make them again, run `codex-connector redo"),
        "{}",
        again.stderr
    );

    assert_eq!(printed(&world, &["redo", &id]), "changed\ta.txt\nchanged\tnew.txt\n");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("ONE\ntwo\nthree\nfour\nfive\nSIX\n"));
    assert_eq!(printed(&world, &["undo", &id, "--all", "made.txt"]), "changed\tmade.txt\n");
    assert_eq!(world.project.read("made.txt"), None);
    assert_eq!(world.project.read("mine.txt").as_deref(), Some("not committed\n"));
    assert_eq!(repository(&world), before, "index, HEAD, branches and configuration are unchanged");
}

#[test]
fn a_conflict_is_named_before_anything_is_written() {
    let world = world();
    let id = edited(&world);
    world.project.write("a.txt", "mine\ntwo\nthree\nfour\nfive\nsix\n");
    let refused = run(&world, &["undo", &id]);
    assert_eq!((refused.code, &*refused.stdout), (Some(6), ""), "{}", refused.stderr);
    let words = "nothing was written: undo of task ";
    assert!(
        refused.stderr.starts_with(words)
            && refused.stderr.contains(": a.txt (you and the task changed the same lines"),
        "{}",
        refused.stderr
    );
    assert!(
        world.project.read("new.txt").is_some()
            && world.project.read("a.txt").is_some_and(|text| text.starts_with("mine"))
    );
    let refused = run(&world, &["undo", &id, "--json"]);
    assert_eq!(refused.code, Some(6));
    assert_golden(&world, "undo-conflict", &refused.stdout, &id);
    assert_eq!(printed(&world, &["undo", &id, "new.txt"]), "changed\tnew.txt\n", "the other file can be undone");
}

#[test]
fn what_cannot_be_shown_or_undone_is_refused_with_the_reason() {
    let world = world();
    let mut server = world.server();
    let steps = || json!([{"write": {"path": "new.txt", "text": "new\n"}}]);
    let reader = ended(&world, &mut server, and(world.fake(json!([{"say": "x"}])), json!({"sandbox": "read-only"})));
    let unnamed = ended(&world, &mut server, world.fake(json!([{"run": "echo x >made.txt"}])));
    let idle = ended(&world, &mut server, world.fake(json!([{"say": "x"}])));
    let running = start(&mut server, world.fake(json!([{"write": {"path": "b.txt", "text": "b\n"}}, {"hang": true}])));
    wait_for_log(&world, &running, "b.txt");
    let in_place = ended(&world, &mut server, world.fake(steps()));
    for (args, code, words) in [
        (vec!["diff", &reader], 5, "no snapshots of its files were taken"),
        (vec!["undo", &reader], 5, "no snapshots of its files were taken"),
        (vec!["undo", &unnamed], 5, "the agent did not report changing it"),
        (vec!["undo", &idle], 5, "changed no files"),
        (vec!["redo", &in_place], 5, "cannot be redone: they were not undone"),
        (vec!["apply", &in_place], 5, "it worked in your files"),
        (vec!["undo", &running], 5, "it is still running\nnext: wait until it ends with `codex-connector wait"),
        (vec!["undo", &in_place, "nothing.txt"], 2, "changed no file at `nothing.txt`"),
        (vec!["undo", &in_place, ".", "nothing.txt"], 2, "changed no file at `nothing.txt`"),
        (vec!["undo", "00000000"], 4, "no task has the ID"),
    ] {
        let refused = run(&world, &args);
        assert_eq!((refused.code, &*refused.stdout), (Some(code), ""), "{args:?}: {}", refused.stderr);
        assert!(refused.stderr.contains(words), "{args:?}: {}", refused.stderr);
    }
    let so_far = run(&world, &["diff", &running, "b.txt"]);
    assert!(so_far.code == Some(0) && so_far.stdout.contains("+b\n"), "{}", so_far.stderr);
    assert!(so_far.stderr.contains("is still running. These are its changes so far."), "{}", so_far.stderr);
    server.call("codex_cancel", json!({"taskId": running}), |_| {});

    fs::rename(world.project.path().join(".git"), world.home().join("moved")).expect("it can be moved");
    let gone = run(&world, &["diff", &in_place]);
    assert!(gone.code == Some(1) && gone.stderr.contains("is not at"), "{}", gone.stderr);
}

#[test]
fn file_names_cannot_control_a_terminal_and_are_exact_in_the_patch() {
    let world = world();
    let name = OsStr::from_bytes(b"\x1b[2J\n-x\xff \xe2\x80\xae.txt");
    let release = world.home().join("go");
    let mut server = world.server();
    let id = start(&mut server, world.fake(json!([{"say": "begun"}, {"await_file": release}])));
    wait_for_log(&world, &id, "begun");
    fs::write(world.project.path().join(name), "x\n").expect("the project is writable");
    fs::write(&release, "").expect("the home is writable");
    crate::world::wait_for_end(&mut server, &id);
    let shown = "\\x1b[2J\\x0a-x\\xff \\u{202e}.txt";
    assert_eq!(printed(&world, &["diff", &id, "--name-only"]), format!("{shown}\n"));
    let question = run(&world, &["undo", &id]);
    assert!(question.code == Some(5) && question.stderr.contains(shown), "{}", question.stderr);
    assert_eq!(printed(&world, &["undo", &id, "--all"]), format!("changed\t{shown}\n"));
    assert!(!world.project.path().join(name).exists());
    let json: Value = serde_json::from_str(&printed(&world, &["diff", &id, "--json"])).expect("it is JSON");
    assert_eq!(json["files"][0]["pathBase64"], "G1sySgoteP8g4oCuLnR4dA==");
}

#[test]
fn changes_of_a_worktree_are_applied_and_undone() {
    let world = world();
    let steps = json!([{"write": {"path": "a.txt", "text": "ONE\ntwo\nthree\nfour\nfive\nsix\n"}}, {"run": "echo x >made.txt"}]);
    fs::write(world.home().join("task"), format!("FAKE{steps}")).expect("the home is writable");
    let task = world.home().join("task").display().to_string();
    let ran = run(&world, &["run", "--worktree", "-f", &task]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(world.project.read("a.txt").is_some_and(|text| text.starts_with("one")), "the project is unchanged");
    assert_eq!(printed(&world, &["diff", "@1", "--name-only"]), "a.txt\nmade.txt\n");
    let early = run(&world, &["undo", "@1"]);
    assert!(early.code == Some(5) && early.stderr.contains("were not applied"), "{}", early.stderr);

    world.project.write("a.txt", "one\ntwo\nthree\nfour\nfive\nSIX\n");
    let before = repository(&world);
    assert_eq!(printed(&world, &["apply", "@1", "--check"]), "would change\ta.txt\nwould change\tmade.txt\n");
    assert_eq!(printed(&world, &["apply", "@1"]), "changed\ta.txt\nchanged\tmade.txt\n");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("ONE\ntwo\nthree\nfour\nfive\nSIX\n"));
    assert_eq!(printed(&world, &["undo", "@1"]), "changed\ta.txt\nchanged\tmade.txt\n");
    assert_eq!(world.project.read("a.txt").as_deref(), Some("one\ntwo\nthree\nfour\nfive\nSIX\n"));
    assert_eq!(repository(&world), before);

    let json: Value =
        serde_json::from_str(&printed(&world, &["apply", "@1", "--commit", "codex/x", "--json"])).expect("JSON");
    assert_eq!((&json["branch"], &json["done"]), (&json!("codex/x"), &json!(true)));
    assert_eq!(world.project.git(&["show", "codex/x:made.txt"]), "x\n");
    assert_eq!(world.project.git(&["show", "codex/x:README.md"]), "A project for tests.\n");
    // The commit that is checked out has other lines than the files with which the task began.
    world.project.write("a.txt", "1\ntwo\nthree\nfour\nfive\nsix\n");
    let task = format!("FAKE{}", json!([{"write": {"path": "a.txt", "text": "2\ntwo\nthree\nfour\nfive\nsix\n"}}]));
    let ran = run(&world, &["run", "--worktree", &task]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let conflict = run(&world, &["apply", "@1", "--commit", "codex/y"]);
    assert_eq!(conflict.code, Some(6), "{}", conflict.stderr);
    let words = "no branch was created: apply of task ";
    assert!(
        conflict.stderr.starts_with(words) && conflict.stderr.contains("commit those first"),
        "{}",
        conflict.stderr
    );
    assert_eq!(printed(&world, &["apply", "@1"]), "changed\ta.txt\n");
    let exists = run(&world, &["apply", "@2", "--commit", "codex/x"]);
    assert!(exists.code == Some(5) && exists.stderr.contains("`codex/x` already exists"), "{}", exists.stderr);
    let invalid = run(&world, &["apply", "@2", "--commit", "a..b"]);
    assert!(invalid.code == Some(2) && invalid.stderr.contains("not a valid branch name"), "{}", invalid.stderr);
}

#[test]
fn a_task_that_is_running_in_the_same_work_tree_is_named_by_an_undo() {
    let world = world();
    let id = edited(&world);
    let mut server = world.server();
    let steps = json!([{"write": {"path": "b.txt", "text": "b\n"}}, {"hang": true}]);
    let running = start(&mut server, world.fake(steps));
    wait_for_log(&world, &running, "b.txt");
    let note = format!(
        "Note: task {running} is running in this work tree: it may rely on these files, or change them again\n"
    );
    for args in [&["undo", &id, "--check"][..], &["undo", &id]] {
        let undone = run(&world, args);
        assert_eq!((undone.code, undone.stderr), (Some(0), note.clone()), "{args:?}");
    }
    server.call("codex_cancel", json!({"taskId": running}), |_| {});
    assert_eq!(printed(&world, &["redo", &id]), "changed\ta.txt\nchanged\tnew.txt\n");
}

#[test]
fn an_answer_names_the_tasks_that_changed_files_at_the_same_time() {
    let world = world();
    let mut server = world.server();
    let go = world.home().join("go");
    let before = ended(&world, &mut server, world.fake(json!([{"write": {"path": "early.txt", "text": "x\n"}}])));
    let steps = json!([{"say": "begun"}, {"await_file": go}, {"run": "echo x >made.txt"}]);
    let first = start(&mut server, world.fake(steps));
    wait_for_log(&world, &first, "begun");
    ended(&world, &mut server, and(world.fake(json!([{"say": "x"}])), json!({"sandbox": "read-only"})));
    let second = ended(&world, &mut server, world.fake(json!([{"write": {"path": "b.txt", "text": "b\n"}}])));
    fs::write(&go, "").expect("the home is writable");
    let answer = crate::world::wait_for_end(&mut server, &first);
    let shown = run(&world, &["show", &first]).stdout;
    for (text, words) in [
        (&answer, format!("somebody else who worked here at the same time, such as task {second}. Everything")),
        (&shown, format!("perhaps changed by task {second} or somebody else: 2 files\n")),
    ] {
        assert!(text.contains(&words) && !text.contains(&before), "{text}");
    }
}

#[test]
fn the_option_for_all_repositories_has_one_name_in_all_verbs() {
    let world = world();
    let id = edited(&world);
    let elsewhere = world.home().join("elsewhere");
    fs::create_dir(&elsewhere).expect("the home is writable");
    let there = |args: &[&str]| {
        let done = world.command(args).current_dir(&elsewhere).output().expect("it can be started");
        (done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    for verb in ["diff", "undo", "redo", "apply"] {
        let (code, said) = there(&[verb, "@1"]);
        assert_eq!(code, Some(4), "{verb}: {said}");
        assert!(said.contains("next: add `--all` (`undo` and `wait`: `--everywhere`) to count"), "{verb}: {said}");
        let (_, said) = there(&[verb, "@1", "--everywhere"]);
        assert!(!said.contains("no task"), "{verb}: {said}");
        let help = printed(&world, &[verb, "--help"]);
        assert!(help.contains("Count @N in all repositories, not only in this one") && help.contains("--everywhere"));
    }
    assert!(world.project.read("new.txt").is_some(), "it was undone and redone");
    let refused = run(&world, &["undo", "-a", &id]);
    assert_eq!(refused.code, Some(2), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("write `--everywhere` to count @N in all repositories, or `--all` to"),
        "{}",
        refused.stderr
    );
    assert!(world.project.read("new.txt").is_some(), "nothing was undone");
}

#[test]
fn removing_a_task_says_what_can_no_longer_be_undone() {
    let world = world();
    let id = edited(&world);
    let removed = run(&world, &["rm", &id]);
    assert_eq!((removed.code, removed.stdout), (Some(0), format!("{id}\n")));
    let words = format!("The changes of task {id} can then no longer be shown or undone.\n");
    assert_eq!(removed.stderr, words);
}

#[test]
fn a_terminal_shows_a_colored_patch_in_a_pager_and_undo_asks_first() {
    let world = world().variable("PAGER", "less -RX");
    let long: String = (0..60).map(|number| format!("line {number}\n")).collect();
    let steps = json!([{"write": {"path": "long.txt", "text": long}}]);
    ended(&world, &mut world.server(), world.fake(steps));
    let terminal = Terminal::new(&world);
    terminal.enter("codex-connector diff @1");
    let screen = terminal.wait_for("+line 0");
    assert!(screen.contains("diff --git a/long.txt b/long.txt") && !screen.contains("+line 59"), "{screen}");
    terminal.resize(40, 12);
    terminal.enter("q");
    terminal.enter("clear; codex-connector diff @1 --stat");
    let screen = terminal.wait_for("1 file, +60 −0");
    assert!(screen.contains(" long.txt | +60 −0 added"), "{screen}");
    terminal.enter("clear; codex-connector undo @1; echo left=$?");
    terminal.wait_for("file? [y/N]");
    terminal.enter("n");
    terminal.wait_for("left=5");
    assert!(world.project.read("long.txt").is_some(), "nothing was confirmed");
    terminal.enter("clear; codex-connector undo @1; echo left=$?");
    terminal.wait_for("file? [y/N]");
    terminal.enter("y");
    terminal.wait_for("left=0");
    assert_eq!(world.project.read("long.txt"), None);
}
