use std::collections::BTreeMap;

use chrono::TimeDelta;
use serde_json::json;

use super::{
    tests::{began, completed, failed, record, result, view},
    *,
};
use crate::task::{Listing, OnServerExit, Resumption, TaskId, TaskRecord, TaskView, WaitsFor};

fn id(word: &str) -> TaskId {
    TaskId::parse(word).expect("valid task ID")
}

fn resumable() -> TaskRecord {
    let usage = json!({"inputTokens": 50, "cachedInputTokens": 0, "outputTokens": 5, "reasoningOutputTokens": 0});
    let record = completed().with(json!({"sessionId": "0199-a", "usage": usage}));
    let command = Some("cd /project && codex resume 0199-a".to_owned());
    TaskRecord { resumption: Resumption { by_tool: true, command }, ..record }
}

#[test]
fn a_started_task_is_running_and_says_how_to_check_and_stop_it() {
    let task =
        StartedTask { id: id("1a2b3c4d"), record: Some(record("running")), in_worktree: false, neighbors: vec![] };
    assert_eq!(
        started(&task, OnServerExit::Interrupt, "codex-connector wait 1a2b3c4d"),
        "## Codex Agent Started\n\n\
         **Task ID:** 1a2b3c4d\n\
         **Status:** running\n\
         **Backend:** codex\n\
         **Sandbox:** read-only\n\
         **Working directory:** /project\n\n\
         The agent works in the background.\n\
         - To be notified when it finishes, run `codex-connector wait 1a2b3c4d` as a background shell command.\n\
         - To see its progress and its result, call `codex_status` with `taskId` `1a2b3c4d`.\n\
         - To stop it, call `codex_cancel` with `taskId` `1a2b3c4d`.\n\
         - It is stopped when this session ends."
    );
    let unread = StartedTask { record: None, ..task };
    assert!(started(&unread, OnServerExit::Continue, "x").contains("**Status:** running\n\nThe agent works"));
}

#[test]
fn a_started_task_names_the_other_tasks_in_its_repository() {
    let start = |neighbors: Vec<TaskId>| {
        started(
            &StartedTask { id: id("1a2b3c4d"), record: None, in_worktree: false, neighbors },
            OnServerExit::Continue,
            "x",
        )
    };
    let one = start(vec![id("00000001")]);
    assert!(one.contains("\n**Warning:** 1 other task is running in this repository (00000001). If "), "{one}");
    let many = start((1..=7).map(|digit| id(&format!("0000000{digit}"))).collect());
    assert!(many.contains("**Warning:** 7 other tasks are running in this repository (00000001, 00000002, 00000003, 00000004, 00000005, …)"), "{many}");
}

#[test]
fn every_answer_about_an_ended_task_says_how_it_ran_and_how_to_resume_it() {
    let expected = [
        "**Sandbox:** read-only\n",
        "**Working directory:** /project\n",
        "**Session ID:** 0199-a\n",
        "**Tokens:** input 50 (cached 0), output 5 (reasoning 0)\n",
        "**Resume:** call `codex_resume` with `taskId` `1a2b3c4d`, or run `cd /project && codex resume 0199-a` in a terminal\n",
    ];
    let ended_record = resumable();
    for answer in [
        ended(&ended_record, None),
        brief(&ended_record, None),
        cancelled(&ended_record),
        already_ended(&ended_record),
        status(view(ended_record.clone()), None, began()),
    ] {
        for line in expected {
            assert!(answer.contains(line), "{line} in {answer}");
        }
    }
    let by_tool = TaskRecord { resumption: Resumption { by_tool: true, command: None }, ..resumable() };
    assert!(ended(&by_tool, None).contains("**Resume:** call `codex_resume` with `taskId` `1a2b3c4d`\n"));
    assert!(!ended(&completed(), None).contains("Resume"));
}

#[test]
fn a_command_that_is_too_long_or_unsafe_is_not_offered() {
    let of = |command: String| {
        let resumption = Resumption { by_tool: false, command: Some(command) };
        ended(&TaskRecord { resumption, ..completed() }, None)
    };
    assert!(!of(format!("cd /{} && codex resume x", "x".repeat(300))).contains("Resume"));
    assert!(of("cd '/a`b' && codex resume x".to_owned()).contains("**Resume:** run cd '/a\\`b' && codex"));
}

#[test]
fn a_result_of_another_agent_does_not_claim_to_be_from_codex() {
    let gemini = completed().with(json!({"backend": "gemini"}));
    assert!(ended(&gemini, None).starts_with("## Gemini Agent Result\n"));
    assert!(ended(&completed().with(json!({"backend": null})), None).starts_with("## Codex Agent Result\n"));
}

#[test]
fn a_poll_without_news_says_so_and_stops_there() {
    let before = StatusPoll::of(&view(record("running")), began());
    let later = began() + TimeDelta::seconds(75);
    let short = unchanged(&view(record("running")), &before, later).expect("nothing has changed");
    assert_eq!(
        short,
        "## Task Status\n\n\
         **Task ID:** 1a2b3c4d\n\
         **Status:** running\n\
         **New:** no change since you last checked (1m 15s ago)\n\
         **Elapsed:** 1m 15s\n\n\
         To see the other facts and the log again, call `codex_status` with `tailLines`."
    );
    assert_eq!(unchanged(&view(failed()), &before, later), None, "its status is new");
    let mut more = view(record("running"));
    more.tail.lines.push("three".into());
    assert_eq!(unchanged(&more, &before, later), None, "a log line is new");
    let ended = TaskView { result: result("done"), ..view(failed()) };
    let before = StatusPoll::of(&ended, began());
    let short = unchanged(&ended, &before, later).expect("nothing has changed");
    assert!(short.contains("**Failure reason:** Exited with code 1\n") && short.contains("done"), "{short}");
}

#[test]
fn tasks_are_listed_in_a_table() {
    let long = record("running").with(json!({"task": "`x`".repeat(100)}));
    let killed = failed().with(json!({"exitSignal": "SIGTERM", "exitCode": null}));
    let queued = record("running").with(json!({"id": "00000002"}));
    let cancelled = failed().with(json!({"failureReason": "Cancelled by user", "exitCode": null}));
    let late = failed().with(json!({"failureReason": "Timeout after 5m 0s (limit: 5m 0s)"}));
    let late = late.with(json!({"workingDirectory": format!("/{}/end", "x".repeat(80))}));
    let offline = record("running").with(json!({"id": "00000003"}));
    let network = WaitsFor::Network { since: began() - TimeDelta::seconds(179) };
    let waiting = [(id("00000002"), WaitsFor::Turn), (id("00000003"), network)].into();
    let records = vec![long, killed, queued, offline, cancelled, late];
    let listing = Listing { records, total: 7, waiting, is_partial: false };
    assert_eq!(
        tasks(&listing, began() + TimeDelta::seconds(1)),
        format!(
            "| ID | Status | Duration | Exit | Task | Started | Directory |\n\
             |----|--------|----------|------|------|---------|-----------|\n\
             | 1a2b3c4d | running | 1.0s | (running) | {}\\`… | 2024-01-15 10:30 UTC | /project |\n\
             | 1a2b3c4d | failed | 2m 30s | SIGTERM | fix \\| it now | 2024-01-15 10:30 UTC | /project |\n\
             | 00000002 | running (queued) | 1.0s | (running) | fix \\| it now | 2024-01-15 10:30 UTC | /project |\n\
             | 00000003 | running (waiting for the network, 3m 0s) | 1.0s | (running) | fix \\| it now | 2024-01-15 10:30 UTC | /project |\n\
             | 1a2b3c4d | failed (cancelled) | 2m 30s | none | fix \\| it now | 2024-01-15 10:30 UTC | /project |\n\
             | 1a2b3c4d | failed (timed out) | 2m 30s | 1 | fix \\| it now | 2024-01-15 10:30 UTC | …{}/end |\n\n\
             The newest 6 of 7 tasks are shown; use a larger `limit` to see more.",
            "\\`x\\`".repeat(26),
            "x".repeat(56)
        )
    );
}

#[test]
fn an_empty_list_says_that_no_tasks_were_found() {
    assert_eq!(
        tasks(&Listing { records: Vec::new(), total: 0, waiting: BTreeMap::new(), is_partial: false }, began()),
        "No tasks found."
    );
}

#[test]
fn a_list_that_exceeds_an_answer_says_how_many_tasks_it_shows() {
    let records = vec![completed().with(json!({"task": "|".repeat(200)})); 1_000];
    let answer = tasks(&Listing { records, total: 2_000, waiting: BTreeMap::new(), is_partial: false }, began());
    assert!(answer.chars().count() < MAX_ANSWER_CHARACTERS, "{}", answer.chars().count());
    assert!(answer.ends_with("of 2000 tasks are shown; the others do not fit into one answer: filter by `status`."));
}
