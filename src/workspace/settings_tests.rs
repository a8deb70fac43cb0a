//! Tests with real configuration files.

use super::*;
use crate::workspace::{git::GitCommand, scratch_tests::Scratch};

/// The values of a key in a shadow repository.
fn values(command: GitCommand) -> Vec<String> {
    let answer = command.output().expect("git answers").stdout;
    let answer = String::from_utf8_lossy(&answer).into_owned();
    answer.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn settings_that_name_programs_are_left_out() {
    let scratch = Scratch::new();
    let place = scratch.place();
    let config = scratch.top.join(".git/config").display().to_string();
    for (key, value) in [
        ("alias.x", "!x"),
        ("core.editor", "x"),
        ("core.sshCommand", "x"),
        ("core.hooksPath", "/x"),
        ("core.fsmonitor", "x"),
        ("core.worktree", "/x"),
        ("diff.external", "x"),
        ("diff.y.textconv", "x"),
        ("merge.y.driver", "x"),
        ("remote.origin.url", "ext::x"),
        ("extensions.partialClone", "origin"),
        ("include.path", "/x"),
        ("gpg.program", "x"),
        ("lfs.customtransfer.y.path", "x"),
    ] {
        scratch.git_in(&scratch.root, &["config", "-f", &config, key, value]);
    }
    scratch.git_in(&scratch.root, &["config", "-f", &config, "core.autocrlf", "input"]);
    scratch.git_in(&scratch.root, &["config", "--global", "core.eol", "lf"]);
    let settings = read_settings(&scratch.tool(), &place).expect("git lists them");
    let mut keys: Vec<_> = settings.values.iter().map(|setting| setting.key.to_untrusted().raw().to_owned()).collect();
    keys.retain(|key| key != "core.filemode");
    assert_eq!(keys, ["core.eol", "core.autocrlf"]);
}

#[test]
fn included_files_and_odd_values_are_frozen() {
    let scratch = Scratch::new();
    let included = scratch.root.join("included");
    let odd = "sed 's/\"\\\\/\t#;/' && cat";
    std::fs::write(&included, "[filter \"a\\\"b.c\"]\n\trequired\n[core]\n\tautocrlf = input\n")
        .expect("it is writable");
    scratch.git(&["config", "--global", "include.path", &included.display().to_string()]);
    scratch.git(&["config", "--global", "filter.x.clean", odd]);
    let shadow = scratch.shadow();
    scratch.git(&["config", "filter.x.clean", "planted"]);
    scratch.git(&["config", "core.autocrlf", "true"]);
    let get = |key: &str| values(shadow.object_command(["config", "-z", "--get-all", key]));
    assert_eq!(get("filter.a\"b.c.required"), ["true"]);
    assert_eq!(get("core.autocrlf"), ["input"]);
    assert_eq!(get("filter.x.clean"), [format!("cd \"$CONNECTOR_FILTER_DIRECTORY\" || exit 1; {odd}")]);
}

#[test]
fn a_filter_that_is_not_usable_is_left_out_entirely() {
    let scratch = Scratch::new();
    for (key, value) in [("clean", "./clean"), ("smudge", "cat"), ("required", "true"), ("process", "cat")] {
        scratch.git(&["config", "--global", &format!("filter.x.{key}"), value]);
        scratch.git(&["config", "--global", &format!("filter.y.{key}"), value.trim_start_matches("./")]);
    }
    let settings = read_settings(&scratch.tool(), &scratch.place()).expect("git lists them");
    assert_eq!(settings.unusable_filters, [GitPath::from_bytes("x")]);
    let filters = settings.values.iter().filter_map(|setting| filter_key(setting.key.as_bytes()));
    let filters: Vec<_> = filters.map(|(filter, _)| filter).collect();
    assert_eq!(filters, vec![GitPath::from_bytes("y"); 4]);
}

#[test]
fn a_filter_in_a_file_of_the_project_is_not_usable_wherever_it_is_included() {
    let scratch = Scratch::new();
    let filter =
        |name: &str| format!("[filter \"{name}\"]\n\tclean = cat\n[filter \"lfs-{name}\"]\n\tclean = git-lfs clean\n");
    scratch.write("in-global", filter("global"));
    scratch.write("dir/in-local", filter("local"));
    scratch.write("linked", filter("link"));
    std::fs::write(scratch.root.join("outside"), filter("outside")).expect("it is writable");
    let link = scratch.root.join("link");
    std::os::unix::fs::symlink(scratch.top.join("linked"), &link).expect("it is writable");
    for included in ["../repo/in-global", "../outside", &link.display().to_string()] {
        scratch.git(&["config", "--global", "--add", "include.path", included]);
    }
    scratch.git(&["config", "include.path", "../dir/in-local"]);
    let settings = read_settings(&scratch.tool(), &scratch.place()).expect("git lists them");
    let mut unusable: Vec<_> =
        settings.unusable_filters.iter().map(|name| name.to_untrusted().raw().to_owned()).collect();
    unusable.sort();
    assert_eq!(unusable, ["global", "link", "local"]);
}
