//! The changes of the real Codex: named, undone, applied, and resumed in worktrees.

use std::{fs, os::unix::fs::symlink, path::Path};

use connector_testing::{
    GitProject, ScriptStep, ScriptedModel,
    codex::{self, CodexHome},
    eventually,
};
use serde_json::{Value, json};

use crate::{
    cli_read::{printed, run},
    worktrees::{registered, wait_for_removal},
    world::{ANSWER_TIMEOUT, World, field, start, task_id, wait_for_end, wait_for_log},
};

/// The last version that lists `--full-auto`, and the newest.
const VERSIONS: [&str; 2] = ["0.125.0", codex::NEWEST];

/// The content of a file with nine lines.
const NINE: &str = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";

/// A world whose `codex` is this version. Codex offers `apply_patch` to the model.
fn world(version: &str, model: &ScriptedModel) -> (World, CodexHome) {
    let program = codex::install(version).unwrap_or_else(|problem| panic!("{problem}"));
    // Not in the temporary directory, where `workspace-write` would let Codex change its own settings.
    let home = CodexHome::below(Path::new(env!("CARGO_TARGET_TMPDIR")), &model.base_url(), "gpt-5.5");
    let codex_home = home.codex_home().to_string_lossy().into_owned();
    (World::with_codex(&program).variable("CODEX_HOME", codex_home), home)
}

fn patch(text: &str) -> String {
    format!("*** Begin Patch\n{text}*** End Patch")
}

/// Waits until nothing of a task remains to be done.
fn settled(world: &World, id: &str) {
    eventually("the end of the run directory", ANSWER_TIMEOUT, || {
        (!world.data_dir().join("run").join(id).exists()).then_some(())
    });
}

fn commit(project: &GitProject, paths: &[&str]) {
    project.git(&[&["add"], paths].concat());
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com"];
    project.git(&[&identity[..], &["commit", "--quiet", "-m", "second"]].concat());
}

/// Everything in `.git` that only the user may change.
fn repository(project: &GitProject) -> Vec<u8> {
    let read = |name: &str| fs::read(project.path().join(".git").join(name)).expect("it exists");
    let refs = project.git(&["for-each-ref", "refs/heads", "refs/tags", "refs/stash"]);
    [read("index"), read("HEAD"), read("config"), refs.into_bytes()].concat()
}

/// The files of a project by their paths, without git's.
fn files(project: &GitProject) -> Vec<(String, Option<String>)> {
    let listed = project.git(&["ls-files", "--cached", "--others"]);
    let mut paths: Vec<_> = listed.lines().map(str::to_owned).collect();
    paths.sort();
    paths.dedup();
    paths.into_iter().map(|path| (path.clone(), project.read(&path))).filter(|(_, text)| text.is_some()).collect()
}

#[test]
fn an_edit_in_place_is_named_and_undone_and_other_changes_only_with_all() {
    for version in VERSIONS {
        let steps = [
            ScriptStep::Patch(patch("*** Update File: a.txt\n@@\n-one\n+ONE\n")),
            ScriptStep::Shell("sed -i s/red/RED/ by-command.txt".into()),
            ScriptStep::Say("the end".into()),
        ];
        let model = ScriptedModel::with_script(steps.to_vec());
        let (world, _home) = world(version, &model);
        let project = &world.project;
        project.write("a.txt", "one\ntwo\n");
        project.write("by-command.txt", "red\n");
        commit(project, &["a.txt", "by-command.txt"]);
        project.write("staged.txt", "staged\n");
        project.git(&["add", "staged.txt"]);
        project.write("untracked.txt", "mine\n");
        let (original, untouched) = (files(project), repository(project));

        let answer = world.server().call("codex_agent", world.task("edit"), |_| {});
        let (id, text) = (task_id(&answer), &answer.text);
        settled(&world, &id);
        assert!(text.contains("**Changes:** 2 files, +2 −2\n"), "{version}: {text}");
        assert!(text.contains("- `a.txt` (modified, +1 −1)") && text.contains("- `by-command.txt` ("), "{text}");
        assert!(text.contains("did not name 1 file"), "{version}: {text}");
        let listed = printed(&world, &["diff", &id, "--json"]);
        let listed: Value = serde_json::from_str(&listed).expect("it is JSON");
        let named: Vec<_> = listed["files"].as_array().into_iter().flatten().map(|file| &file["named"]).collect();
        assert_eq!(named, [&json!(true), &json!(false)], "{version}: {listed:#}");
        let edited = files(project);

        let undone = printed(&world, &["undo", &id]);
        assert!(undone.contains("a.txt") && undone.contains("by-command.txt"), "{undone}");
        let contents = || ["a.txt", "by-command.txt"].map(|file| project.read(file).unwrap_or_default());
        assert_eq!(contents(), ["one\ntwo\n", "RED\n"], "{version}: {undone}");
        printed(&world, &["undo", &id, "--all"]);
        assert_eq!(files(project), original, "{version}");
        printed(&world, &["redo", &id]);
        assert_eq!(files(project), edited, "{version}");
        assert_eq!(repository(project), untouched, "{version}");
    }
}

#[test]
fn everything_that_a_patch_does_is_named() {
    for version in VERSIONS {
        let outside = tempfile::tempdir().expect("a temporary directory");
        let model = ScriptedModel::start();
        let (world, _home) = world(version, &model);
        let project = &world.project;
        fs::create_dir(project.path().join("dir")).expect("it is writable");
        symlink("dir", project.path().join("link")).expect("it is writable");
        symlink("target.txt", project.path().join("to-target")).expect("it is writable");
        for (file, text) in [
            ("moved.txt", NINE),
            ("gone.txt", "gone\n"),
            ("dir/linked.txt", "old\n"),
            ("dir/moved.txt", &NINE.replace('\n', "0\n")),
            ("target.txt", "old\n"),
            ("absolute.txt", "old\n"),
        ] {
            project.write(file, text);
        }
        let alias = outside.path().join("alias");
        symlink(project.path(), &alias).expect("it is writable");
        let edit = |path: &str| format!("*** Update File: {path}\n@@\n-old\n+new\n");
        let patches = [
            "*** Update File: moved.txt\n*** Move to: sub/moved.txt\n@@\n-1\n+one\n".to_owned(),
            "*** Update File: link/moved.txt\n*** Move to: link/to.txt\n@@\n-10\n+ten\n".to_owned(),
            "*** Delete File: gone.txt\n*** Add File: added.txt\n+added\n".to_owned(),
            edit("link/linked.txt"),
            edit("to-target"),
            edit(&project.path().join("absolute.txt").display().to_string()),
        ];
        let script: Vec<_> = patches.iter().map(|text| json!({"patch": patch(text)})).collect();
        let before = files(project);
        let task = format!("SCRIPT{}", json!(script));
        let in_alias = json!({"task": task, "workingDirectory": alias});
        let answer = world.server().call("codex_agent", in_alias, |_| {});
        let id = task_id(&answer);
        settled(&world, &id);
        let changes = &world.record(&id)["changes"];
        assert_eq!((&changes["files"], &changes["unnamed"]), (&json!(7), &json!(0)), "{version}: {changes:#}");
        let kinds = changes["paths"].to_string();
        assert_eq!(kinds.matches("renamed").count(), 2, "{version}: {kinds}");
        let after = files(project);
        printed(&world, &["undo", &id]);
        assert_eq!(files(project), before, "{version}");
        printed(&world, &["redo", &id]);
        assert_eq!(files(project), after, "{version}");
    }
}

/// The directory in which a task worked.
fn worktree_of(world: &World, id: &str) -> String {
    world.record(id)["workspace"]["worktree"].as_str().expect("it has a worktree").to_owned()
}

#[test]
fn of_three_tasks_in_worktrees_two_are_applied_and_the_conflict_of_the_third_is_named() {
    let model = ScriptedModel::start();
    let (world, _home) = world(codex::NEWEST, &model);
    let world = world.configure("[workspace]\ntree = \"always\"\n");
    let project = &world.project;
    project.write("README.md", NINE);
    let (untouched, mut server, go) = (repository(project), world.server(), world.home().join("go"));
    let ids = [("1", "one"), ("9", "nine"), ("9", "neuf")].map(|(old, new)| {
        let edit = patch(&format!("*** Update File: README.md\n@@\n-{old}\n+{new}\n"));
        let wait =
            format!("echo written; until [ -e '{}' ]; do sleep 0.05; done; tr '\\n' ' ' <README.md", go.display());
        let script = json!([{"patch": edit}, {"shell": wait}, {"say": "the end"}]);
        start(&mut server, world.task(&format!("task {new} SCRIPT{script}")))
    });
    ids.iter().for_each(|id| wait_for_log(&world, id, "COMMAND STARTED"));
    assert_eq!(registered(&world).len(), 3);
    fs::write(&go, "").expect("it is writable");
    let seen = ["one 2 3 4 5 6 7 8 9", "1 2 3 4 5 6 7 8 nine", "1 2 3 4 5 6 7 8 neuf"];
    for (id, lines) in ids.iter().zip(seen) {
        let answer = wait_for_end(&mut server, id);
        assert_eq!(field(&answer, "Status"), Some("completed"), "{answer}");
        assert!(world.log(id).contains(lines), "no task sees the others' changes: {}", world.log(id));
        let directory = worktree_of(&world, id);
        let new = lines.split(' ').find(|line| line.len() > 1).expect("one line was changed");
        let told = model.requests().into_iter().find(|request| request.prompt.contains(&format!("task {new} ")));
        let told = told.expect("the model was asked").body.to_string();
        assert!(told.contains(&format!("<cwd>{directory}</cwd>")), "the request names its directory: {told}");
        assert!(!told.contains(&format!("{}<", project.path().display())), "and no other: {told}");
    }
    wait_for_removal(&world);
    assert_eq!(project.read("README.md").as_deref(), Some(NINE), "the user's files are unchanged");
    for id in &ids[..2] {
        printed(&world, &["apply", id]);
    }
    let both = NINE.replace('1', "one").replace('9', "nine");
    assert_eq!(project.read("README.md"), Some(both.clone()));
    let refused = run(&world, &["apply", &ids[2]]);
    let said = refused.stdout + &refused.stderr;
    assert!(refused.code != Some(0) && said.contains("README.md (") && said.contains("nothing was written"), "{said}");
    assert_eq!(project.read("README.md"), Some(both), "nothing was written");
    assert_eq!(repository(project), untouched);
}

#[test]
fn a_session_is_resumed_in_a_new_worktree_with_the_files_of_the_first() {
    for version in VERSIONS {
        let model = ScriptedModel::start();
        let (world, _home) = world(version, &model);
        let world = world.configure("[tools]\nextra = [\"resume\"]\n[workspace]\ntree = \"always\"\n");
        let mut server = world.server();
        let script = json!([{"patch": patch("*** Add File: first.txt\n+first\n")}, {"say": "added"}]);
        let first = task_id(&server.call("codex_agent", world.task(&format!("begin SCRIPT{script}")), |_| {}));
        settled(&world, &first);
        wait_for_removal(&world);

        let script = json!([{"shell": "cat first.txt >second.txt"}, {"say": "continued"}]);
        let resume = json!({"taskId": first, "task": format!("again SCRIPT{script}")});
        let answer = server.call("codex_resume", resume, |_| {});
        let second = task_id(&answer);
        settled(&world, &second);
        assert_eq!(field(&answer.text, "Status"), Some("completed successfully"), "{version}: {}", answer.text);
        let changes = &world.record(&second)["changes"];
        assert_eq!((&changes["files"], &changes["paths"][0]["path"]), (&json!(1), &json!("second.txt")), "{changes:#}");
        let told = model.requests().pop().expect("the model was asked").body.to_string();
        assert!(told.contains("begin SCRIPT"), "{version} forgot the session: {told}");
        let [old, new] = [&first, &second].map(|id| worktree_of(&world, id));
        assert!(old == new && told.contains(&new), "{version}: the paths in the conversation are still right: {told}");
        printed(&world, &["apply", &first]);
        printed(&world, &["apply", &second]);
        for file in ["first.txt", "second.txt"] {
            assert_eq!(world.project.read(file).as_deref(), Some("first\n"), "{version}: {file}");
        }
    }
}

/// Codex makes `.git`, and the git directory that it names, read-only, and everything outside the worktree is.
#[test]
fn in_workspace_write_git_reads_in_a_worktree_but_writes_nothing_outside_it() {
    // Each line is a command that must succeed, or after `!` one that must fail.
    const COMMANDS: &str = "\
        git rev-parse HEAD\n\
        git status --short\n\
        git diff --stat\n\
        ! git add README.md\n\
        ! git -c user.name=x -c user.email=x@example.com commit -qam x\n\
        ! git stash\n\
        ! git branch x\n\
        ! echo x >>.git\n\
        ! echo x >>\"$(git rev-parse --git-dir)/HEAD\"\n\
        ! echo x >>\"$(git rev-parse --git-common-dir)/config\"\n";
    for version in VERSIONS {
        let lines = COMMANDS.lines().map(|line| line.trim_start().replace('\'', ""));
        let checks = lines.map(|line| match line.strip_prefix("! ") {
            Some(command) => format!("({command}) 2>/dev/null && echo '{command}' >>wrong.txt; "),
            None => format!("({line}) || echo '{line}' >>wrong.txt; "),
        });
        let script = format!("echo edited >>README.md; {} echo done >done.txt", checks.collect::<String>());
        let model = ScriptedModel::with_script(vec![ScriptStep::Shell(script), ScriptStep::Say("the end".into())]);
        let (world, _home) = world(version, &model);
        let world = world.configure("[workspace]\ntree = \"always\"\n");
        // The world's project is in the temporary directory, where every sandbox lets Codex write.
        let outside = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's directory is writable");
        let clone = outside.path().join("clone");
        world.project.git(&["clone", "--quiet", ".", &clone.display().to_string()]);
        let config = fs::read(clone.join(".git/config")).expect("it exists");
        let arguments = json!({"task": "x", "workingDirectory": clone, "sandbox": "workspace-write"});
        let answer = world.server().call("codex_agent", arguments, |_| {});
        let id = task_id(&answer);
        settled(&world, &id);
        let text = &answer.text;
        assert!(text.contains("`README.md` (modified") && text.contains("`done.txt` (added"), "{version}: {text}");
        let patch = printed(&world, &["diff", &id]);
        assert!(!text.contains("wrong.txt"), "{version}: {patch}");
        assert_eq!(fs::read(clone.join(".git/config")).expect("it exists"), config, "{version}");
    }
}
