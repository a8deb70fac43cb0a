//! Tests of lists, with tasks that have no processes.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::*;
use crate::{
    broker::fake_executor::{FakeExecutor, StopsWhen},
    config::{Config, Overrides},
    registry::Registry,
    store::{Claim, OpenTask, Upkeep},
    task::Outcome,
};

/// A broker with its own data directory, and the open tasks in it.
struct World {
    _dir: tempfile::TempDir,
    broker: Broker,
    upkeep: Upkeep,
    open: Vec<OpenTask>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let mut registry = Registry::default();
        registry.add::<connector_claude::Claude>();
        let set =
            ["backends.claude.kind=claude", "backends.claude.program=/no/such/program", "tasks.default_backend=claude"];
        let overrides = Overrides {
            data_dir: Some(dir.path().join("data")),
            set: set.map(str::to_owned).into(),
            ..Overrides::default()
        };
        let home = [("HOME".into(), dir.path().into())];
        let config = Config::load(&overrides, &registry, home.into_iter()).expect("the settings are valid");
        let upkeep = Upkeep::open(&config.data_dir, &config.log_dir).expect("it is writable");
        let executor = Arc::new(FakeExecutor::new(upkeep.clone(), StopsWhen::Asked));
        let broker = Broker::new(config, &registry, upkeep.clone(), executor).expect("it can be built");
        Self { _dir: dir, broker, upkeep, open: Vec::new() }
    }

    /// Adds a task that began at `second`. Keeps it open if it has not ended.
    fn add(&mut self, second: i64, status: TaskStatus, reason: Option<&str>) -> TaskId {
        let Ok(Claim::Claimed(task)) = self.upkeep.claim(&TaskId::random()) else { panic!("a new ID is free") };
        let started = DateTime::<Utc>::from_timestamp(1_800_000_000 + second, 0).expect("a valid time");
        let record = json!({
            "format": 1, "id": task.id(), "task": "t", "status": status, "startedAt": started, "failureReason": reason
        });
        let record: TaskRecord = serde_json::from_value(record).expect("these fields are enough");
        task.write_record(&record).expect("it is writable");
        match status {
            TaskStatus::Running => self.open.push(task),
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Interrupted => {
                task.close().expect("it is writable");
            }
        }
        record.id
    }
}

#[tokio::test]
async fn a_page_and_the_numbers_tell_states_and_outcomes_apart() {
    let mut world = World::new();
    let completed = world.add(0, TaskStatus::Completed, None);
    let cancelled: Vec<_> =
        (1..4).map(|second| world.add(second, TaskStatus::Failed, Some("Cancelled by user"))).collect();
    let failed = world.add(4, TaskStatus::Failed, Some("Exited with code 1"));
    let running = world.add(5, TaskStatus::Running, None);
    let queued = world.add(6, TaskStatus::Running, None);
    world.open[1].take_ticket(Utc::now()).expect("it is writable");

    let all = Filter::default();
    for (word, expected) in [
        ("queued", vec![&queued]),
        ("running", vec![&running]),
        ("ended", vec![&failed, &cancelled[2], &cancelled[1], &cancelled[0], &completed]),
        ("completed", vec![&completed]),
        ("failed", vec![&failed]),
        ("cancelled", vec![&cancelled[2], &cancelled[1], &cancelled[0]]),
        ("timed_out", vec![]),
    ] {
        let state = StateFilter::parse(word).expect("a known word");
        for limit in [1, 2, 9] {
            let mut found = Vec::new();
            for skip in (0..6).step_by(limit) {
                let page =
                    world.broker.find_page(&all, Some(state), Page { skip, limit }).await.expect("it is readable");
                assert!(page.tasks.iter().all(|task| state.selects(task)), "{word}");
                assert_eq!(page.total, expected.len(), "{word}");
                found.extend(page.tasks.into_iter().map(|task| task.record.id));
            }
            assert_eq!(found.iter().collect::<Vec<_>>(), expected, "{word} in pages of {limit}");
        }
    }
    let counts = world.broker.counts(&all).await.expect("it is readable");
    let expected = TaskCounts { queued: 1, running: 1, completed: 1, failed: 1, cancelled: 3, ..TaskCounts::default() };
    assert_eq!(counts, expected);
    assert_eq!(counts.of(StateFilter::Outcome(Outcome::Cancelled)), 3);
}

#[test]
fn a_word_is_a_prefix_or_the_number_of_a_row() {
    let parse = |word: &str| TaskWord::parse(word).ok();
    assert_eq!(parse("@12"), Some(TaskWord::Row(12)));
    assert_eq!(parse("1a"), Some(TaskWord::Prefix("1a".to_owned())));
    assert_eq!(parse("1A2B3C4D"), Some(TaskWord::Prefix("1a2b3c4d".to_owned())));
    for word in ["", "a", "@", "@0", "@-1", "@x", "1a2b3c4d5", "xy", "../x", "ä1"] {
        assert_eq!(parse(word), None, "{word}");
    }
    assert!(matches!(TaskWord::parse("a"), Err(NotOneTask::TooShort(_))));
}
