use super::*;
use crate::workspace::fixture::{Project, path, write};

fn conflicts(result: Result<Checkout<'_>, CheckoutError>) -> Vec<FileConflict> {
    match result {
        Err(CheckoutError::Conflicts(conflicts)) => conflicts,
        other => panic!("expected conflicts: {other:?}"),
    }
}

#[test]
fn a_file_that_changed_after_the_snapshot_is_not_overwritten() {
    let project = Project::with(&[("a", "1\n"), ("b", "1\n")]);
    let mut shadow = project.shadow(&project.place, None);
    let old = shadow.snapshot("old", None).expect("it can be taken").tree;
    write(&project.top, "a", "2\n");
    write(&project.top, "b", "2\n");
    let ours = shadow.snapshot("ours", None).expect("it can be taken").tree;
    let prepared = Checkout::prepare(&shadow, &ours, &old).expect("nothing is in the way");
    assert_eq!(prepared.paths(), [path("a"), path("b")]);
    // Of the same length.
    write(&project.top, "b", "3\n");
    let expected = [FileConflict { path: path("b"), reason: ConflictReason::ChangedMeanwhile }];
    assert_eq!(conflicts(Checkout::prepare(&shadow, &ours, &old)), expected);
    let written = prepared.write(&[]);
    assert!(matches!(written, Err(CheckoutError::Interrupted(_))), "{written:?}");
    assert_eq!((project.read("a"), project.read("b")), ("2\n".to_owned(), "3\n".to_owned()), "nothing was written");
}

#[test]
fn line_endings_are_those_of_the_work_tree() {
    let project = Project::with(&[(".gitattributes", "*.txt text eol=crlf\n"), ("a.txt", "1\r\n")]);
    let mut shadow = project.shadow(&project.place, None);
    let old = shadow.snapshot("old", None).expect("it can be taken").tree;
    write(&project.top, "a.txt", "1\r\n2\r\n");
    let ours = shadow.snapshot("ours", None).expect("it can be taken").tree;
    Checkout::prepare(&shadow, &ours, &old).and_then(|checkout| checkout.write(&[])).expect("nothing is in the way");
    assert_eq!(project.read("a.txt"), "1\r\n");
}

#[test]
fn files_outside_the_sparse_patterns_stay() {
    let project = Project::with(&[("in/a", "1\n"), ("out/b", "1\n"), ("out/c", "1\n")]);
    project.git(&["sparse-checkout", "set", "in"]);
    write(&project.top, "out/c", "materialized\n");
    let mut shadow = project.shadow(&project.place, None);
    let old = shadow.snapshot("old", None).expect("it can be taken").tree;
    write(&project.top, "in/a", "2\n");
    let ours = shadow.snapshot("ours", None).expect("it can be taken").tree;
    Checkout::prepare(&shadow, &ours, &old).and_then(|checkout| checkout.write(&[])).expect("nothing is in the way");
    assert_eq!((project.read("in/a"), project.read("out/c")), ("1\n".to_owned(), "materialized\n".to_owned()));
    assert!(!project.top.join("out/b").exists());
}
