use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

use super::*;
use crate::workspace::fixture::{Project, odd_name, path, write};

#[test]
fn each_kind_of_change_is_told_with_its_lines() {
    let project = Project::with(&[
        ("changed", "1\n2\n3\n"),
        ("gone", "1\n"),
        ("binary", "\0"),
        ("moved", "1\n2\n3\n4\n5\n6\n"),
        ("mode", ""),
        ("type", "x"),
    ]);
    let named = ["changed", "moved", "moved-to"].map(path);
    let mut shadow = project.shadow(&project.place, None);
    let before = shadow.snapshot("before", None).expect("it can be taken").commit;
    let top = &project.top;
    write(top, "changed", "1\ntwo\nthree\n3\n");
    fs::remove_file(top.join("gone")).expect("it exists");
    fs::remove_file(top.join("type")).expect("it exists");
    symlink("changed", top.join("type")).expect("it is writable");
    write(top, "binary", "\0\0");
    fs::rename(top.join("moved"), top.join("moved-to")).expect("it exists");
    fs::set_permissions(top.join("mode"), Permissions::from_mode(0o755)).expect("it exists");
    write(top, odd_name(), "new\n");
    let after = shadow.snapshot("after", Some(std::slice::from_ref(&before))).expect("it can be taken").commit;

    let changed = changed_paths(&shadow, &before, &after, Some(&named)).expect("git works");
    let seen: Vec<_> = changed
        .iter()
        .map(|file| (file.path.to_untrusted().raw().to_owned(), file.kind, file.added, file.removed, file.is_named))
        .collect();
    let odd = String::from_utf8_lossy(std::os::unix::ffi::OsStrExt::as_bytes(odd_name())).into_owned();
    let file = |path: &str, kind, added, removed, is_named| (path.to_owned(), kind, added, removed, is_named);
    assert_eq!(
        seen,
        [
            file(&odd, ChangeKind::Added, Some(1), Some(0), false),
            file("binary", ChangeKind::Modified, None, None, false),
            file("changed", ChangeKind::Modified, Some(2), Some(1), true),
            file("gone", ChangeKind::Deleted, Some(0), Some(1), false),
            file("mode", ChangeKind::Mode, Some(0), Some(0), false),
            file("moved-to", ChangeKind::Renamed, Some(0), Some(0), true),
            file("type", ChangeKind::Type, Some(1), Some(1), false),
        ]
    );
    assert_eq!(changed[5].old_path, Some(path("moved")));
    let summary = summarize(before.clone(), after.clone(), &changed, &[]);
    assert_eq!((summary.files, summary.added, summary.removed, summary.unnamed), (7, 4, 3, 5));
    let all = changed_paths(&shadow, &before, &after, None).expect("git works");
    assert!(all.iter().all(|file| file.is_named));
    assert!(changed_paths(&shadow, &after, &after, None).expect("git works").is_empty());
}

#[test]
fn a_summary_lists_the_first_files_only() {
    let id: ObjectId = "a".repeat(40).parse().expect("it is valid");
    let file = |number: u64| ChangedPath {
        path: path(&format!("{number:03}")),
        old_path: None,
        kind: ChangeKind::Added,
        added: Some(number),
        removed: None,
        is_named: true,
    };
    let changed: Vec<_> = (0..100).map(file).collect();
    let summary = summarize(id.clone(), id, &changed, &[]);
    assert_eq!((summary.files, summary.added, summary.paths.len()), (100, 4950, MAX_LISTED_PATHS));
}

#[test]
fn output_of_another_form_is_an_error() {
    for output in [&b":100644 100644 x y M\0a\0"[..], b"1\t2\tmissing\0", b"x\0", b":\0", b"1\t2\t\0"] {
        assert_eq!(parse(output), None, "{}", String::from_utf8_lossy(output));
    }
    assert_eq!(parse(b""), Some(Vec::new()));
}
