//! Tests of the broker's policy, with tasks that have no processes. Time is paused: it jumps to the next timer when
//! nothing runs.

use std::{sync::Arc, time::Duration};

use chrono::SubsecRound;
use connector_api::Sandbox;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Broker, Cancelled, FollowedTask, NewTask, Refusal, TaskUpdate, TimeLimit,
    fake_executor::{ExecutorCall, FakeExecutor, StopsWhen},
};
use crate::{
    config::{Config, Overrides},
    registry::Registry,
    store::{Claim, OpenTask, TimelineWriter, Upkeep},
    task::{EndStatus, TaskEnd, TaskId, TaskRecord, TaskStatus, TimelineEvent, Untrusted, WarningSource},
};

/// A broker with its own data directory.
struct World {
    dir: tempfile::TempDir,
    broker: Broker,
    executor: Arc<FakeExecutor>,
}

impl World {
    fn new(ends: StopsWhen) -> Self {
        let dir = tempfile::tempdir().expect("a temporary directory can be created");
        let mut registry = Registry::default();
        registry.add::<connector_claude::Claude>();
        let set = ["kind=claude", "program=/no/such/program", "require_git=false"];
        let set = set.map(|setting| format!("backends.claude.{setting}"));
        let overrides = Overrides {
            data_dir: Some(dir.path().join("data")),
            set: set.into_iter().chain(["tasks.default_backend=claude".to_owned()]).collect(),
            ..Overrides::default()
        };
        let home = [("HOME".into(), dir.path().into())];
        let config = Config::load(&overrides, &registry, home.into_iter()).expect("the settings are valid");
        let upkeep = Upkeep::open(&config.data_dir, &config.log_dir).expect("it is writable");
        let executor = Arc::new(FakeExecutor::new(upkeep.clone(), ends));
        let broker = Broker::new(config, &registry, upkeep, Arc::clone(&executor) as _).expect("it can be built");
        Self { dir, broker, executor }
    }

    fn task(&self, time_limit: TimeLimit) -> NewTask {
        NewTask {
            prompt: "do it".to_owned(),
            working_directory: self.dir.path().to_owned(),
            sandbox: Some(Sandbox::ReadOnly),
            model: None,
            time_limit,
            backend: None,
            resume: None,
            worktree: None,
            submitter: crate::task::Submitter::default(),
        }
    }

    async fn submit(&self, time_limit: TimeLimit) -> TaskId {
        self.broker.submit(self.task(time_limit)).await.expect("it can be started")
    }

    async fn record(&self, id: &TaskId) -> TaskRecord {
        self.broker.view(id, 1).await.expect("the task exists").record
    }

    /// The record of the task once it has ended.
    async fn end_of(&self, id: &TaskId) -> TaskRecord {
        let begun = Instant::now();
        loop {
            let record = self.record(id).await;
            if record.is_final() {
                return record;
            }
            assert!(begun.elapsed() < Duration::from_secs(3_600), "it does not end");
            sleep(Duration::from_secs(1)).await;
        }
    }
}

fn reason(record: &TaskRecord) -> &str {
    record.failure_reason().map_or("", Untrusted::raw)
}

#[tokio::test(start_paused = true)]
async fn a_responsive_task_is_cancelled_without_force() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    let Ok(Cancelled::Ended(record)) = world.broker.cancel(&id).await else { panic!("it ends") };
    assert_eq!((record.status(), reason(&record)), (TaskStatus::Failed, "Cancelled by user"));
    assert_eq!(world.executor.calls(), [ExecutorCall::Start, ExecutorCall::AskToStop]);
}

#[tokio::test(start_paused = true)]
async fn an_unresponsive_task_is_forced_to_stop_after_its_grace_period() {
    let world = World::new(StopsWhen::Forced);
    let id = world.submit(TimeLimit::None).await;
    let Ok(Cancelled::Ended(record)) = world.broker.cancel(&id).await else { panic!("it ends") };
    assert_eq!(reason(&record), "Cancelled by user");
    assert_eq!(world.executor.calls(), [ExecutorCall::Start, ExecutorCall::AskToStop, ExecutorCall::ForceStop]);
    let waited = world.executor.time_of(ExecutorCall::ForceStop).zip(world.executor.time_of(ExecutorCall::AskToStop));
    let waited = waited.map(|(forced, asked)| forced - asked).expect("both were called");
    let grace = world.broker.config().policy.grace;
    let least = super::cancel::SUPERVISOR_TIMEOUT + grace.interrupt + 2 * grace.terminate;
    assert!((least..least + Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_task_that_cannot_be_stopped_is_reported_as_stopping() {
    let world = World::new(StopsWhen::EndedByTest);
    let id = world.submit(TimeLimit::None).await;
    assert!(matches!(world.broker.cancel(&id).await, Ok(Cancelled::Stopping)));
    assert_eq!(world.executor.calls(), [ExecutorCall::Start, ExecutorCall::AskToStop, ExecutorCall::ForceStop]);
    assert_eq!(world.record(&id).await.status(), TaskStatus::Running);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_has_ended_is_not_asked_to_stop() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    world.executor.end(&id);
    let Ok(Cancelled::HadEnded(record)) = world.broker.cancel(&id).await else { panic!("it had ended") };
    assert_eq!(record.status(), TaskStatus::Completed);
    assert_eq!(world.executor.calls(), [ExecutorCall::Start]);
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_task_is_finalized_instead_of_cancelled() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    world.executor.lose(&id);
    let Ok(Cancelled::HadEnded(record)) = world.broker.cancel(&id).await else { panic!("it had ended") };
    assert_eq!(record.status(), TaskStatus::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_does_not_exist_cannot_be_cancelled() {
    let world = World::new(StopsWhen::Asked);
    let refusal = world.broker.cancel(&TaskId::random()).await.expect_err("there is no such task");
    assert!(matches!(refusal, Refusal::NoSuchTask(_)), "{refusal}");
    assert_eq!(world.executor.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn an_id_that_is_in_use_is_replaced() {
    let world = World::new(StopsWhen::Asked);
    world.executor.refuse_ids(2);
    let id = world.submit(TimeLimit::None).await;
    assert_eq!((world.executor.ids_tried(), world.record(&id).await.status()), (3, TaskStatus::Running));
}

#[tokio::test(start_paused = true)]
async fn the_number_of_id_attempts_is_limited() {
    let world = World::new(StopsWhen::Asked);
    world.executor.refuse_ids(usize::MAX);
    let refusal = world.broker.submit(world.task(TimeLimit::None)).await.expect_err("no ID is free");
    assert!(matches!(refusal, Refusal::Start(_)), "{refusal}");
    assert_eq!(world.executor.ids_tried(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_is_refused_is_not_started() {
    let world = World::new(StopsWhen::Asked);
    let unknown = NewTask { model: Some("nobody/".to_owned()), ..world.task(TimeLimit::None) };
    let nowhere = NewTask { working_directory: "/no/such/directory".into(), ..world.task(TimeLimit::None) };
    for task in [unknown, nowhere] {
        world.broker.submit(task).await.expect_err("it cannot be done as asked");
    }
    assert_eq!(world.executor.calls(), []);
}

#[tokio::test(start_paused = true)]
async fn a_task_whose_supervisor_dies_is_finalized_without_a_request() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    world.executor.lose(&id);
    // Reads the record directly, because reading it through the broker would finalize the task.
    let reader = world.broker.upkeep.reader();
    for _ in 0..1_000 {
        if reader.record(&id).expect("it is readable").is_some_and(|record| record.is_final()) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the task was not finalized");
}

#[tokio::test(start_paused = true)]
async fn an_overdue_task_is_asked_to_stop_and_later_forced() {
    let world = World::new(StopsWhen::Forced);
    let limit = Duration::from_secs(60);
    let id = world.submit(TimeLimit::After(limit)).await;
    let record = world.end_of(&id).await;
    assert!(reason(&record).starts_with("Timeout after"), "{}", reason(&record));
    assert_eq!(world.executor.calls(), [ExecutorCall::Start, ExecutorCall::AskToStop, ExecutorCall::ForceStop]);
    let grace = world.broker.config().policy.grace;
    let graces = grace.interrupt + 2 * grace.terminate;
    let (asked, forced) =
        (world.executor.time_of(ExecutorCall::AskToStop), world.executor.time_of(ExecutorCall::ForceStop));
    let (asked, forced) = asked.zip(forced).expect("both were called");
    assert!(asked >= limit + graces, "{asked:?}: the supervisor gets its own time first");
    assert!(
        forced - asked >= super::cancel::SUPERVISOR_TIMEOUT + graces,
        "{:?}: the supervisor gets time to react",
        forced - asked
    );
}

#[tokio::test(start_paused = true)]
async fn a_responsive_overdue_task_is_not_forced() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::After(Duration::from_secs(60))).await;
    let record = world.end_of(&id).await;
    assert!(reason(&record).starts_with("Timeout after"), "{}", reason(&record));
    assert_eq!(world.executor.calls(), [ExecutorCall::Start, ExecutorCall::AskToStop]);
}

#[tokio::test(start_paused = true)]
async fn a_task_that_ends_in_time_is_left_alone() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::After(Duration::from_secs(60))).await;
    sleep(Duration::from_secs(59)).await;
    world.executor.end(&id);
    sleep(Duration::from_secs(600)).await;
    assert_eq!(world.record(&id).await.status(), TaskStatus::Completed);
    assert_eq!(world.executor.calls(), [ExecutorCall::Start]);
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_policy_does_not_mean_no_time_limit() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    assert!(!world.broker.enforce_for_another(&id).await.expect("it can be read"), "it has no limit");
    let policy = world.dir.path().join("data/run").join(id.as_str()).join("policy.json");
    for damage in [&b"{"[..], b""] {
        std::fs::write(&policy, damage).expect("it is writable");
        assert!(world.broker.enforce_for_another(&id).await.expect("the record can be read"), "it may have one");
    }
    std::fs::remove_file(&policy).expect("it exists");
    assert!(world.broker.enforce_for_another(&id).await.expect("the record can be read"), "it may have one");
}

#[tokio::test(start_paused = true)]
async fn listing_finalizes_orphaned_tasks_and_shows_the_others_as_running() {
    let world = World::new(StopsWhen::Asked);
    let (alive, dead, stuck) =
        (world.submit(TimeLimit::None).await, world.submit(TimeLimit::None).await, world.submit(TimeLimit::None).await);
    world.executor.make_unsettleable(&stuck);
    for id in [&dead, &stuck] {
        world.executor.lose(id);
    }
    let listing =
        world.broker.list(None, 10).await.expect("a task that cannot be finalized does not prevent a listing");
    let status = |id: &TaskId| listing.records.iter().find(|record| record.id == *id).map(|record| record.status());
    assert_eq!(
        [status(&alive), status(&dead), status(&stuck)],
        [Some(TaskStatus::Running), Some(TaskStatus::Interrupted), Some(TaskStatus::Running)]
    );
    let notices = world.broker.notices();
    assert!(notices.len() == 1 && notices[0].contains(stuck.as_str()), "{notices:?}");
}

#[tokio::test(start_paused = true)]
async fn checking_that_a_task_exists_changes_nothing() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    world.executor.make_unsettleable(&id);
    world.executor.lose(&id);
    world.broker.check_exists(&id).await.expect("it has a record");
    let refusal = world.broker.check_exists(&TaskId::random()).await.expect_err("there is no such task");
    assert!(matches!(refusal, Refusal::NoSuchTask(_)), "{refusal}");
}

#[tokio::test(start_paused = true)]
async fn listing_sets_a_damaged_index_aside() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    let index = world.dir.path().join("data/tasks.json");
    std::fs::write(&index, "garbage").expect("it is writable");
    let listing = world.broker.list(None, 10).await.expect("the records are listed");
    assert_eq!(listing.records.iter().map(|record| &record.id).collect::<Vec<_>>(), [&id]);
    assert!(!index.exists());
    let notices = world.broker.notices();
    assert!(notices.len() == 1 && notices[0].contains("tasks-damaged-"), "{notices:?}");
}

/// A task of another server, and its record.
fn task_of_another_server(world: &World) -> (OpenTask, TaskRecord) {
    let id = TaskId::random();
    let Ok(Claim::Claimed(task)) = world.broker.upkeep.claim(&id) else { panic!("a new ID is free") };
    let record = serde_json::from_value(serde_json::json!({
        "format": 1, "id": id, "task": "x", "status": "running", "startedAt": "2026-01-15T10:30:00Z"
    }));
    let record: TaskRecord = record.expect("these fields are enough");
    task.write_record(&record).expect("it is writable");
    (task, record)
}

fn write_message(timeline: &mut TimelineWriter, text: &str) {
    timeline.append(chrono::Utc::now(), TimelineEvent::Message { text: text.to_owned() });
    timeline.flush().expect("it is writable");
}

/// Writes that the agent waits for the network. Returns the time of the entry.
fn write_trouble(timeline: &mut TimelineWriter) -> chrono::DateTime<chrono::Utc> {
    let now = chrono::Utc::now().trunc_subsecs(3);
    let (source, text) = (WarningSource::AgentTrouble, "no network".to_owned());
    timeline.append(now, TimelineEvent::Warning { source, text, offline: true });
    timeline.flush().expect("it is writable");
    now
}

async fn next(follow: &mut FollowedTask) -> TaskUpdate {
    let update = timeout(Duration::from_secs(3_600), follow.next()).await.expect("there is an update");
    update.expect("it can be followed")
}

#[tokio::test(start_paused = true)]
async fn a_task_of_another_server_is_followed_through_its_timeline() {
    let world = World::new(StopsWhen::EndedByTest);
    let (task, mut record) = task_of_another_server(&world);
    let mut timeline = task.open_timeline().expect("it is writable");
    write_message(&mut timeline, "one");
    write_message(&mut timeline, "two");
    let mut follow = world.broker.follow(&record.id);
    let event = |text: &str| TaskUpdate::Event(format!("message: {text}"));
    assert_eq!(next(&mut follow).await, event("two"), "only the newest is returned");
    write_message(&mut timeline, "three");
    assert_eq!(next(&mut follow).await, event("three"));
    let since = write_trouble(&mut timeline);
    assert_eq!(next(&mut follow).await, TaskUpdate::Offline { since });
    record.end = Some(TaskEnd::new(EndStatus::Completed, None, chrono::Utc::now(), Duration::ZERO));
    task.write_record(&record).and_then(|()| task.end_timeline(&record)).expect("it is writable");
    task.close().expect("it can be closed");
    let TaskUpdate::Ended(ended) = next(&mut follow).await else { panic!("nothing else is new") };
    assert_eq!(ended.status(), TaskStatus::Completed);
}

#[tokio::test(start_paused = true)]
async fn the_death_of_a_supervisor_is_noticed_within_about_a_second() {
    let world = World::new(StopsWhen::EndedByTest);
    let (task, record) = task_of_another_server(&world);
    let mut timeline = task.open_timeline().expect("it is writable");
    write_message(&mut timeline, "one");
    let mut follow = world.broker.follow(&record.id);
    next(&mut follow).await;
    drop(task);
    let began = Instant::now();
    let TaskUpdate::Ended(ended) = next(&mut follow).await else { panic!("nothing else is new") };
    assert_eq!(ended.status(), TaskStatus::Interrupted);
    assert!(began.elapsed() <= Duration::from_millis(1_100), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_task_of_an_older_version_is_followed_through_its_live_view() {
    let world = World::new(StopsWhen::EndedByTest);
    let (task, record) = task_of_another_server(&world);
    let mut follow = world.broker.follow(&record.id);
    for text in ["message: one", "message: two"] {
        let live = serde_json::from_value(serde_json::json!({
            "format": 1, "phase": "working", "lastEvent": text, "trouble": null, "stdoutBytes": 0, "stderrBytes": 0,
            "lastActivityAt": "2026-01-15T10:30:00Z", "lastActivityType": "started", "heartbeatCount": 0
        }));
        task.live_view().write(&live.expect("these are all fields")).expect("it is writable");
        assert_eq!(next(&mut follow).await, TaskUpdate::Event(text.to_owned()));
    }
    // A task can be followed even if a directory has the name of its timeline.
    let name = format!("{}.timeline.jsonl", record.id);
    std::fs::create_dir(world.broker.reader.log_dir().join(name)).expect("it is writable");
    drop(task);
    assert!(matches!(next(&mut follow).await, TaskUpdate::Ended(_)));
}

#[tokio::test(start_paused = true)]
async fn a_record_that_does_not_exist_is_not_named() {
    let world = World::new(StopsWhen::Asked);
    let id = world.submit(TimeLimit::None).await;
    world.broker.cancel(&id).await.expect("it runs");
    world.end_of(&id).await;
    let file = world.dir.path().join(format!("data/logs/{id}.debug.json"));
    for (named, is_shown) in [(file.clone(), true), (world.dir.path().join("set-aside"), false)] {
        let text = std::fs::read_to_string(&file).expect("it has a record");
        let mut record: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
        record["debugFile"] = serde_json::json!(named);
        std::fs::write(&file, record.to_string()).expect("it is writable");
        assert_eq!(world.record(&id).await.start.debug_file.is_some(), is_shown, "{named:?}");
    }
}
