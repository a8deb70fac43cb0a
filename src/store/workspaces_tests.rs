use std::{fs::FileTimes, time::SystemTime};

use serde_json::json;

use super::*;
use crate::{store::tests::upkeep, task::GitPath};

const NOW: Duration = Duration::ZERO;

fn workspace(id: &TaskId) -> TaskWorkspace {
    let commit = "a".repeat(40);
    serde_json::from_value(json!({
        "format": 1, "task": id, "before": commit,
        "place": {
            "top": "/repo", "gitDir": "/repo/.git", "commonDir": "/repo/.git", "prefix": "", "objectFormat": "sha1"
        }
    }))
    .expect("these fields are enough")
}

/// Makes a file or directory look old.
fn age(path: &Path) {
    let old = FileTimes::new().set_modified(SystemTime::now() - 2 * LEFTOVER_AGE);
    File::open(path).and_then(|file| file.set_times(old)).expect("the test owns it");
}

#[test]
fn a_workspace_survives_and_can_be_removed() {
    let (_dir, upkeep) = upkeep();
    let (files, id) = (Workspaces::of(&upkeep), TaskId::random());
    assert_eq!(files.read(&id).expect("it is readable"), None);
    assert!(files.ids().expect("it is readable").is_empty());
    let mut workspace = workspace(&id);
    workspace.named = vec![GitPath::from_bytes(*b"caf\xe9\n")];
    files.write(&workspace).expect("it is writable");
    assert_eq!(files.read(&id).expect("it is readable"), Some(workspace.clone()));
    assert_eq!(upkeep.reader().workspace(&id).expect("it is readable"), Some(workspace));
    assert_eq!(files.ids().expect("it is readable"), std::slice::from_ref(&id));
    for _ in 0..2 {
        files.remove(&id).expect("it is writable");
    }
    assert_eq!(files.read(&id).expect("it is readable"), None);
}

#[test]
fn a_damaged_workspace_is_set_aside_and_one_of_a_later_version_is_kept() {
    let (_dir, upkeep) = upkeep();
    let files = Workspaces::of(&upkeep);
    let (damaged, later) = (TaskId::random(), TaskId::random());
    files.write(&workspace(&damaged)).expect("it is writable");
    fs::write(upkeep.layout().workspace(&damaged), "{\"format\": 1").expect("it is writable");
    fs::write(upkeep.layout().workspace(&later), "{\"format\": 99}").expect("it is writable");
    for id in [&damaged, &later] {
        assert_eq!(files.read(id).expect("it is readable"), None);
    }
    upkeep.repair();
    assert_eq!(files.ids().expect("it is readable"), [later]);
    let names = fs::read_dir(upkeep.layout().workspaces()).expect("it exists").flatten();
    let kept = names.filter(|file| file.file_name().to_string_lossy().starts_with(&format!("{damaged}-damaged-")));
    assert_eq!(kept.count(), 1);
    let notices: Vec<_> = upkeep.notices().take().iter().map(|notice| notice.words()).collect();
    assert!(notices.len() == 2 && notices.iter().any(|notice| notice.contains("is kept as")), "{notices:?}");
}

#[test]
fn one_process_at_a_time_has_a_repository_and_the_others_learn_which() {
    let (_dir, upkeep) = upkeep();
    let (files, id) = (Workspaces::of(&upkeep), TaskId::random());
    let lock = |repository: &str| files.lock(Path::new(repository), &id, NOW).expect("it can be locked");
    let held = lock("/repo/.git");
    let RepositoryLocking::Busy(Some(holder)) = lock("/repo/.git") else {
        panic!("it is locked, and by whom is known")
    };
    assert_eq!(holder, LockHolder { pid: std::process::id(), task: id.clone() });
    assert!(matches!(lock("/other/.git"), RepositoryLocking::Locked(_)), "another repository is free");
    drop(held);
    assert!(matches!(lock("/repo/.git"), RepositoryLocking::Locked(_)));
}

#[test]
fn the_key_of_a_repository_never_changes() {
    assert_eq!(repository_key(Path::new("/repo/.git")), "892b7217964907c9");
    assert_ne!(repository_key(Path::new("/repo/.git")), repository_key(Path::new("/repo2/.git")));
}

#[test]
fn a_temporary_directory_is_private_and_is_removed() {
    let (_dir, upkeep) = upkeep();
    let temp = Workspaces::of(&upkeep).temp_dir().expect("it is writable");
    let path = temp.path().to_owned();
    for dir in [path.as_path(), path.parent().expect("it is in our directory")] {
        assert_eq!(fs::metadata(dir).expect("it exists").permissions().mode() & 0o777, 0o700);
    }
    fs::create_dir_all(path.join("objects/pack")).expect("it is writable");
    drop(temp);
    assert_eq!(fs::read_dir(upkeep.layout().workspace_temp()).expect("it exists").count(), 0);
}

#[test]
fn only_what_killed_processes_left_is_removed() {
    let (_dir, upkeep) = upkeep();
    let (files, id) = (Workspaces::of(&upkeep), TaskId::random());
    files.write(&workspace(&id)).expect("it is writable");
    let used = files.temp_dir().expect("it is writable");
    let (left, new) = (upkeep.layout().workspace_temp().join("left"), upkeep.layout().workspace_temp().join("new"));
    for dir in [&left, &new] {
        fs::create_dir(dir).expect("it is writable");
        fs::write(dir.join(IN_USE), "").expect("it is writable");
    }
    let held = files.lock(Path::new("/held"), &id, NOW).expect("it can be locked");
    drop(files.lock(Path::new("/free"), &id, NOW).expect("it can be locked"));
    let [held_file, free_file] =
        ["/held", "/free"].map(|path| upkeep.layout().workspace_locks().join(repository_key(Path::new(path))));
    let used_root = used.path().parent().expect("it is in our directory");
    for path in [used_root, &left, &held_file, &free_file] {
        age(path);
    }
    files.remove_leftovers();
    let exist = [used_root, &new, &left, &held_file, &free_file].map(Path::exists);
    assert_eq!(exist, [true, true, false, true, false]);
    drop(held);
    assert!(files.read(&id).expect("it is readable").is_some());
}
