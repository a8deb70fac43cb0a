//! Data directories written by released versions, checked in unchanged. Later versions must be able to open them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::reconcile::reconcile_all;
use crate::{
    store::{Reader, Upkeep},
    task::{IndexLimits, OnServerExit, TaskId, TaskStatus, Untrusted},
};

const LIMITS: IndexLimits = IndexLimits { entries: 500, text: 2_000 };

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/fixtures")
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("it is writable");
    for file in fs::read_dir(from).expect("the fixture exists").flatten() {
        let (from, to) = (file.path(), to.join(file.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).expect("it is writable");
        }
    }
}

fn opened(fixture: &Path, data: &Path) -> Upkeep {
    copy(fixture, data);
    Upkeep::open(data, &data.join("logs")).expect("it is writable")
}

fn statuses(reader: &Reader) -> Vec<(String, TaskStatus)> {
    let records = reader.list(None, 10).expect("it is readable").records;
    records.into_iter().map(|record| (record.id.to_string(), record.status())).collect()
}

fn id(id: &str) -> TaskId {
    TaskId::parse(id).expect("a valid ID")
}

#[test]
fn a_data_directory_of_version_2_0_0_opens_and_its_dead_task_is_finalized() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    let upkeep = opened(&fixtures().join("release-2.0.0"), dir.path());
    let (done, failed, died) = (id("dadfb5cb"), id("63da724e"), id("49f81622"));

    assert_eq!(statuses(upkeep.reader()).len(), 3);
    let record = upkeep.reader().record(&failed).expect("it is readable").expect("it exists");
    assert_eq!((record.status(), record.end.as_ref().and_then(|end| end.exit_code)), (TaskStatus::Failed, Some(3)));
    assert_eq!(record.agent_said().map(Untrusted::raw), Some("a complaint"));
    let result = upkeep.reader().result(&done, 1_000).expect("it is readable").expect("it exists");
    assert_eq!(result.head, "did it: Write it");
    assert!(
        upkeep
            .reader()
            .tail_log(&done, 50)
            .expect("it is readable")
            .lines
            .iter()
            .any(|line| line.raw().contains("END: completed"))
    );
    let policy = upkeep.reader().policy(&died).expect("its policy can be read");
    assert_eq!(policy.on_server_exit, OnServerExit::Interrupt);
    assert!(upkeep.reader().live(&died).is_some(), "its live view can be read");

    reconcile_all(&upkeep, LIMITS).expect("it is writable");

    let expected = [(&died, TaskStatus::Interrupted), (&failed, TaskStatus::Failed), (&done, TaskStatus::Completed)];
    assert_eq!(statuses(upkeep.reader()), expected.map(|(id, status)| (id.to_string(), status)));
    assert_eq!(upkeep.notices().take(), Vec::<String>::new());
}

#[test]
fn either_the_index_or_the_records_are_enough() {
    for lost in ["tasks.json", "logs"] {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        copy(&fixtures().join("release-2.0.0"), dir.path());
        let path = dir.path().join(lost);
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("the test owns it");
        let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
        assert_eq!(statuses(upkeep.reader()).len(), 3, "without {lost}");
    }
}

#[test]
fn a_data_directory_of_the_original_program_opens() {
    let dir = tempfile::tempdir().expect("a temporary directory can be created");
    fs::copy(fixtures().join("original-tasks.json"), dir.path().join("tasks.json")).expect("it is writable");
    let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
    let listed = statuses(upkeep.reader());
    for (task, status) in [("3f9a1c07", TaskStatus::Completed), ("b81d22e4", TaskStatus::Failed)] {
        assert!(listed.contains(&(task.to_owned(), status)), "{task}: {listed:?}");
    }
    assert_eq!(upkeep.notices().take(), Vec::<String>::new());
}

#[test]
fn tasks_of_an_old_data_directory_stay_listed_without_its_catalog() {
    let spoil: [fn(&Path); 4] = [
        |path| drop(fs::remove_file(path)),
        |path| fs::write(path, "SQLite format 3").expect("it is writable"),
        |path| fs::write(path, "").expect("it is writable"),
        |path| fs::remove_file(path).and_then(|()| fs::create_dir(path)).expect("it is writable"),
    ];
    for (fixture, tasks) in [("release-2.0.0", 3), ("original", 2)] {
        for spoil in spoil {
            let dir = tempfile::tempdir().expect("a temporary directory can be created");
            if fixture == "original" {
                let index = fixtures().join("original-tasks.json");
                fs::copy(index, dir.path().join("tasks.json")).expect("it is writable");
            } else {
                copy(&fixtures().join(fixture), dir.path());
            }
            let upkeep = Upkeep::open(dir.path(), &dir.path().join("logs")).expect("it is writable");
            let before = statuses(upkeep.reader());
            assert!(before.len() >= tasks, "{fixture}: {before:?}");
            upkeep.catch_up(chrono::Utc::now());
            assert_eq!(statuses(upkeep.reader()), before, "{fixture}");
            assert_eq!(upkeep.notices().take(), Vec::<String>::new(), "{fixture}");

            let catalog = dir.path().join("index.sqlite");
            spoil(&catalog);
            assert_eq!(statuses(upkeep.reader()), before, "{fixture}");
            upkeep.catch_up(chrono::Utc::now());
            let notices = upkeep.notices().take();
            assert!(notices.iter().any(|notice| notice.contains("rebuilt")), "{fixture}: {notices:?}");
            assert_eq!(statuses(upkeep.reader()), before, "{fixture}");
            assert!(catalog.is_file() && upkeep.notices().take().is_empty(), "{fixture}");
        }
    }
}
