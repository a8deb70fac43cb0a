use std::os::unix::fs::symlink;

use super::*;
use crate::workspace::{
    fixture::{path, write},
    raw_diff::Content,
};

fn content(mode: Mode) -> Option<Content> {
    Some(Content { mode, object: "a".repeat(40).parse().expect("it is valid") })
}

const FILE: Option<Mode> = Some(Mode::File);

/// The conflicts of an operation in a work tree. Each change has a path, and the modes before and after it.
fn conflicts(
    prepare: impl FnOnce(&Path),
    changes: &[(&str, Option<Mode>, Option<Mode>)],
) -> Vec<(String, ConflictReason)> {
    let top = tempfile::tempdir().expect("a temporary directory can be created");
    prepare(top.path());
    let change = |(name, old, new): &(&str, Option<Mode>, Option<Mode>)| {
        (path(name), Difference { old: old.and_then(content), new: new.and_then(content) })
    };
    let changes = changes.iter().map(change).collect();
    let found = Preflight { top: top.path(), changes: &changes }.conflicts().expect("everything can be inspected");
    found.into_iter().map(|file| (file.path.to_untrusted().raw().to_owned(), file.reason)).collect()
}

fn one(name: &str, reason: ConflictReason) -> Vec<(String, ConflictReason)> {
    vec![(name.to_owned(), reason)]
}

#[test]
fn a_new_file_needs_a_free_path() {
    let add = &[("d/a", None, FILE)];
    assert_eq!(conflicts(|_| (), add), []);
    assert_eq!(conflicts(|top| write(top, "d/b", ""), add), []);
    assert_eq!(conflicts(|top| write(top, "d/a", ""), add), one("d/a", ConflictReason::InTheWay));
    assert_eq!(conflicts(|top| write(top, "d", ""), add), one("d/a", ConflictReason::InTheWay));
    assert_eq!(conflicts(|top| write(top, "d/a/x", ""), add), one("d/a", ConflictReason::InTheWay));
    assert_eq!(conflicts(|top| fs::create_dir_all(top.join("d/a/x/y")).expect("it is writable"), add), []);
}

#[test]
fn a_path_never_leads_through_a_link() {
    let through = |target: &'static str| move |top: &Path| symlink(target, top.join("d")).expect("it is writable");
    for target in ["/", "/nowhere", "."] {
        for change in [("d/a", None, FILE), ("d/a", FILE, FILE), ("d/a", FILE, None)] {
            assert_eq!(conflicts(through(target), &[change]), one("d/a", ConflictReason::BehindLink), "{target}");
        }
    }
    let replaced = &[("d", Some(Mode::Link), None), ("d/a", None, FILE)];
    assert_eq!(conflicts(through("/"), replaced), [], "the operation removes the link first");
}

#[test]
fn a_changed_or_removed_file_must_be_there() {
    for new in [FILE, None] {
        let change = &[("a", FILE, new)];
        assert_eq!(conflicts(|top| write(top, "a", ""), change), []);
        for prepare in [
            (|_| ()) as fn(&Path),
            |top| fs::create_dir(top.join("a")).expect("it is writable"),
            |top| symlink("b", top.join("a")).expect("it is writable"),
            |top| {
                let fifo = rustix::fs::FileType::Fifo;
                rustix::fs::mknodat(rustix::fs::CWD, top.join("a"), fifo, 0o600.into(), 0).expect("it is writable");
            },
        ] {
            assert_eq!(conflicts(prepare, change), one("a", ConflictReason::ChangedMeanwhile));
        }
    }
    assert_eq!(
        conflicts(|top| symlink("b", top.join("a")).expect("it is writable"), &[("a", Some(Mode::Link), FILE)]),
        []
    );
}

#[test]
fn a_file_takes_the_place_of_a_directory_that_is_removed_completely() {
    let replace = &[("d", None, FILE), ("d/a", FILE, None), ("d/e/b", FILE, None)];
    let files = |top: &Path| {
        write(top, "d/a", "");
        write(top, "d/e/b", "");
    };
    assert_eq!(conflicts(files, replace), []);
    let more = |top: &Path| {
        files(top);
        write(top, "d/e/ignored", "");
    };
    assert_eq!(conflicts(more, replace), one("d", ConflictReason::InTheWay));
}

#[test]
fn a_path_that_leaves_the_work_tree_is_refused() {
    for outside in ["../a", "/etc/a", "d/../../a"] {
        assert_eq!(conflicts(|_| (), &[(outside, None, FILE)]), one(outside, ConflictReason::InTheWay));
    }
}
