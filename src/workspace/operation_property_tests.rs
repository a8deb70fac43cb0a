//! Random trees, and random concurrent changes by an agent and the user.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use proptest::{collection::vec, prelude::*};

use super::fixture::{Project, files_in, request};
use crate::{
    task::{OperationKind, TaskId},
    workspace::{OperationError, OperationRequest},
};

/// A few paths, so that both change the same ones, and one is a directory of others.
const PATHS: [&str; 7] = ["a", "b.txt", "d", "d/a", "d/e/f", "z/\n\"", "-x"];

#[derive(Debug, Clone)]
enum Edit {
    /// Writes these lines to a file; anything in its way is removed.
    Write(usize, Vec<u8>),
    /// Replaces one line of a file.
    Line(usize, usize, u8),
    Binary(usize, u8),
    Link(usize, usize),
    Remove(usize),
    Rename(usize, usize),
    Executable(usize, bool),
}

fn edit() -> impl Strategy<Value = Edit> {
    let path = 0..PATHS.len();
    prop_oneof![
        3 => (path.clone(), vec(0..4_u8, 0..12)).prop_map(|(path, lines)| Edit::Write(path, lines)),
        4 => (path.clone(), 0..12_usize, 0..9_u8).prop_map(|(path, at, line)| Edit::Line(path, at, line)),
        1 => (path.clone(), any::<u8>()).prop_map(|(path, byte)| Edit::Binary(path, byte)),
        1 => (path.clone(), path.clone()).prop_map(|(path, target)| Edit::Link(path, target)),
        1 => path.clone().prop_map(Edit::Remove),
        1 => (path.clone(), path.clone()).prop_map(|(from, to)| Edit::Rename(from, to)),
        1 => (path, any::<bool>()).prop_map(|(path, is_executable)| Edit::Executable(path, is_executable)),
    ]
}

/// Removes whatever is at the path, and every file at one of its directories. Then its directory exists.
fn make_room(top: &Path, path: &str) {
    let full = top.join(path);
    for above in full.ancestors().skip(1).take_while(|above| *above != top) {
        if above.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            fs::remove_file(above).expect("the test owns it");
        }
    }
    fs::create_dir_all(full.parent().expect("it is below the top")).expect("it is writable");
    match full.symlink_metadata() {
        Ok(found) if found.is_dir() => fs::remove_dir_all(&full).expect("the test owns it"),
        Ok(_) => fs::remove_file(&full).expect("the test owns it"),
        Err(_) => {}
    }
}

fn text(lines: &[u8]) -> Vec<u8> {
    lines.iter().flat_map(|line| format!("line {line}\n").into_bytes()).collect()
}

fn apply(top: &Path, edit: &Edit) {
    let put = |path: usize, content: &[u8]| {
        make_room(top, PATHS[path]);
        fs::write(top.join(PATHS[path]), content).expect("there is room");
    };
    let is_file = |path: usize| top.join(PATHS[path]).symlink_metadata().is_ok_and(|found| found.is_file());
    let read = |path: usize| fs::read(top.join(PATHS[path])).expect("it is a file");
    match edit {
        Edit::Write(path, lines) => put(*path, &text(lines)),
        Edit::Line(path, at, line) if is_file(*path) => {
            let mut lines: Vec<_> = read(*path).split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
            let new = format!("changed {line}\n").into_bytes();
            match lines.get_mut(*at) {
                Some(old) => *old = new,
                None => lines.push(new),
            }
            put(*path, &lines.concat());
        }
        Edit::Binary(path, byte) => put(*path, &[0, *byte, 0]),
        Edit::Link(path, target) => {
            make_room(top, PATHS[*path]);
            symlink(PATHS[*target], top.join(PATHS[*path])).expect("there is room");
        }
        Edit::Remove(path) => {
            if top.join(PATHS[*path]).symlink_metadata().is_ok_and(|found| !found.is_dir()) {
                fs::remove_file(top.join(PATHS[*path])).expect("the test owns it");
            }
        }
        Edit::Rename(from, to) if is_file(*from) && from != to => {
            let content = read(*from);
            fs::remove_file(top.join(PATHS[*from])).expect("the test owns it");
            put(*to, &content);
        }
        Edit::Executable(path, is_executable) if is_file(*path) => {
            let mode = if *is_executable { 0o755 } else { 0o644 };
            fs::set_permissions(top.join(PATHS[*path]), Permissions::from_mode(mode)).expect("the test owns it");
        }
        Edit::Line(..) | Edit::Rename(..) | Edit::Executable(..) => {}
    }
}

fn apply_all(top: &Path, edits: &[Edit]) {
    edits.iter().for_each(|edit| apply(top, edit));
}

/// A project with random committed and uncommitted files.
fn project(committed: &[Edit], uncommitted: &[Edit]) -> Project {
    let project = Project::empty();
    apply_all(&project.top, committed);
    project.commit_all();
    apply_all(&project.top, uncommitted);
    project
}

/// Carries out one operation and then the one that takes it back. The files are as before, also after a conflict, and
/// nothing of the user's in git changes.
fn check_round_trip(project: &Project, task: &TaskId, there: OperationKind, back: OperationKind) {
    let (files, private) = (project.files_now(), project.private());
    let all = |kind| OperationRequest { all: true, ..request(kind, task) };
    match project.operate(&all(there)) {
        Ok(done) if done.files.is_empty() => {}
        Ok(_) => {
            assert_ne!(project.files_now(), files);
            project.operate(&all(back)).expect("nobody changed anything since");
        }
        Err(OperationError::Conflicts(conflicts)) => assert!(!conflicts.is_empty()),
        Err(OperationError::Unchanged) => {}
        Err(error) => panic!("{error}: {error:?}"),
    }
    assert_eq!(project.files_now(), files);
    assert_eq!(project.private(), private);
}

fn configuration() -> ProptestConfig {
    ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24),
        failure_persistence: None,
        max_shrink_iters: 200,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(configuration())]

    #[test]
    fn an_apply_and_its_undo_restore_the_users_files(
        committed in vec(edit(), 1..12),
        uncommitted in vec(edit(), 0..4),
        agent in vec(edit(), 1..8),
        user in vec(edit(), 0..5),
    ) {
        let project = project(&committed, &uncommitted);
        let task = project.worktree_task(|top| apply_all(top, &agent));
        apply_all(&project.top, &user);
        check_round_trip(&project, &task, OperationKind::Apply, OperationKind::Undo);
    }

    #[test]
    fn an_undo_and_its_redo_restore_the_users_files(
        committed in vec(edit(), 1..12),
        uncommitted in vec(edit(), 0..4),
        agent in vec(edit(), 1..8),
        user in vec(edit(), 0..5),
    ) {
        let project = project(&committed, &uncommitted);
        let before = files_in(&project.top);
        let task = project.task(&[], |top| apply_all(top, &agent));
        apply_all(&project.top, &user);
        check_round_trip(&project, &task, OperationKind::Undo, OperationKind::Redo);
        if user.is_empty() {
            let undo = OperationRequest { all: true, ..request(OperationKind::Undo, &task) };
            match project.operate(&undo) {
                Ok(_) | Err(OperationError::Unchanged) => prop_assert_eq!(project.files_now(), before),
                Err(error) => panic!("nobody changed anything since: {error}"),
            }
        }
    }
}
