//! Measures times and memory with 0 to 100,000 tasks. Run `cargo test --release --lib catalog::speed -- --ignored
//! --nocapture`.

#![expect(clippy::print_stderr, reason = "a measurement is for a person to read")]

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use chrono::DateTime;

use super::{
    open::Catalog,
    rebuild::{Check, rebuild},
    row::{Filter, Row},
    tests::{World, id, row},
};
use crate::task::TaskStatus;

/// The variable that gives the child process its directory.
const WHERE: &str = "CATALOG_MEMORY_DIRECTORY";

fn history(number: u32) -> Row {
    let state = if number.is_multiple_of(10) { TaskStatus::Failed } else { TaskStatus::Completed };
    Row {
        repository: format!("/home/user/project-{}", number % 50),
        backend: if number.is_multiple_of(3) { "claude" } else { "codex" }.to_owned(),
        record: format!("{{\"task\":\"{}\"}}", "a typical text ".repeat(100)),
        ..row(number, state)
    }
}

/// The median time of 51 runs.
fn median<T>(mut run: impl FnMut() -> T) -> Duration {
    let mut times: Vec<_> = (0..51)
        .map(|_| {
            let began = Instant::now();
            std::hint::black_box(run());
            began.elapsed()
        })
        .collect();
    times.sort();
    times[times.len() / 2]
}

/// Private memory that this process has written to, in kB.
fn private_memory() -> u64 {
    let rollup = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let lines = rollup.lines().filter(|line| line.starts_with("Private_Dirty"));
    lines.filter_map(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

#[test]
#[ignore = "a measurement, which takes a minute without optimization"]
fn the_cost_of_each_operation_is_flat() {
    let mut before = None;
    for tasks in [0, 1_000, 10_000, 100_000] {
        let world = World::new();
        let began = Instant::now();
        drop(world.rebuild((0..tasks).map(history)));
        let rebuilt = began.elapsed();
        let size = fs::metadata(world.path()).expect("it exists").len();

        let path = world.path();
        let mut next = tasks;
        let mut alone = || {
            next += 1;
            Catalog::open_to_write(&path)
                .and_then(|mut catalog| catalog.upsert(&history(next)))
                .expect("it is writable")
        };
        let write_alone = median(&mut alone);
        let server = Catalog::open_to_read(&path).expect("it exists");
        let write_with_reader = median(&mut alone);
        let filter = Filter { repository: Some("/home/user/project-7".to_owned()), ..Filter::default() };
        let failed = Filter { state: Some(TaskStatus::Failed), ..filter.clone() };
        let recent = Filter { since: DateTime::from_timestamp(i64::from(tasks) - 100, 0), ..Filter::default() };
        let list = |filter: &Filter| {
            median(|| server.newest(filter, 20, &std::collections::BTreeSet::new()).expect("it is readable"))
        };
        let count = |filter: &Filter| median(|| server.counts(filter).expect("it is readable"));
        let times = [
            ("newest 20", list(&Filter::default())),
            ("newest 20 of a repository", list(&filter)),
            ("newest 20 failed of a repository", list(&failed)),
            ("newest 20 since", list(&recent)),
            ("counts", count(&Filter::default())),
            ("counts of a repository", count(&filter)),
            ("counts since", count(&recent)),
            ("one task", median(|| server.get(&id(tasks / 2)).expect("it is readable"))),
            ("ended since", median(|| server.ended_since(i64::from(tasks), 20).expect("it is readable"))),
            ("oldest ended", median(|| server.oldest_ended(u64::from(tasks / 2), 64).expect("it is readable"))),
            (
                "open and list",
                median(|| {
                    Catalog::open_to_read(&path)
                        .and_then(|reader| reader.newest(&filter, 20, &std::collections::BTreeSet::new()))
                        .expect("it is readable")
                }),
            ),
            ("write alone", write_alone),
            ("write next to a reader", write_with_reader),
        ];
        eprintln!("{tasks} tasks: rebuilt in {rebuilt:?}, {} MB", size >> 20);
        let before = before.get_or_insert_with(|| times.map(|(_, time)| time));
        for ((name, time), before) in times.iter().zip(before) {
            eprintln!("    {name:28}{time:>12.1?}");
            let flat = *before * 5 + Duration::from_millis(1);
            assert!(*time <= flat, "{name} takes {time:?} with {tasks} tasks, but {before:?} with none");
        }
    }
}

#[test]
#[ignore = "a measurement"]
fn an_open_catalog_takes_little_memory() {
    let world = World::new();
    let before = private_memory();
    // Built in a child process, so that this process never used memory for a rebuild.
    let made = Command::new(env::current_exe().expect("the test's own path is known"))
        .args(["--exact", "store::catalog::speed_tests::make", "--ignored", "--quiet"])
        .env(WHERE, world.dir.path())
        .output();
    assert!(made.expect("the test can be run again").status.success());
    let started = private_memory();
    let reader = Catalog::open_to_read(&world.path()).expect("it exists");
    let opened = private_memory();
    for _ in 0..100 {
        reader.newest(&Filter::default(), 20, &std::collections::BTreeSet::new()).expect("it is readable");
        reader.counts(&Filter::default()).expect("it is readable");
    }
    let used = private_memory();
    eprintln!("private memory: {before} kB, {started} before, {opened} kB open, {used} kB after 100 listings");
    drop(reader);
    eprintln!("{} kB closed", private_memory());
    assert!(used < started + 400, "an open catalog takes {} kB", used - started);
}

#[test]
#[ignore = "the test above runs it in a child process"]
fn make() {
    let Some(dir) = env::var_os(WHERE) else { return };
    let dir = Path::new(&dir);
    rebuild(&dir.join("index.sqlite"), &dir.join("index.lock"), Check::Opens, (0..100_000).map(history))
        .expect("it is writable");
}
