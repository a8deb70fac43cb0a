use std::{fs, os::unix::fs::symlink};

use super::*;
use crate::task::{ChangeKind, ObjectFormat};

fn place(top: &Path) -> Place {
    Place {
        top: top.to_owned(),
        git_dir: top.join(".git"),
        common_dir: top.join(".git"),
        prefix: "sub".into(),
        object_format: ObjectFormat::Sha1,
    }
}

fn named(paths: &[&str], kind: &FileChangeKind) -> NamedFiles {
    paths.iter().map(|path| (path.into(), kind.clone())).collect()
}

fn changed(path: &str, old_path: Option<&str>) -> ChangedPath {
    let [path, old_path] = [Some(path), old_path].map(|path| path.map(GitPath::from_bytes));
    let kind = if old_path.is_some() { ChangeKind::Renamed } else { ChangeKind::Modified };
    let path = path.expect("it is given");
    ChangedPath { path, old_path, kind, added: None, removed: None, is_named: false }
}

/// The named paths, including those that follow from the changes.
fn all(place: &Place, named: &NamedFiles, changed: &[ChangedPath]) -> Vec<String> {
    let mut paths = named_paths(place, named);
    add_implied(place, named, changed, &mut paths);
    paths.iter().map(|path| String::from_utf8_lossy(path.as_bytes()).into_owned()).collect()
}

#[test]
fn names_are_relative_to_the_top_and_only_those_inside_count() {
    let place = place(Path::new("/repo"));
    for (name, expected) in [
        ("a.txt", Some("sub/a.txt")),
        ("./a.txt", Some("sub/a.txt")),
        ("../b", Some("b")),
        ("/repo/sub/../c/./d", Some("c/d")),
        ("/repo/-x", Some("-x")),
        ("/repository/a", None),
        ("../../etc/passwd", None),
        ("/repo/../repo2/x", None),
        ("/..", None),
        ("..", None),
        ("", Some("sub")),
    ] {
        let paths = named_paths(&place, &named(&[name], &FileChangeKind::Updated));
        assert_eq!(paths.first().map(GitPath::as_bytes), expected.map(str::as_bytes), "{name}");
    }
    assert_eq!(named_paths(&place, &named(&["a", "/repo/sub/a"], &FileChangeKind::Updated)).len(), 1);
}

#[test]
fn the_new_path_of_an_updated_file_that_was_renamed_is_named() {
    let place = place(Path::new("/repo"));
    let renamed = [changed("new", Some("old")), changed("sub/b", Some("sub/a")), changed("x", None)];
    let updated = named(&["/repo/old"], &FileChangeKind::Updated);
    assert_eq!(all(&place, &updated, &renamed), ["new", "old"]);
    assert_eq!(all(&place, &named(&["a"], &FileChangeKind::Updated), &renamed), ["sub/a", "sub/b"]);
    // Somebody else may have made a similar file.
    assert_eq!(all(&place, &named(&["/repo/old"], &FileChangeKind::Deleted), &renamed), ["old"]);
}

#[test]
fn a_changed_file_is_named_by_a_path_through_links() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let root = dir.path().canonicalize().expect("it exists");
    let top = root.join("repo");
    for made in ["repo/sub", "repo/real", "outside"] {
        fs::create_dir_all(root.join(made)).expect("it is writable");
    }
    for (target, link) in [
        ("../real", "repo/sub/link"),
        ("repo", "alias"),
        ("../../outside", "repo/sub/out"),
        ("../real/file", "repo/sub/to-file"),
    ] {
        symlink(target, root.join(link)).expect("it is writable");
    }
    fs::write(root.join("repo/real/file"), "").expect("it is writable");
    let place = place(&top);
    let only = |name: &str, changes: &[ChangedPath]| {
        let literal = named_paths(&place, &named(&[name], &FileChangeKind::Updated));
        let mut found = all(&place, &named(&[name], &FileChangeKind::Updated), changes);
        found.retain(|path| !literal.iter().any(|literal| literal.as_bytes() == path.as_bytes()));
        found
    };
    let changes = [changed("real/file", None), changed("real/moved", Some("real/gone"))];
    let alias = root.join("alias/real/file").display().to_string();
    for name in ["link/file", "to-file", &alias, "link/../real/file"] {
        assert_eq!(only(name, &changes), ["real/file"], "{name}");
    }
    assert_eq!(only("link/gone", &changes), ["real/gone", "real/moved"], "a file that is gone");
    for name in ["out/file", "out", "link/other", "missing/file", ""] {
        assert_eq!(only(name, &changes), Vec::<String>::new(), "{name}");
    }
    // The agent made or changed the link, not the file.
    let changes = [changed("real/file", None), changed("sub/to-file", None)];
    assert_eq!(only("to-file", &changes), Vec::<String>::new());
}
