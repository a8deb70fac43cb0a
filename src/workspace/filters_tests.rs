//! Tests of commands.

use super::*;
use crate::workspace::scratch_tests::Scratch;

#[test]
fn a_filter_that_depends_on_the_project_is_not_usable() {
    let scratch = Scratch::new();
    scratch.write("tools/strip.py", "");
    scratch.write("strip", "");
    let judge = FilterJudge::of(&scratch.tool(), &scratch.place());
    let top = scratch.top.display();
    for usable in [
        "cat",
        "git-lfs clean -- %f",
        "sed -e 's/password=.*/password=X/'",
        "/usr/bin/sed s/a/b/ | sort -u",
        "\"/usr/bin/python3\" -m nbstripout",
        "~/bin/clean --quiet",
        "",
    ] {
        assert!(judge.is_usable(usable.as_bytes(), false), "{usable}");
    }
    for unusable in [
        "./clean",
        "tools/clean",
        "python3 tools/strip.py",
        "python3 strip",
        "cat | tools/clean",
        "cat;tools/clean",
        "cat $(tools/clean)",
        "sh -c './clean'",
        "sh ../clean",
        &format!("{top}/clean"),
        &format!("python3 '{top}/tools/strip.py'"),
        &format!("--config={top}/x"),
        "$(git rev-parse --show-toplevel)/clean",
        "sh \"$GIT_WORK_TREE/clean\"",
        "git show :clean | sh",
        "cd - && sh clean",
        "sh $OLDPWD/clean",
        "git-annex smudge --clean -- %f",
    ] {
        assert!(!judge.is_usable(unusable.as_bytes(), false), "{unusable}");
    }
}

#[test]
fn only_programs_that_need_the_work_tree_run_in_it() {
    for command in ["git-lfs clean -- %f", "'/opt/a b/git-lfs' filter-process", "git-crypt clean", ""] {
        assert_eq!(wrapped(command.as_bytes()), command.as_bytes());
    }
    for command in ["cat", "git-lfs clean; ./x", "sh -c git-lfs"] {
        let expected = format!("cd \"$CONNECTOR_FILTER_DIRECTORY\" || exit 1; {command}");
        assert_eq!(String::from_utf8_lossy(&wrapped(command.as_bytes())), expected);
    }
}

#[test]
fn of_the_filters_in_a_repository_only_known_ones_are_usable() {
    let scratch = Scratch::new();
    let judge = FilterJudge::of(&scratch.tool(), &scratch.place());
    for usable in ["git-lfs clean -- %f", "git-lfs filter-process", "\"git-crypt\" clean", ""] {
        assert!(judge.is_usable(usable.as_bytes(), true), "{usable}");
    }
    for unusable in
        ["cat", "/usr/bin/sed s/a/b/", "/tmp/git-lfs clean", "git-lfs clean; touch /tmp/x", "~/bin/git-crypt clean"]
    {
        assert!(!judge.is_usable(unusable.as_bytes(), true), "{unusable}");
    }
}
