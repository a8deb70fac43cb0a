use chrono::{DateTime, TimeDelta, Utc};
use connector_api::{Usage, Warning};
use serde_json::json;

use super::*;
use crate::{
    present::StatusPoll,
    task::{ActivityKind, LiveView, LogTail, ResultText, Resumption, Steps, TaskId, TaskRecord, TaskView, Untrusted},
};

pub(super) fn began() -> DateTime<Utc> {
    "2024-01-15T10:30:00Z".parse().expect("valid timestamp")
}

pub(super) fn record(status: &str) -> TaskRecord {
    serde_json::from_value(json!({
        "id": "1a2b3c4d", "task": "fix | it\nnow", "backend": "codex", "agentVersion": "0.169.0", "sandbox": "read-only",
        "workingDirectory": "/project", "status": status, "startedAt": "2024-01-15T10:30:00Z",
        "lastActivityAt": "2024-01-15T10:32:14.800Z", "lastActivityType": "stderr", "stdoutBytes": 15_234,
        "stderrBytes": 892, "heartbeatCount": 5, "logFile": "/logs/1a2b3c4d.log",
        "resultFile": "/logs/1a2b3c4d.result", "debugFile": "/logs/1a2b3c4d.debug.json"
    }))
    .expect("valid record")
}

pub(super) fn failed() -> TaskRecord {
    record("failed").with(json!({
        "exitCode": 1, "failureReason": "Exited with code 1", "agentSaid": "stream ```disconnected```",
        "advice": "check the\nnetwork", "durationFormatted": "2m 30s", "timeoutMs": 300_000
    }))
}

pub(super) fn completed() -> TaskRecord {
    record("completed").with(json!({"exitCode": 0, "durationFormatted": "2m 30s"}))
}

pub(super) fn result(text: &str) -> Option<ResultText> {
    Some(ResultText { head: text.into(), left_out: 0, tail: "".into() })
}

pub(super) fn view(record: TaskRecord) -> TaskView {
    TaskView {
        record,
        live: None,
        tail: LogTail { lines: vec!["[…] one".into(), "two".into()], has_more: true },
        result: None,
    }
}

#[test]
fn names_and_programs_in_our_own_sentences_can_be_copied() {
    let variable = "CODEX_CONNECTOR_TASKS__DEFAULT_TIMEOUT";
    let refused = Refused::new(format!("unknown key `a__b` in `{variable}`"), format!("use `{variable}` instead"));
    assert_eq!(refused.markdown(), format!("unknown key `a__b` in `{variable}`\nnext: use `{variable}` instead"));
    let answer = ended(&completed().with(json!({"fellBack": ["x: `my__codex` not found on PATH", "x: **y**"]})), None);
    assert!(answer.contains("run: x: `my__codex` not found on PATH; x: \\*\\*y\\*\\*\n"), "{answer}");
}

#[test]
fn a_success_has_the_result_in_a_fence() {
    assert_eq!(
        ended(&completed(), result("All **done**.\n```\ncode\n```\n")),
        "## Codex Agent Result\n\n\
         **Task ID:** 1a2b3c4d\n\
         **Status:** completed successfully\n\
         **Duration:** 2m 30s\n\
         **Exit code:** 0\n\
         **Backend:** codex (0.169.0)\n\
         **Sandbox:** read-only\n\
         **Working directory:** /project\n\
         **Log:** /logs/1a2b3c4d.log\n\n\
         Stdout: 15234 bytes\n\
         Stderr: 892 bytes\n\n\
         ### Result\n````\nAll **done**.\n```\ncode\n```\n````"
    );
}

#[test]
fn a_failure_says_why_what_the_agent_said_and_what_to_do() {
    let answer = ended(&failed(), None);
    let expected =
        "**Status:** failed\n**Duration:** 2m 30s\n**Exit code:** 1\n**Failure reason:** Exited with code 1\n";
    assert!(answer.contains(expected), "{answer}");
    let explained =
        "### What the agent said\n````\nstream ```disconnected```\n````\n\n### What to do\ncheck the network";
    assert!(answer.ends_with(explained), "{answer}");
}

#[test]
fn text_about_an_agent_that_did_not_start_is_not_attributed_to_it() {
    let record = failed().with(json!({"failureReason": "Process error: ENOENT (spawn failed)"}));
    let answer = ended(&record, None);
    assert!(answer.contains("### Why it did not start\n") && !answer.contains("the agent said"), "{answer}");
}

#[test]
fn a_task_that_has_not_failed_cannot_be_rescued() {
    assert!(
        prompts::rescue(&failed(), None, &prompts::Sentence::default())
            .is_ok_and(|text| text.starts_with("A delegated task failed."))
    );
    for (record, status) in [(completed(), "completed"), (record("running"), "running")] {
        let refused =
            prompts::rescue(&record, None, &prompts::Sentence::default()).expect_err("it has not failed").plain();
        assert!(refused.starts_with(&format!("task 1a2b3c4d has not failed; its status is {status}")), "{refused}");
    }
}

#[test]
fn an_offset_past_the_end_of_a_result_is_named() {
    let id = TaskId::parse("1a2b3c4d").expect("valid task ID");
    assert_eq!(
        result_chunk(&id, 99_999, 13, None, &"".into()),
        "`offset` 99999 is past the end: the result of task 1a2b3c4d has 13 bytes."
    );
    assert!(result_chunk(&id, 13, 13, None, &"".into()).contains("This is the end of the result."));
}

#[test]
fn a_call_that_waits_for_tasks_does_not_claim_that_they_started() {
    let ids = ["1a2b3c4d", "00000000"].map(|id| TaskId::parse(id).expect("valid task ID"));
    assert_eq!(waiting(&ids[..1]), "Waiting for task 1a2b3c4d");
    assert_eq!(waiting(&ids), "Waiting for 2 tasks");
}

#[test]
fn a_result_that_is_only_in_the_record_is_shown() {
    let record = completed().with(json!({"result": "kept"}));
    assert!(ended(&record, None).ends_with("### Result\n```\nkept\n```"));
}

#[test]
fn every_answer_about_an_ended_task_shows_its_warnings() {
    let advice = Some("look\nfor yourself".to_owned());
    let warnings = vec![Warning { message: "no *final* message".into(), advice }, Warning::new("more")];
    let record = completed().with(json!({"warnings": warnings}));
    let expected = "**Warning:** no \\*final\\* message. What to do: look for yourself\n**Warning:** more\n";
    for answer in [ended(&record, None), brief(&record, None), status(view(record.clone()), None, began())] {
        assert!(answer.contains(expected), "{answer}");
        assert!(answer.find("**Status:**") < answer.find("**Warning:**"), "{answer}");
    }
    let many = completed().with(json!({"warnings": vec![Warning::new("x".repeat(300)); 9]}));
    let answer = ended(&many, None);
    assert!(answer.contains("\n**Warning:** 6 more in the log\n"), "{answer}");
}

#[test]
fn tokens_of_a_session_are_labelled_as_such() {
    let usage = |input_tokens, output_tokens| Some(Usage { input_tokens, output_tokens, ..Usage::default() });
    for (run, session, expected) in [
        (usage(50, 5), None, "input 50 (cached 0), output 5 (reasoning 0)\n"),
        (
            usage(50, 5),
            usage(1_050, 105),
            "input 50 (cached 0), output 5 (reasoning 0); whole session so far: input 1050, output 105\n",
        ),
        (None, usage(1_050, 105), "input 1050 (cached 0), output 105 (reasoning 0), for the whole session so far\n"),
    ] {
        let record = completed().with(json!({"usage": run, "sessionUsage": session}));
        let answer = status(view(record), None, began());
        assert!(answer.contains(&format!("\n**Tokens:** {expected}")), "{answer}");
    }
}

#[test]
fn a_completed_turn_is_shown_next_to_the_failure_reason() {
    let record = failed().with(json!({"turnCompleted": true, "agentSaid": null, "advice": null}));
    let expected =
        "**Failure reason:** Exited with code 1\n**Turn Status:** completed; the agent exited with code 1 afterwards\n";
    for answer in [ended(&record, None), brief(&record, None), status(view(record.clone()), None, began())] {
        assert!(answer.contains("**Status:** failed\n") && answer.contains(expected), "{answer}");
    }
    let record = record.with(json!({"exitCode": null, "exitSignal": "SIGSEGV", "failureReason": "Killed by SIGSEGV"}));
    let expected = "**Turn Status:** completed; the agent was killed by SIGSEGV afterwards\n";
    assert!(ended(&record, None).contains(expected), "{}", ended(&record, None));
}

#[test]
fn a_status_has_the_documented_parts() {
    assert_eq!(
        status(TaskView { result: result("partly"), ..view(failed()) }, None, began()),
        "## Task Status\n\n\
         **Task ID:** 1a2b3c4d\n\
         **Status:** failed\n\
         **Failure reason:** Exited with code 1\n\
         **Duration:** 2m 30s\n\
         **Started:** 2024-01-15T10:30:00.000Z\n\
         **Last activity:** 2024-01-15T10:32:14.800Z (stderr)\n\
         **Heartbeats:** 5\n\
         **Task:** fix | it now\n\
         **Working directory:** /project\n\
         **Backend:** codex (0.169.0)\n\
         **Sandbox:** read-only\n\n\
         ### What the agent said\n````\nstream ```disconnected```\n````\n\n\
         ### What to do\ncheck the network\n\n\
         ### Diagnostics\n\
         | Metric | Value |\n\
         |--------|-------|\n\
         | Exit code | 1 |\n\
         | Exit signal | none |\n\
         | Stdout bytes | 15234 |\n\
         | Stderr bytes | 892 |\n\
         | Timeout | 300000ms |\n\n\
         ### Recent log (last 2 lines)\n```\n[…] one\ntwo\n```\n\n\
         ### Result\n```\npartly\n```\n\n\
         ### Files\n\
         **Log:** /logs/1a2b3c4d.log\n\
         **Result:** /logs/1a2b3c4d.result\n\
         **Record:** /logs/1a2b3c4d.debug.json"
    );
}

#[test]
fn a_running_task_shows_its_activity_and_its_trouble() {
    let live = LiveView {
        format: 1,
        phase: "working".into(),
        last_event: Some("command started: make".into()),
        trouble: Some("Reconnecting 2/5".into()),
        offline_since: Some(began() + TimeDelta::seconds(15)),
        stdout_bytes: 0,
        stderr_bytes: 0,
        last_activity_at: began(),
        last_activity_type: ActivityKind::Started,
        heartbeat_count: 0,
    };
    let answer =
        status(TaskView { live: Some(live), ..view(record("running")) }, None, began() + TimeDelta::seconds(75));
    let expected = "**Status:** running\n**⚠ Trouble:** Reconnecting 2/5 (the agent is retrying)\n\
                    **Waiting for the network:** 1m 0s\n\
                    **Phase:** working\n**Last event:** command started: make\n**Elapsed:** 1m 15s\n";
    assert!(answer.contains(expected), "{answer}");
    assert!(answer.contains("| Exit code | (running) |\n| Exit signal | (running) |\n"), "{answer}");
    assert!(answer.contains("| Timeout | none |"), "{answer}");
    assert!(!answer.contains(".result"), "{answer}");
}

#[test]
fn a_repeated_status_begins_with_the_changes() {
    let poll = |record: TaskRecord, lines: &[&str]| {
        let lines = lines.iter().map(|line| Untrusted::from(*line)).collect();
        let view = TaskView { tail: LogTail { lines, has_more: false }, ..view(record) };
        StatusPoll::of(&view, began())
    };
    let later = began() + TimeDelta::seconds(75);
    let before = poll(record("running").with(json!({"stdoutBytes": 234})), &["[…] one"]);
    let answer = status(view(failed()), Some(&before), later);
    let new = "status (previously running), 1 log line, 15000 bytes of output since you last checked (1m 15s ago)";
    assert!(answer.contains(&format!("**Status:** failed\n**New:** {new}\n")), "{answer}");
    assert!(answer.contains("### Recent log (last 2 lines, 1 new)\n"), "{answer}");

    let steps = Steps { messages: 1, commands: 2, changes: 1, tools: 0, warnings: 0 };
    let answer = status(view(failed()), Some(&StatusPoll { steps, ..before }), later);
    let new = "status (previously running), 1 message, 2 commands, 1 file change, 15000 bytes of output since you last checked";
    assert!(answer.contains(&format!("**New:** {new} (1m 15s ago)\n")), "{answer}");

    let before = poll(failed(), &["[…] one", "two"]);
    let long = result(&"x".repeat(5_000));
    let answer = status(TaskView { result: long.clone(), ..view(failed()) }, Some(&before), later);
    assert!(answer.contains("**New:** no change since you last checked (1m 15s ago)\n"), "{answer}");
    assert!(answer.matches('x').count() < 500, "the full result is shown only once: {answer}");
    let answer = status(TaskView { result: long, ..view(failed()) }, None, later);
    assert!(answer.matches('x').count() > 5_000, "{answer}");
}

/// Length of a status without its log lines and its result, in characters.
fn status_overhead(view: TaskView, before: Option<&StatusPoll>) -> usize {
    let lines: usize = view.tail.lines.iter().map(|line| line.raw().chars().count().min(200) + 1).sum();
    let result = view.result.as_ref().map_or(0, |result| result.head.raw().chars().count());
    status(view, before, began() + TimeDelta::days(40)).chars().count() - lines - result
}

#[test]
fn a_status_is_short_apart_from_its_log_lines_and_result() {
    let usage = connector_api::Usage {
        input_tokens: 123_456_789,
        cached_input_tokens: 123_456_000,
        output_tokens: 9_876_543,
        reasoning_output_tokens: 8_765_432,
    };
    let live = |text: &str| LiveView {
        format: 1,
        phase: text.into(),
        last_event: Some(text.into()),
        trouble: Some(text.into()),
        offline_since: Some(began()),
        stdout_bytes: u64::MAX / 4,
        stderr_bytes: u64::MAX / 4,
        last_activity_at: began(),
        last_activity_type: ActivityKind::Stdout,
        heartbeat_count: u64::MAX,
    };
    for text in ["x".repeat(3_000), "_a*".repeat(1_000), "/home/somebody/some_where".to_owned(), "`".repeat(3_000)] {
        let record = failed().with(json!({
            "task": text, "workingDirectory": text, "model": text, "agentVersion": text, "sessionId": text,
            "failureReason": text, "agentSaid": text, "advice": text, "logFile": text, "resultFile": text,
            "debugFile": text, "usage": usage, "sessionUsage": usage,
            "warnings": vec![Warning { message: text.clone(), advice: Some(text.clone()) }; 10]
        }));
        let resumption = Resumption { by_tool: true, command: Some(text.clone()) };
        let record = TaskRecord { resumption, ..record };
        let view = || TaskView { live: Some(live(&text)), result: result("done"), ..view(record.clone()) };
        let before = StatusPoll::of(&view(), began());
        for before in [None, Some(&before)] {
            let length = status_overhead(view(), before);
            assert!(
                length < status::MAX_STATUS_CHARACTERS,
                "{length} characters:\n{}",
                super::status(view(), before, began())
            );
        }
    }
}

#[test]
fn all_ended_tasks_are_reported_and_as_many_as_fit_in_full() {
    let of = |records: &[Box<TaskRecord>]| all_ended(records, &[], |_| result(&"x".repeat(5_000)));
    assert_eq!(of(&[]), "");
    let record = Box::new(completed());
    assert_eq!(of(std::slice::from_ref(&record)), brief(&record, result(&"x".repeat(5_000))));
    let text = of(&vec![record; 50]);
    let in_full = text.matches("## Task Ended").count();
    assert!(in_full > 10 && text.matches("1a2b3c4d").count() >= 50, "{in_full} in full");
    assert!(text.contains("\n\nAlso ended: 1a2b3c4d completed, 1a2b3c4d completed, "), "{text}");
}

#[test]
fn a_task_cancelled_by_the_user_has_failed() {
    let record = failed().with(json!({"failureReason": "Cancelled by user"}));
    let answer = cancelled(&record);
    let expected = "## Task Cancelled\n\n**Task ID:** 1a2b3c4d\n**Status:** failed\n**Duration:** 2m 30s\n";
    assert!(answer.starts_with(expected) && answer.contains("**Failure reason:** Cancelled by user"), "{answer}");
    assert!(answer.contains("**Backend:** codex (0.169.0)"), "{answer}");
    assert!(cancelled(&completed()).starts_with("## Task Not Cancelled\n"));
    assert!(already_ended(&completed()).contains("**Status:** completed"));
}

#[test]
fn no_answer_is_longer_than_clients_show() {
    let texts = ["x".repeat(10 << 20), "`".repeat(1 << 20), "ä\n".repeat(1 << 20), "````\n".repeat(1 << 18)];
    for result_text in texts {
        let text: String = result_text.chars().take(100_000).collect();
        let record = failed().with(json!({
            "agentSaid": text, "advice": text, "failureReason": text, "task": text, "sessionId": text,
            "workingDirectory": text,
            "warnings": vec![Warning { message: text.clone(), advice: Some(text.clone()) }; 10]
        }));
        let tail = LogTail { lines: text.lines().take(10_000).map(Untrusted::from).collect(), has_more: true };
        let view = TaskView { record: record.clone(), live: None, tail, result: result(&result_text) };
        let records = vec![record.clone(); 3];
        let boxed: Vec<_> = records.iter().cloned().map(Box::new).collect();
        let together = all_ended(&boxed, &[], |_| result(&text));
        let listed = sessions(&vec![&record; 200], 200, began());
        let hook_text = ended_tasks(&records, 0).expect("tasks have ended");
        let single = [ended(&record, result(&result_text)), status(view, None, began()), cancelled(&record)];
        for answer in single.into_iter().chain([together, listed, hook_text]) {
            assert!(answer.chars().count() < MAX_ANSWER_CHARACTERS - 2_500, "{} characters", answer.chars().count());
        }
    }
}
