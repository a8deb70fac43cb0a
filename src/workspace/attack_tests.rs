//! Code that an agent plants between the snapshots must not run. Each test shows that the same trap works for git as a
//! user runs it.

use std::{fs, path::Path};

use super::{
    Snapshot, find_place, ref_name,
    scratch_tests::{Scratch, after, before, files_of, omitted},
    update_ref,
};
use crate::task::TaskId;

/// Takes the snapshot before, lets `plant` act as the agent, and does everything that follows a task. The trap must not
/// have run then, but run when the user calls git with the arguments `user`. Returns the snapshot after.
fn check(scratch: &Scratch, plant: impl FnOnce(), user: &[&str]) -> Snapshot {
    check_in(scratch, &scratch.top, plant, user)
}

fn check_in(scratch: &Scratch, top: &Path, plant: impl FnOnce(), user: &[&str]) -> Snapshot {
    let place = find_place(&scratch.tool(), top).expect("it is a repository");
    let mut shadow = scratch.shadow_at(&place, None);
    let first = before(&mut shadow);
    plant();
    let second = after(&mut shadow, &first.commit);
    shadow.publish().expect("the repository is writable");
    let id = TaskId::parse("1a2b3c4d").expect("it is an ID");
    update_ref(&scratch.tool(), &place, &ref_name(&id, "after"), &second.commit).expect("the repository is writable");
    let trees = [first.tree.as_str(), second.tree.as_str()];
    shadow.command(["diff", "--patch"]).args(trees).run().expect("both exist");
    shadow.command(["merge-tree", first.commit.as_str(), second.commit.as_str()]).output().expect("git answers");
    assert!(!scratch.has_run(), "planted code ran");
    let mut git = std::process::Command::new("git");
    git.args(user).current_dir(top).env_clear().envs(scratch.environment());
    git.output().expect("git is installed");
    assert!(scratch.has_run(), "the trap does not work, so this test cannot fail");
    second
}

#[test]
fn a_filter_in_the_configuration() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        scratch.git(&["config", "filter.x.clean", &trap]);
        scratch.write(".gitattributes", "* filter=x\n");
        scratch.write("a.txt", "changed\n");
    };
    check(&scratch, plant, &["add", "-A"]);
}

#[test]
fn a_long_running_filter_in_an_included_file() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        fs::write(scratch.root.join("included"), format!("[filter \"x\"]\n\tprocess = {trap}\n"))
            .expect("it is writable");
        scratch.git(&["config", "include.path", &scratch.root.join("included").display().to_string()]);
        scratch.write(".git/info/attributes", "* filter=x\n");
        scratch.write("a.txt", "changed\n");
    };
    check(&scratch, plant, &["add", "-A"]);
}

#[test]
fn a_filter_in_the_global_configuration() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        scratch.git(&["config", "--global", "filter.x.clean", &trap]);
        scratch.write(".gitattributes", "* filter=x\n");
        scratch.write("a.txt", "changed\n");
    };
    check(&scratch, plant, &["add", "-A"]);
}

#[test]
fn a_monitor_of_the_file_system() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    check(&scratch, || drop(scratch.git(&["config", "core.fsmonitor", &trap])), &["status"]);
}

#[test]
fn hooks() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        for hook in ["post-index-change", "reference-transaction", "post-checkout", "pre-commit"] {
            fs::create_dir_all(scratch.top.join(".git/hooks")).expect("it is writable");
            fs::copy(&trap, scratch.top.join(".git/hooks").join(hook)).expect("it is writable");
        }
        scratch.write("a.txt", "changed\n");
    };
    check(&scratch, plant, &["add", "-A"]);
}

#[test]
fn hooks_in_another_directory() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        let hooks = scratch.root.join("hooks");
        fs::create_dir(&hooks).expect("it is writable");
        fs::copy(&trap, hooks.join("reference-transaction")).expect("it is writable");
        scratch.git(&["config", "core.hooksPath", &hooks.display().to_string()]);
    };
    check(&scratch, plant, &["update-ref", "refs/x", "HEAD"]);
}

#[test]
fn a_filter_and_a_monitor_of_a_nested_repository() {
    for key in ["filter.x.clean", "core.fsmonitor"] {
        let scratch = Scratch::new();
        let trap = scratch.trap();
        let plant = || {
            let nested = scratch.top.join("nested");
            scratch.git(&["init", "-q", "nested"]);
            scratch.write("nested/file", "file\n");
            scratch.git_in(&nested, &["add", "-A"]);
            scratch.git_in(&nested, &["commit", "-q", "-m", "nested"]);
            scratch.git_in(&nested, &["config", key, &trap]);
            scratch.write("nested/.gitattributes", "* filter=x\n");
            scratch.write("nested/file", "changed\n");
        };
        check(&scratch, plant, &["-C", "nested", "add", "-A"]);
    }
}

#[test]
fn a_filter_of_a_submodule() {
    let scratch = Scratch::new();
    scratch.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", "../repo", "module"]);
    scratch.git(&["commit", "-q", "-m", "a submodule"]);
    let trap = scratch.trap();
    let plant = || {
        scratch.git_in(&scratch.top.join("module"), &["config", "filter.x.clean", &trap]);
        scratch.write("module/.gitattributes", "* filter=x\n");
        scratch.write("module/a.txt", "ONE\ntwo\nthree\n");
    };
    // As found in git 2.47: this enters the submodule.
    check(&scratch, plant, &["status"]);
}

#[test]
fn a_submodule_that_replaces_a_file() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    let plant = || {
        scratch.remove("a.txt");
        scratch.git(&["init", "-q", "a.txt"]);
        scratch.write("a.txt/file", "file\n");
        scratch.git_in(&scratch.top.join("a.txt"), &["add", "-A"]);
        scratch.git_in(&scratch.top.join("a.txt"), &["commit", "-q", "-m", "nested"]);
        scratch.git_in(&scratch.top.join("a.txt"), &["config", "filter.x.clean", &trap]);
        scratch.write("a.txt/.gitattributes", "* filter=x\n");
        scratch.write("a.txt/file", "FILE\n");
    };
    check(&scratch, plant, &["-C", "a.txt", "add", "-A"]);
}

#[test]
fn another_git_directory_behind_a_changed_file() {
    let scratch = Scratch::new();
    scratch.git(&["worktree", "add", "-q", "../linked"]);
    let linked = scratch.root.join("linked");
    let trap = scratch.trap();
    let plant = || {
        scratch.git(&["clone", "-q", "--bare", ".", "../planted.git"]);
        let planted = scratch.root.join("planted.git");
        scratch.git_in(&planted, &["config", "core.bare", "false"]);
        scratch.git_in(&planted, &["config", "filter.x.clean", &trap]);
        fs::write(linked.join(".git"), format!("gitdir: {}\n", planted.display())).expect("it is writable");
        fs::write(linked.join(".gitattributes"), "* filter=x\n").expect("it is writable");
        fs::write(linked.join("a.txt"), "changed\n").expect("it is writable");
    };
    check_in(&scratch, &linked, plant, &["add", "-A"]);
}

#[test]
fn another_common_directory_of_a_worktree() {
    let scratch = Scratch::new();
    scratch.git(&["worktree", "add", "-q", "../linked"]);
    let linked = scratch.root.join("linked");
    let trap = scratch.trap();
    let plant = || {
        scratch.git(&["clone", "-q", "--bare", ".", "../planted.git"]);
        let planted = scratch.root.join("planted.git");
        scratch.git_in(&planted, &["config", "filter.x.clean", &trap]);
        let common_dir = scratch.top.join(".git/worktrees/linked/commondir");
        fs::write(common_dir, format!("{}\n", planted.display())).expect("it is writable");
        fs::write(linked.join(".gitattributes"), "* filter=x\n").expect("it is writable");
        fs::write(linked.join("a.txt"), "changed\n").expect("it is writable");
    };
    check_in(&scratch, &linked, plant, &["add", "-A"]);
}

#[test]
fn an_external_diff_and_a_text_conversion() {
    for (key, attribute) in [("diff.external", "text"), ("diff.x.textconv", "diff=x"), ("diff.x.command", "diff=x")] {
        let scratch = Scratch::new();
        let trap = scratch.trap();
        let plant = || {
            scratch.git(&["config", key, &trap]);
            scratch.write(".gitattributes", format!("* {attribute}\n"));
            scratch.write("a.txt", "changed\n");
        };
        check(&scratch, plant, &["diff"]);
    }
}

#[test]
fn a_remote_that_is_a_program() {
    let scratch = Scratch::new();
    let plant = || {
        scratch.git(&["config", "core.repositoryFormatVersion", "1"]);
        scratch.git(&["config", "extensions.partialClone", "origin"]);
        scratch.git(&["config", "remote.origin.promisor", "true"]);
        scratch.git(&["config", "remote.origin.url", &format!("ext::touch {}", scratch.root.join("ran").display())]);
        scratch.git(&["config", "protocol.ext.allow", "always"]);
        // An object that is missing would be fetched.
        let object = scratch.git(&["rev-parse", "HEAD:dir/b.txt"]);
        let (directory, name) = object.split_at(2);
        scratch.remove(&format!(".git/objects/{directory}/{name}"));
        scratch.write("a.txt", "changed\n");
    };
    check(&scratch, plant, &["cat-file", "-p", "HEAD:dir/b.txt"]);
}

#[test]
fn a_script_of_the_project_that_a_filter_of_the_user_runs() {
    let scratch = Scratch::new();
    scratch.write("clean.sh", "cat\n");
    scratch.write(".gitattributes", "*.txt filter=x\n");
    scratch.git(&["config", "--global", "filter.x.clean", "sh clean.sh"]);
    scratch.git(&["add", "-A"]);
    scratch.git(&["commit", "-q", "-m", "a filter"]);
    let trap = scratch.trap();
    let plant = || {
        fs::copy(&trap, scratch.top.join("clean.sh")).expect("it is writable");
        scratch.write("a.txt", "changed\n");
    };
    let snapshot = check(&scratch, plant, &["add", "-A"]);
    assert_eq!(omitted(&snapshot), ["a.txt"], "it is not covered");
}

#[test]
fn a_python_module_that_a_filter_of_the_user_finds_in_the_work_tree() {
    let scratch = Scratch::new();
    let modules = scratch.root.join("modules");
    fs::create_dir(&modules).expect("it is writable");
    fs::write(modules.join("strip_output.py"), "import sys\nsys.stdout.write(sys.stdin.read().upper())\n")
        .expect("it is writable");
    let command = format!("PYTHONPATH={} python3 -m strip_output", modules.display());
    scratch.git(&["config", "--global", "filter.x.clean", &command]);
    scratch.write(".gitattributes", "*.txt filter=x\n");
    let trap = scratch.trap();
    let plant = || {
        let module = format!("import subprocess\nsubprocess.run(['{trap}'])\n");
        scratch.write("strip_output.py", module);
        scratch.write("a.txt", "changed\n");
    };
    let snapshot = check(&scratch, plant, &["add", "-A"]);
    let shadow = scratch.shadow();
    assert_eq!(files_of(&shadow, &snapshot)["a.txt"], "CHANGED\n", "the filter itself runs");
}
