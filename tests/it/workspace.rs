//! What a task changed in its repository: snapshots, the record, the timeline, and answers.

use std::fs;

use connector_testing::GitProject;
use serde_json::{Value, json};

use crate::world::{World, and, field, start, task_id, wait_for_end, wait_for_log};

/// The state of a repository that a task must not change: index, HEAD, refs of the user, stash and settings.
fn untouched(project: &GitProject) -> Vec<String> {
    let index = fs::read(project.path().join(".git/index")).expect("there is an index");
    let refs = project.git(&["for-each-ref"]);
    let refs: Vec<_> = refs.lines().filter(|line| !line.contains("refs/codex-connector/")).collect();
    let config = fs::read_to_string(project.path().join(".git/config")).expect("there is a configuration");
    vec![format!("{index:?}"), project.git(&["rev-parse", "HEAD"]), refs.join("\n"), config]
}

fn git_refs(project: &GitProject, id: &str) -> Vec<String> {
    let refs = project.git(&["for-each-ref", "--format=%(refname)", &format!("refs/codex-connector/{id}/")]);
    refs.lines().map(|name| name.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// The events of this kind in a task's timeline.
fn events(world: &World, id: &str, kind: &str) -> Vec<Value> {
    let timeline = fs::read_to_string(world.log_file(id, "timeline.jsonl")).expect("the task has a timeline");
    let entries = timeline.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    entries.filter(|entry| entry["kind"] == kind).collect()
}

#[test]
fn the_changes_of_a_task_are_in_its_record_its_timeline_and_its_answer() {
    let world = World::with_fake_agent();
    world.project.write("README.md", "A project for tests.\nedited by the user\n");
    world.project.write("untracked", "by the user\n");
    let before = untouched(&world.project);
    let mut server = world.server();
    let task = world.fake(json!([
        {"write": {"path": "new.txt", "text": "one\ntwo\n"}},
        {"write": {"path": "README.md", "text": "A project for tests.\nedited by the agent\n"}},
        {"run": "rm untracked"}
    ]));
    let answer = server.call("codex_agent", task, |_| {});
    let id = task_id(&answer);
    let record = world.record(&id);
    let log = world.log(&id);
    assert_eq!(record["workspace"]["branch"], "main", "{record:#}\n{log}");
    assert_eq!(record["workspace"]["uncommitted"], 2, "{record:#}");
    let changes = &record["changes"];
    assert_eq!((&changes["files"], &changes["added"], &changes["removed"]), (&json!(3), &json!(3), &json!(2)));
    assert_eq!(changes["unnamed"], 1, "no event names the removed file: {changes:#}");
    assert_eq!(git_refs(&world.project, &id), ["after", "before"]);
    assert_eq!(untouched(&world.project), before);
    let events = events(&world, &id, "changes");
    assert_eq!(events.len(), 1);
    assert_eq!((&events[0]["files"], &events[0]["base"]), (&json!(3), &changes["base"]), "{}", events[0]);
    assert!(log.contains("CHANGES: 3 files, +3 -2"), "{log}");
    eprintln!("{}\n{}\n{log}", answer.text, wait_for_end(&mut server, &id));
}
