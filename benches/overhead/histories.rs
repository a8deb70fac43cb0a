//! Data directories with many tasks, written as this version and as the original program leave them.

use std::{fs, io, path::Path};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::world::{World, task_id, wait_for_supervisors};

/// Tasks that every history has, even one of 0 tasks, so that all listings are equally long, and `tasks.json` holds as many as it ever
/// does.
pub(crate) const LISTED: u32 = 400;

/// The entries that `tasks.json` has at first. A program that keeps fewer drops the others with the first task.
const ENTRIES: u32 = 1_000;

/// The original program's index, as it is checked in for the tests.
const ORIGINAL: &str = include_str!("../../tests/it/fixtures/original-tasks.json");

/// The number of directories in which the tasks ran. In each, half of the tasks failed.
const DIRECTORIES: u32 = 10;

/// The program that left a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The build that is measured: a record for each task, and the newest in `tasks.json`.
    Own,
    /// The original program: everything in `tasks.json`.
    Original,
}

/// Writes a history of `size` tasks beyond the [`LISTED`] ones. Returns the ID of a task in its middle.
pub(crate) fn write(world: &World, origin: Origin, size: u32) -> io::Result<String> {
    let asked = task(size / 2 + LISTED / 2);
    match origin {
        Origin::Own => own(world, size, &asked)?,
        Origin::Original => original(world, size)?,
    }
    Ok(asked)
}

/// The repository of one in [`DIRECTORIES`] tasks.
pub(crate) fn directory(number: u32) -> String {
    format!("/home/user/project-{}", number % DIRECTORIES)
}

/// The ID of a task: the greater the number, the older the task. IDs have no order, as random ones have none.
fn task(number: u32) -> String {
    format!("{:08x}", number.wrapping_mul(0x9E37_79B1))
}

fn own(world: &World, size: u32, asked: &str) -> io::Result<()> {
    let logs = world.data_dir().join("logs");
    let mut server = world.server();
    let template_id = task_id(&world.run(&mut server, "hello"));
    wait_for_supervisors(&server);
    drop(server);
    let template: Value = serde_json::from_slice(&fs::read(world.log_file(&template_id, "debug.json"))?)?;
    let now = Utc::now();
    let mut newest = Map::new();
    for number in 0..size + LISTED {
        let id = task(number);
        let mut record = template.clone();
        let text = format!("Task {number} of a long history: {}", "some words of a task ".repeat(45));
        for key in ["task", "result"] {
            record[key] = text.as_str().into();
        }
        for (key, ending) in [("logFile", "log"), ("resultFile", "result"), ("debugFile", "debug.json")] {
            record[key] = logs.join(format!("{id}.{ending}")).to_string_lossy().into();
        }
        common(&mut record, &id, number, now);
        fs::write(logs.join(format!("{id}.debug.json")), serde_json::to_vec_pretty(&record)?)?;
        if number < ENTRIES {
            newest.insert(id, record);
        }
    }
    // The task that is asked for has all of its files.
    for ending in ["log", "result", "timeline.jsonl"] {
        let from = world.log_file(&template_id, ending);
        if from.exists() {
            fs::copy(from, world.log_file(asked, ending))?;
        }
    }
    let data = world.data_dir();
    fs::write(data.join("tasks.json"), Value::Object(newest).to_string())?;
    // The measured build rebuilds the catalog from all records.
    remove_if_there(&data, &["index.sqlite", "index.sqlite-wal", "index.sqlite-shm", "index.lock"])
}

fn original(world: &World, size: u32) -> io::Result<()> {
    let checked_in: Value = serde_json::from_str(ORIGINAL)?;
    let template = checked_in["3f9a1c07"].clone();
    let now = Utc::now();
    let entries = (0..size + LISTED).map(|number| {
        let id = task(number);
        let mut entry = template.clone();
        let text = format!("Task {number} of a long history: {}", "some words of a task ".repeat(45));
        for key in ["task", "result"] {
            entry[key] = text.as_str().into();
        }
        common(&mut entry, &id, number, now);
        (id, entry)
    });
    fs::write(world.data_dir().join("tasks.json"), Value::Object(entries.collect()).to_string())
}

/// The fields in which the tasks of any program differ.
fn common(record: &mut Value, id: &str, number: u32, now: DateTime<Utc>) {
    let began = now - TimeDelta::minutes(i64::from(number) + 1);
    let text = |moment: DateTime<Utc>| moment.to_rfc3339_opts(SecondsFormat::Millis, true);
    record["id"] = id.into();
    record["workingDirectory"] = directory(number).into();
    record["startedAt"] = text(began).into();
    record["completedAt"] = text(began + TimeDelta::seconds(40)).into();
    if (number / DIRECTORIES).is_multiple_of(2) {
        record["status"] = "failed".into();
        record["exitCode"] = 1.into();
        record["failureReason"] = "Exited with code 1".into();
    }
}

fn remove_if_there(dir: &Path, names: &[&str]) -> io::Result<()> {
    for name in names {
        match fs::remove_file(dir.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}
