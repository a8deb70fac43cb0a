//! Tests with a real repository.

use super::*;
use crate::workspace::scratch_tests::Scratch;

fn id(digits: &str) -> TaskId {
    TaskId::parse(digits).expect("it is an ID")
}

#[test]
fn refs_are_set_listed_and_deleted() {
    let scratch = Scratch::new();
    scratch.git(&["config", "core.logAllRefUpdates", "always"]);
    let (git, place) = (scratch.tool(), scratch.place());
    let commit = scratch.head().commit.expect("there is one");
    let files = scratch.git_files();
    let [first, other] = [ref_name(&id("1a2b3c4d"), "before"), ref_name(&id("99999999"), "before")];
    assert_eq!(first, "refs/codex-connector/1a2b3c4d/before");
    for name in [&first, &other, &first] {
        update_ref(&git, &place, name, &commit).expect("it can be set");
    }
    assert_eq!(list_refs(&git, &place, None).expect("they are listed").len(), 2);
    let of_task = list_refs(&git, &place, Some(&id("1a2b3c4d"))).expect("they are listed");
    assert_eq!(of_task, [(first.clone(), commit)]);
    assert_eq!(scratch.git_files(), files, "not even a log is written");
    for _ in 0..2 {
        delete_refs(&git, &place, &[first.clone(), other.clone()]).expect("they are deleted, or gone");
    }
    delete_ref(&git, &place, &first).expect("it is gone");
    assert_eq!(list_refs(&git, &place, None).expect("they are listed"), []);
}

#[test]
fn hooks_do_not_run() {
    let scratch = Scratch::new();
    let trap = scratch.trap();
    std::fs::create_dir_all(scratch.top.join(".git/hooks")).expect("it is writable");
    std::fs::copy(trap, scratch.top.join(".git/hooks/reference-transaction")).expect("it is writable");
    scratch.git(&["update-ref", "refs/x", "HEAD"]);
    assert!(scratch.has_run(), "the hook works, so the test can fail");
    std::fs::remove_file(scratch.root.join("ran")).expect("it exists");
    let commit = scratch.head().commit.expect("there is one");
    let name = ref_name(&id("1a2b3c4d"), "before");
    update_ref(&scratch.tool(), &scratch.place(), &name, &commit).expect("it can be set");
    delete_ref(&scratch.tool(), &scratch.place(), &name).expect("it can be deleted");
    assert!(!scratch.has_run());
}
