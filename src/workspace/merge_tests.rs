use std::{fs, path::Path};

use super::*;
use crate::workspace::fixture::{Project, path, write};

const LINES: &str = "1\n2\n3\n4\n5\n6\n7\n";

/// Three trees: the project with [`LINES`] in `a` and `b`, and two versions of it.
fn trees(ours: impl FnOnce(&Path), theirs: impl FnOnce(&Path)) -> (Project, Shadow, [ObjectId; 3]) {
    let project = Project::with(&[("a", LINES), ("b", LINES)]);
    let mut shadow = project.shadow(&project.place, None);
    let top = project.top.clone();
    let base = shadow.snapshot("base", None).expect("it can be taken").tree;
    ours(&top);
    let ours = shadow.snapshot("ours", None).expect("it can be taken").tree;
    project.git(&["stash", "-u", "-q"]);
    theirs(&top);
    let theirs = shadow.snapshot("theirs", None).expect("it can be taken").tree;
    (project, shadow, [base, ours, theirs])
}

fn merged(trees: &(Project, Shadow, [ObjectId; 3])) -> Merge {
    let (_, shadow, [base, ours, theirs]) = trees;
    merge(shadow, base, ours, theirs).expect("git works")
}

#[test]
fn changes_of_both_sides_are_in_the_result() {
    let trees = trees(
        |top| write(top, "a", LINES.replace('2', "ours")),
        |top| {
            write(top, "a", LINES.replace('6', "theirs"));
            fs::rename(top.join("b"), top.join("c")).expect("it exists");
        },
    );
    let merge = merged(&trees);
    assert_eq!(merge.conflicts, []);
    let show = trees.1.object_command(["show"]).arg(format!("{}:a", merge.tree)).run().expect("it is there");
    assert_eq!(String::from_utf8_lossy(&show), LINES.replace('2', "ours").replace('6', "theirs"));
    let names = trees.1.object_command(["ls-tree", "--name-only", merge.tree.as_str()]).run().expect("it is there");
    assert_eq!(names, b"a\nc\n");
}

#[test]
fn each_conflict_has_its_path_and_reason() {
    let trees = trees(
        |top| {
            write(top, "a", LINES.replace('4', "ours"));
            write(top, "b", LINES.replace('4', "ours"));
            write(top, "new\n\"1\"", "ours\n");
            write(top, "dir", "ours\n");
        },
        |top| {
            write(top, "a", LINES.replace('4', "theirs"));
            fs::remove_file(top.join("b")).expect("it exists");
            write(top, "new\n\"1\"", "theirs\n");
            write(top, "dir/file", "theirs\n");
        },
    );
    let conflict = |name: &str, reason| FileConflict { path: path(name), reason };
    assert_eq!(
        merged(&trees).conflicts,
        [
            conflict("a", ConflictReason::Content),
            conflict("b", ConflictReason::Removed),
            conflict("dir", ConflictReason::Removed),
            conflict("new\n\"1\"", ConflictReason::Content),
        ]
    );
}

#[test]
fn files_that_must_not_be_merged_by_line_are_in_conflict() {
    let trees = trees(
        |top| {
            write(top, "a", LINES.replace('2', "ours"));
            write(top, ".gitattributes", "a binary\n");
        },
        |top| {
            write(top, "a", LINES.replace('6', "theirs"));
            write(top, ".gitattributes", "a binary\n");
        },
    );
    assert_eq!(merged(&trees).conflicts, [FileConflict { path: path("a"), reason: ConflictReason::Content }]);
}

#[test]
fn conflicts_are_not_resolved_by_keeping_the_lines_of_both_sides() {
    let union = |top: &Path| {
        write(top, ".gitattributes", "* merge=union\n");
        write(top, ".git/info/attributes", "* merge=union\n");
    };
    let trees = trees(
        |top| {
            union(top);
            write(top, "a", LINES.replace('2', "ours"));
            write(top, "b", LINES.replace('2', "ours"));
        },
        |top| {
            union(top);
            write(top, "a", LINES.replace('2', "theirs"));
            write(top, "b", LINES.replace('6', "theirs"));
        },
    );
    assert_eq!(merged(&trees).conflicts, [FileConflict { path: path("a"), reason: ConflictReason::Content }]);
}

#[test]
fn no_merge_driver_of_the_project_runs() {
    let trees = trees(
        |top| write(top, "a", LINES.replace('2', "ours")),
        |top| {
            write(top, "a", LINES.replace('6', "theirs"));
            write(top, ".gitattributes", "a merge=x\n");
        },
    );
    let planted = trees.0.outside().join("planted");
    trees.0.git(&["config", "merge.x.driver", &format!("touch {}", planted.display())]);
    assert_eq!(merged(&trees).conflicts, []);
    assert!(!planted.exists());
}

#[test]
fn one_side_alone_is_the_result() {
    let trees = trees(|top| write(top, "a", "ours\n"), |_| ());
    let (_, shadow, [base, ours, theirs]) = &trees;
    assert_eq!(base, theirs);
    assert_eq!(merged(&trees).tree, *ours);
    assert_eq!(merge(shadow, base, ours, ours).expect("git works").tree, *ours);
}

#[test]
fn output_of_another_form_is_an_error() {
    let tree = "a".repeat(40);
    for output in [String::new(), "x".to_owned(), format!("{tree}\0without tab\0"), format!("{tree}\0\tpath\0")] {
        assert!(parse(output.as_bytes(), &[]).is_err(), "{output:?}");
    }
}
