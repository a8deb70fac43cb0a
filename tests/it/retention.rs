//! Removal of old tasks when a server starts, if it is configured.

use std::fs;

use connector_testing::eventually;
use serde_json::json;

use crate::world::{ANSWER_TIMEOUT, World, start, task_id, wait_for_log};

/// Number of log directory files of an ended task.
const ENDED: usize = 4;

/// Number of log directory files of a running task.
const RUNNING: usize = 3;

fn count_log_files(world: &World) -> usize {
    fs::read_dir(world.data_dir().join("logs")).expect("the log directory exists").count()
}

#[test]
fn old_tasks_are_removed_at_startup_and_the_next_answer_says_so() {
    let world = World::with_fake_agent();
    let mut first = world.server();
    let running = start(&mut first, world.fake(json!([{"say": "working on it"}, {"hang": true}])));
    wait_for_log(&world, &running, "working on it");
    let ids: Vec<_> = ["one", "two", "three"]
        .iter()
        .map(|say| task_id(&first.call("codex_agent", world.fake(json!([{"say": say}])), |_| {})))
        .collect();
    // A task's run directory is removed a moment after the task's end.
    eventually("only one run directory", ANSWER_TIMEOUT, || {
        (fs::read_dir(world.data_dir().join("run")).ok()?.count() == 1).then_some(())
    });
    assert_eq!(count_log_files(&world), 3 * ENDED + RUNNING, "nothing is removed by default");

    let world = world.configure("[retention]\nmax_tasks = 1\n");
    let mut second = world.server();
    eventually("the removal of two tasks", ANSWER_TIMEOUT, || {
        (count_log_files(&world) == ENDED + RUNNING).then_some(())
    });
    eventually("the removal of their run directories", ANSWER_TIMEOUT, || {
        (fs::read_dir(world.data_dir().join("run")).ok()?.count() == 1).then_some(())
    });
    // The notice is added a moment later, when the removal is complete.
    let mut listed = String::new();
    eventually("the notice", ANSWER_TIMEOUT, || {
        listed = second.call("codex_tasks", json!({}), |_| {}).text;
        listed
            .contains("2 old tasks were removed with all their files: 2 because of `retention.max_tasks`")
            .then_some(())
    });
    assert!(listed.contains(&ids[2]) && listed.contains(&running) && !listed.contains(&ids[0]), "{listed}");
    for removed in &ids[..2] {
        let status = second.call("codex_status", json!({"taskId": removed}), |_| {});
        assert!(status.is_error && status.text.contains("No such task"), "{}", status.text);
    }
    let kept = second.call("codex_status", json!({"taskId": ids[2]}), |_| {});
    assert!(kept.text.contains("three"), "{}", kept.text);
}
