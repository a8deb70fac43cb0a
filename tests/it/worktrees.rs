//! Tasks in worktrees of their own, and several tasks in one work tree.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, Instant},
};

use connector_testing::{McpServer, ToolAnswer, eventually};
use rustix::process::{Signal, kill_process};
use serde_json::{Value, json};

use crate::world::{ANSWER_TIMEOUT, World, and, field, start, task_id, wait_for_end, wait_for_log};

/// A world whose tasks work in worktrees.
fn world() -> World {
    World::with_fake_agent().configure("[workspace]\ntree = \"always\"\n")
}

fn write(path: &str, text: &str) -> Value {
    json!({"write": {"path": path, "text": text}})
}

fn run(world: &World, args: &[&str]) -> Output {
    world.command(args).current_dir(world.project.path()).output().expect("it can be started")
}

/// A task's log, without the indentation of further lines.
fn log(world: &World, id: &str) -> String {
    world.log(id).replace("\n    ", "\n")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The worktrees that the repository knows, without the user's.
pub(crate) fn registered(world: &World) -> Vec<String> {
    let listed = world.project.git(&["worktree", "list", "--porcelain"]);
    let paths = listed.lines().filter_map(|line| line.strip_prefix("worktree "));
    paths.map(str::to_owned).filter(|path| Path::new(path) != world.project.path()).collect()
}

fn trees_dir(world: &World) -> PathBuf {
    world.home().join(".local/state/codex-connector/trees")
}

/// Waits until no worktree is left.
pub(crate) fn wait_for_removal(world: &World) {
    eventually("the removal of the worktrees", ANSWER_TIMEOUT, || {
        let is_empty = fs::read_dir(trees_dir(world)).map_or(true, |mut entries| entries.next().is_none());
        (registered(world).is_empty() && is_empty).then_some(())
    });
}

fn refs(world: &World, id: &str) -> Vec<String> {
    let refs = world.project.git(&["for-each-ref", "--format=%(refname)", &format!("refs/codex-connector/{id}/")]);
    refs.lines().map(|name| name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

fn call(server: &mut McpServer, arguments: Value) -> (String, ToolAnswer) {
    let answer = server.call("codex_agent", arguments, |_| {});
    (task_id(&answer), answer)
}

#[test]
fn a_task_works_in_a_copy_of_what_the_user_sees_and_the_copy_is_removed() {
    let world = world();
    world.project.write("README.md", "edited by the user\n");
    world.project.write("untracked.txt", "untracked\n");
    let status = world.project.git(&["status", "--porcelain=v2"]);
    let mut server = world.server();
    let steps = json!([{"run": "cat README.md untracked.txt; pwd"}, write("new.txt", "new\n")]);
    let (id, answer) = call(&mut server, world.fake(steps));
    let record = world.record(&id);
    let worktree = PathBuf::from(record["workspace"]["worktree"].as_str().expect("it has a worktree"));
    assert!(worktree.starts_with(trees_dir(&world).canonicalize().unwrap_or(trees_dir(&world))), "{record:#}");
    assert_eq!(record["workingDirectory"], json!(worktree), "{}", answer.text);
    let log = log(&world, &id);
    assert!(log.contains("edited by the user\nuntracked\n") && log.contains(&worktree.display().to_string()), "{log}");
    assert_eq!((&record["changes"]["files"], &record["changes"]["unnamed"]), (&json!(1), &json!(0)), "{record:#}");
    assert_eq!(world.project.git(&["status", "--porcelain=v2"]), status, "the user's files are unchanged");
    wait_for_removal(&world);
    assert_eq!(refs(&world, &id), ["after", "before"]);
    assert!(answer.text.contains("uncommitted"), "the base is named: {}", answer.text);
}

#[test]
fn of_three_tasks_that_edit_one_file_two_are_applied_and_the_conflict_of_the_third_is_named() {
    let world = world();
    world.project.write("README.md", "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    let mut server = world.server();
    let go = world.home().join("go");
    let edits = ["one\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\n5\n6\n7\n8\nnine\n", "1\n2\n3\n4\n5\n6\n7\n8\nNEUN\n"];
    let ids = edits.map(|edit| {
        let steps = json!([write("README.md", edit), {"say": "written"}, {"await_file": go}, {"run": "cat README.md"}]);
        start(&mut server, world.fake(steps))
    });
    ids.iter().for_each(|id| wait_for_log(&world, id, "MESSAGE: written"));
    assert_eq!(registered(&world).len(), 3);
    fs::write(&go, "").expect("it is writable");
    for (id, edit) in ids.iter().zip(edits) {
        wait_for_end(&mut server, id);
        assert!(log(&world, id).contains(edit), "no task sees the others' changes: {}", world.log(id));
    }
    wait_for_removal(&world);
    for id in &ids[..2] {
        let applied = run(&world, &["apply", id]);
        assert!(applied.status.success(), "{}{}", text(&applied.stdout), text(&applied.stderr));
    }
    let both = "one\n2\n3\n4\n5\n6\n7\n8\nnine\n";
    assert_eq!(world.project.read("README.md").as_deref(), Some(both));
    let refused = run(&world, &["apply", &ids[2]]);
    let said = text(&refused.stdout) + &text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("README.md"), "{said}");
    assert_eq!(world.project.read("README.md").as_deref(), Some(both), "nothing was written");
}

#[test]
fn a_resumed_session_continues_with_the_files_of_its_worktree() {
    let world = world().configure("tools.extra = [\"resume\"]\n");
    let mut server = world.server();
    let (first, _) = call(&mut server, world.fake(json!([write("first.txt", "first\n")])));
    wait_for_removal(&world);
    let steps = json!([{"run": "cat first.txt"}, write("second.txt", "second\n")]);
    let answer = server.call("codex_resume", json!({"taskId": first, "task": format!("FAKE{steps}")}), |_| {});
    let second = task_id(&answer);
    let record = world.record(&second);
    assert!(world.log(&second).contains("first\n"), "{}", world.log(&second));
    assert_eq!(record["changes"]["files"], 1, "only its own changes: {record:#}");
    assert_eq!(world.project.read("first.txt"), None);
    // Now its worktree is kept, because no snapshot contains everything in it.
    wait_for_removal(&world);
    let steps = json!([write("third.txt", "third\n"), {"run": "head -c 20000000 /dev/zero > large.bin"}]);
    let answer = server.call("codex_resume", json!({"taskId": second, "task": format!("FAKE{steps}")}), |_| {});
    let third = task_id(&answer);
    let kept = world.record(&third)["workspace"]["worktree"].clone();
    eventually("the end of the supervisor", ANSWER_TIMEOUT, || world.index().as_object().map(drop));
    let shown = text(&run(&world, &["check"]).stdout);
    assert!(shown.contains("1 worktree takes up 20") && shown.contains(&third), "{shown}");
    let steps = json!([{"run": "cat first.txt second.txt third.txt; ls large.bin"}]);
    let answer = server.call("codex_resume", json!({"taskId": third, "task": format!("FAKE{steps}")}), |_| {});
    let fourth = task_id(&answer);
    assert_eq!(world.record(&fourth)["workspace"]["worktree"], kept, "it continues in the same worktree");
    let log = log(&world, &fourth);
    assert!(log.contains("first\nsecond\nthird\nlarge.bin\n"), "{log}");
}

/// Where the changes of a task are, according to `show`.
fn standing(world: &World, id: &str) -> Value {
    let shown: Value = serde_json::from_slice(&run(world, &["show", id, "--json"]).stdout).expect("it is JSON");
    shown["task"]["changes"]["standing"].clone()
}

#[test]
fn until_it_is_applied_everything_says_that_the_changes_are_not_in_the_users_files() {
    let world = world();
    let mut server = world.server();
    let (id, answer) = call(&mut server, world.fake(json!([write("new.txt", "new\n")])));
    let apply = format!("codex-connector apply {id}");
    let said = "not in the working files.** To write them there, run `";
    assert!(answer.text.contains(&format!("{said}{apply}`.")), "{}", answer.text);
    assert_eq!(standing(&world, &id), "worktree");
    let lost = text(&run(&world, &["prune", "--keep", "0", "--dry-run"]).stderr);
    assert!(lost.contains(&format!("1 of them was never applied: `{apply} --commit BRANCH` saves")), "{lost}");
    assert!(run(&world, &["apply", &id]).status.success());
    assert_eq!(standing(&world, &id), "applied");
    let status = server.call("codex_status", json!({"taskId": id}), |_| {}).text;
    assert_eq!(field(&status, "Changes"), Some("1 file, +1 −0 (applied)"), "{status}");
    assert!(!status.contains(said), "{status}");
    assert!(run(&world, &["undo", &id, "--yes"]).status.success());
    assert_eq!(standing(&world, &id), "undone");

    let steps = world.fake(json!([write("other.txt", "other\n")]));
    let prompt = steps["task"].as_str().expect("it is a text");
    let ran = text(&run(&world, &["run", prompt]).stderr);
    let words = "completed; its changes are in its own worktree, not in your files; to write them there: \
                 codex-connector apply ";
    assert!(ran.contains(words), "{ran}");
}

#[test]
fn a_worktree_that_was_asked_for_is_never_replaced_by_the_users_files() {
    let world = world().variable("CODEX_CONNECTOR_BACKENDS__CODEX__REQUIRE_GIT", "false");
    let refused = run(&world, &["run", "--worktree", "--sandbox", "read-only", "x"]);
    assert_eq!(refused.status.code(), Some(5), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("gets no worktree: it cannot change files"), "{}", text(&refused.stderr));
    fs::remove_dir_all(world.project.path().join(".git")).expect("the test owns it");
    let steps = world.fake(json!([write("new.txt", "new\n")]));
    let ran = run(&world, &["run", "--worktree", steps["task"].as_str().expect("it is a text")]);
    let said = text(&ran.stderr);
    let why = "  why: cannot make a worktree for the task: the directory is not in a git repository";
    assert!(said.contains(why) && said.contains("--no-worktree"), "{said}");
    assert_eq!(world.project.read("new.txt"), None);
}

#[test]
fn the_changes_of_a_resumed_task_are_applied_after_those_they_are_based_on() {
    let world = world().configure("tools.extra = [\"resume\"]\n");
    let mut server = world.server();
    let (first, _) = call(&mut server, world.fake(json!([write("first.txt", "first\n")])));
    wait_for_removal(&world);
    let steps = json!([write("first.txt", "first\nsecond\n")]);
    let answer = server.call("codex_resume", json!({"taskId": first, "task": format!("FAKE{steps}")}), |_| {});
    let second = task_id(&answer);
    assert_eq!(field(&answer.text, "Continues in the worktree of"), Some(&*first), "{}", answer.text);
    let refused = run(&world, &["apply", &second]);
    let said = text(&refused.stderr);
    assert_eq!((refused.status.code(), world.project.read("first.txt")), (Some(5), None), "{said}");
    assert!(said.contains(&format!("next: run `codex-connector apply {first}` first")), "{said}");
    for id in [&first, &second] {
        let applied = run(&world, &["apply", id]);
        assert!(applied.status.success(), "{}", text(&applied.stderr));
    }
    assert_eq!(world.project.read("first.txt").as_deref(), Some("first\nsecond\n"));
}

#[test]
fn a_resume_that_ends_before_its_worktree_exists_leaves_the_session_resumable() {
    let world = world().configure("tools.extra = [\"resume\"]\n");
    let mut server = world.server();
    let (first, _) = call(&mut server, world.fake(json!([write("first.txt", "first\n")])));
    wait_for_removal(&world);
    let mut resume = |id: &str| {
        let task = format!("FAKE{}", json!([{"run": "cat first.txt"}]));
        let answer = server.call("codex_resume", json!({"taskId": id, "task": task}), |_| {});
        (task_id(&answer), answer)
    };
    fs::remove_dir_all(trees_dir(&world)).expect("it is empty");
    fs::write(trees_dir(&world), "in the way").expect("it is writable");
    let (second, answer) = resume(&first);
    assert!(answer.text.contains("cannot make a worktree for the task"), "{}", answer.text);
    fs::remove_file(trees_dir(&world)).expect("it exists");
    for id in [&second, &first] {
        let (resumed, answer) = resume(id);
        assert!(world.log(&resumed).contains("first\n"), "{}\n{}", answer.text, world.log(&resumed));
        assert!(world.record(&resumed)["workspace"]["worktree"].is_string());
        wait_for_removal(&world);
    }
}

#[test]
fn the_ceiling_is_checked_for_the_directory_and_not_for_the_worktree() {
    let world = world();
    let roots = format!("[ceiling]\nroots = [\"{}\"]\n", world.project.path().display());
    let world = world.configure(&roots);
    let mut server = world.server();
    let (id, answer) = call(&mut server, world.fake(json!([write("new.txt", "new\n")])));
    assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{}\n{}", answer.text, world.log(&id));
    assert_eq!(world.record(&id)["changes"]["files"], 1);
}

#[test]
fn without_a_worktree_that_it_must_have_a_task_does_not_start() {
    let world = world();
    fs::create_dir_all(trees_dir(&world).parent().expect("it has one")).expect("it is writable");
    fs::write(trees_dir(&world), "in the way").expect("it is writable");
    let mut server = world.server();
    let (id, answer) = call(&mut server, world.fake(json!([write("new.txt", "new\n")])));
    assert!(answer.text.contains("cannot make a worktree for the task"), "{}", answer.text);
    assert_eq!((world.project.read("new.txt"), refs(&world, &id)), (None, vec![]));
}

#[test]
fn a_second_writer_gets_a_warning() {
    let world = World::with_fake_agent();
    let mut server = world.server();
    let (ids, answers) = two_writers(&world, &mut server);
    let warning = format!("**Warning:** 1 other task is running in this repository ({})", ids[0]);
    assert!(answers[1].text.contains(&warning), "{}", answers[1].text);
    assert!(world.log(&ids[1]).contains("SHARED WORK TREE"), "{}", world.log(&ids[1]));
    assert!(!world.log(&ids[0]).contains("SHARED WORK TREE"), "{}", world.log(&ids[0]));
    let warned = world.record(&ids[1])["warnings"].to_string();
    assert!(warned.contains(&ids[0]), "{warned}");
}

#[test]
fn a_second_writer_waits_for_its_turn_and_can_be_cancelled_meanwhile() {
    let world = World::with_fake_agent().configure("[workspace]\nparallel = \"queue\"\n");
    fs::create_dir(world.project.path().join("below")).expect("it is writable");
    let mut server = world.server();
    let go = world.home().join("go");
    let first = start(&mut server, world.fake(json!([{"say": "ready"}, {"await_file": go}, write("a.txt", "first")])));
    wait_for_log(&world, &first, "MESSAGE: ready");
    let below = json!({"workingDirectory": world.project.path().join("below")});
    let second = start(&mut server, and(world.fake(json!([{"run": "cat ../a.txt"}])), below));
    let third = start(&mut server, world.fake(json!([write("b.txt", "third")])));
    let reading = and(world.fake(json!([{"say": "read"}])), json!({"sandbox": "read-only"}));
    for id in [&second, &third] {
        wait_for_log(&world, id, "in the same work tree (workspace.parallel)");
    }
    let listed = text(&run(&world, &["ls", "--json"]).stdout);
    assert_eq!(listed.matches("\"state\": \"queued\"").count(), 2, "{listed}");
    call(&mut server, reading);
    let cancelled = server.call("codex_cancel", json!({"taskId": third}), |_| {});
    assert!(cancelled.text.contains("Cancelled by user"), "{}", cancelled.text);
    fs::write(&go, "").expect("it is writable");
    wait_for_end(&mut server, &first);
    wait_for_end(&mut server, &second);
    assert!(world.log(&second).contains("first"), "{}", world.log(&second));
    assert_eq!(world.project.read("b.txt"), None);
}

#[test]
fn a_second_writer_gets_its_own_worktree() {
    let world = World::with_fake_agent().configure("[workspace]\nparallel = \"tree\"\n");
    let mut server = world.server();
    let (ids, _) = two_writers(&world, &mut server);
    let trees = ids.map(|id| world.record(&id)["workspace"]["worktree"].is_string());
    assert_eq!(trees, [false, true]);
    assert_eq!((world.project.read("0.txt").as_deref(), world.project.read("1.txt")), (Some("0"), None));
}

/// Two tasks that run at the same time in the same work tree, after their end.
fn two_writers(world: &World, server: &mut McpServer) -> ([String; 2], [ToolAnswer; 2]) {
    let go = world.home().join("go");
    let answers = [0, 1].map(|number| {
        let steps = json!([write(&format!("{number}.txt"), &number.to_string()), {"say": "ready"}, {"await_file": go}]);
        let answer = server.call("codex_agent", and(world.fake(steps), json!({"async": true})), |_| {});
        wait_for_log(world, &task_id(&answer), "MESSAGE: ready");
        answer
    });
    fs::write(&go, "").expect("it is writable");
    let ids = [task_id(&answers[0]), task_id(&answers[1])];
    ids.iter().for_each(|id| drop(wait_for_end(server, id)));
    (ids, answers)
}

#[test]
fn rm_removes_the_refs_and_keeps_a_worktree_with_newer_work() {
    let world = world();
    let mut server = world.server();
    let (plain, _) = call(&mut server, world.fake(json!([write("new.txt", "new\n")])));
    wait_for_removal(&world);
    let large = json!([{"run": "head -c 20000000 /dev/zero > large.bin"}]);
    let (kept, _) = call(&mut server, world.fake(large));
    let worktree = PathBuf::from(world.record(&kept)["workspace"]["worktree"].as_str().expect("it has one"));
    world.index();
    let removed = run(&world, &["rm", &plain, &kept, "--yes"]);
    let said = text(&removed.stdout) + &text(&removed.stderr);
    assert!(removed.status.success() && said.contains(&worktree.display().to_string()), "{said}");
    assert_eq!((refs(&world, &plain), refs(&world, &kept)), (vec![], vec!["after".to_owned(), "before".to_owned()]));
    assert!(worktree.join("large.bin").exists());
    assert!(!world.data_dir().join(format!("workspaces/{plain}.json")).exists());
    // Once its user has removed it, nothing is left.
    world.project.git(&["worktree", "remove", "--force", &worktree.display().to_string()]);
    let _later = world.server();
    eventually("the removal of the refs", ANSWER_TIMEOUT, || refs(&world, &kept).is_empty().then_some(()));
    eventually("the removal of the workspace file", ANSWER_TIMEOUT, || {
        (!world.data_dir().join(format!("workspaces/{kept}.json")).exists()).then_some(())
    });
}

#[test]
fn a_supervisor_that_is_killed_at_any_moment_loses_no_work_and_leaves_no_worktree() {
    let world = world();
    // Before the snapshot, while the worktree is made, before and after the work, and some moments in between.
    let entries = ["", "SNAPSHOT:", "WORKTREE:", "MESSAGE: written"];
    let moments = entries.map(|entry| (entry, 0)).into_iter().chain([3, 20, 60, 150].map(|delay| ("", delay)));
    let mut written = 0;
    for (round, (entry, delay)) in moments.enumerate() {
        let mut server = world.server();
        let text = format!("round {round}\n");
        let id = start(&mut server, world.fake(json!([write("work.txt", &text), {"say": "written"}, {"sleep": 2}])));
        let delay = Duration::from_millis(delay);
        wait_for_log(&world, &id, entry);
        let begun = Instant::now();
        eventually("the moment", ANSWER_TIMEOUT, || (begun.elapsed() >= delay).then_some(()));
        let _ = kill_process(world.supervisor_of(&id), Signal::KILL);
        drop(server);
        let was_written = world.log(&id).contains("MESSAGE: written");
        let mut next = world.server();
        wait_for_end(&mut next, &id);
        drop(next);
        // A server cleans up once, when it starts.
        let _cleaner = world.server();
        eventually("the removal of the worktree", ANSWER_TIMEOUT, || registered(&world).is_empty().then_some(()));
        let after = format!("refs/codex-connector/{id}/after");
        if was_written {
            let kept = world.project.git(&["show", &format!("{after}:work.txt")]);
            assert_eq!(kept.trim_end(), text.trim_end(), "{entry:?}, {delay:?}");
            written += 1;
        }
    }
    assert!(written > 0, "no supervisor was killed after the work");
}
