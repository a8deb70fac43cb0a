//! Records of every version, and their token counts.

use super::*;

#[test]
fn a_record_of_the_original_program_is_read() {
    let record: TaskRecord = serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "task": "fix it", "status": "failed", "startedAt": "2024-01-15T10:30:00.000Z",
        "sandbox": "workspace-write", "workingDirectory": "/project", "exitCode": 1, "durationFormatted": "2m 30s"
    }))
    .expect("the documented fields are enough");
    let end = record.end.expect("it has ended");
    assert_eq!((record.format, end.exit_code), (0, Some(1)));
    assert_eq!((end.warnings.len(), end.turn_completed), (0, false));
}

#[test]
fn a_resumed_run_is_charged_only_for_its_own_tokens() {
    let usage = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let counted = |total: Option<Usage>, before: Option<Usage>| {
        let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "0123abcd", "status": "completed", "startedAt": "2024-01-15T10:30:00.000Z", "usage": total
        }))
        .expect("the documented fields are enough");
        let end = record.end.as_mut().expect("it has ended");
        end.count_since(before);
        (end.usage, end.session_usage, record.session_total())
    };
    let (first, second) = (Some(usage(1_000, 100)), Some(usage(1_050, 105)));
    assert_eq!(counted(second, first), (Some(usage(50, 5)), second, second));
    assert_eq!(counted(second, None), (None, second, second), "the earlier total is unknown");
    assert_eq!(counted(first, second), (None, first, first), "the total has gone down");
    assert_eq!(counted(None, first), (None, None, None), "the agent reported nothing");
}

#[test]
fn a_record_without_warnings_is_written_as_before_and_one_with_warnings_reads_back() {
    let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "status": "completed", "startedAt": "2024-01-15T10:30:00.000Z"
    }))
    .expect("the documented fields are enough");
    let written = serde_json::to_value(&record).expect("a record has only string keys");
    assert!(
        written.get("sessionUsage").is_none()
            && written.get("warnings").is_none()
            && written.get("turnCompleted").is_none(),
        "{written}"
    );
    let advice = Some("look".to_owned());
    let end = record.end.as_mut().expect("it has ended");
    end.warnings = vec![Warning::new("one"), Warning { message: "two".into(), advice }];
    end.turn_completed = true;
    let written = serde_json::to_string(&record).expect("a record has only string keys");
    assert_eq!(serde_json::from_str::<TaskRecord>(&written).expect("it was just written"), record);
}

#[test]
fn texts_of_callers_and_agents_are_untrusted_and_paths_are_not() {
    let text = "sk-0123456789";
    let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "task": text, "status": "completed", "startedAt": "2024-01-15T10:30:00.000Z",
        "workingDirectory": text, "model": text, "command": text, "agentVersion": text, "failureReason": text,
        "agentSaid": text, "advice": text, "result": text, "sessionId": text, "fellBack": [text, text],
        "warnings": [{"message": text, "advice": text}], "logFile": text, "resultFile": text, "debugFile": text
    }))
    .expect("it is a record");
    record.untrusted_texts().for_each(|text| *text = "clean".to_owned());
    let written = serde_json::to_value(&record).expect("a record has only string keys");
    let left =
        written.as_object().expect("it is an object").iter().filter(|(_, value)| value.to_string().contains(text));
    let left: Vec<_> = left.map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["workingDirectory", "logFile", "resultFile", "debugFile"]);
}

/// A record file with a value in every field.
const ENDED: &str = r#"{"format":1,"id":"0123abcd","task":"fix it","backend":"codex","sandbox":"workspace-write",
"workingDirectory":"/project","model":"m","status":"failed","startedAt":"2024-01-15T10:30:00.007Z",
"completedAt":"2024-01-15T10:32:30Z","pid":12,"command":"codex exec","agentVersion":"0.169.0",
"environment":{"HOME":"set"},"stdoutBytes":1,"stderrBytes":2,"lastActivityAt":"2024-01-15T10:32:14.800Z",
"lastActivityType":"stderr","heartbeatCount":3,"timeoutMs":4,"exitCode":5,"exitSignal":"SIGTERM",
"failureReason":"Exited with code 5","agentSaid":"no","advice":"yes","turnCompleted":true,
"warnings":[{"message":"one","advice":"two"}],"duration":6,"durationFormatted":"6ms","result":"done","sessionId":"s",
"fellBack":["claude: no"],"resumedFrom":"89abcdef","usage":{"inputTokens":1,"cachedInputTokens":2,
"outputTokens":3,"reasoningOutputTokens":4},"sessionUsage":{"inputTokens":5,"cachedInputTokens":6,
"outputTokens":7,"reasoningOutputTokens":8},"fromOriginal":true,"attempt":2,
"supervisor":{"pid":1,"startTime":2,"bootId":"b"},"agent":{"pid":3,"startTime":4,"bootId":"b"},"logFile":"/l",
"resultFile":"/r","debugFile":"/d"}"#;

/// The record file of a task that has just begun.
const RUNNING: &str = r#"{"format":1,"id":"0123abcd","task":"fix it","backend":"codex","sandbox":"read-only",
"workingDirectory":"/project","model":null,"status":"running","startedAt":"2024-01-15T10:30:00Z","completedAt":null,
"pid":null,"command":null,"agentVersion":null,"environment":{},"stdoutBytes":0,"stderrBytes":0,
"lastActivityAt":"2024-01-15T10:30:00Z","lastActivityType":"started","heartbeatCount":0,"timeoutMs":null,
"exitCode":null,"exitSignal":null,"failureReason":null,"agentSaid":null,"advice":null,"duration":null,
"durationFormatted":null,"result":null,"sessionId":null,"usage":null,"attempt":1,"supervisor":null,"agent":null,
"logFile":null,"resultFile":null,"debugFile":null}"#;

#[test]
fn a_record_is_written_byte_for_byte_as_it_was_read() {
    for text in [ENDED, RUNNING] {
        let text = text.replace('\n', "");
        let record: TaskRecord = serde_json::from_str(&text).expect("it is a record");
        assert_eq!(serde_json::to_string(&record).expect("a record has only string keys"), text);
    }
}

#[test]
fn a_running_task_has_no_end_even_if_its_file_has_one() {
    let text = ENDED.replace(r#""status":"failed""#, r#""status":"running""#);
    let record: TaskRecord = serde_json::from_str(&text).expect("it is a record");
    assert_eq!((record.status(), record.is_final(), record.end.is_none()), (TaskStatus::Running, false, true));
    assert_eq!((record.failure_reason(), record.completed_at(), record.session_total()), (None, None, None));
}

#[test]
fn a_task_that_ended_at_an_unknown_time_has_ended() {
    for (status, end) in
        [("completed", EndStatus::Completed), ("failed", EndStatus::Failed), ("interrupted", EndStatus::Interrupted)]
    {
        let record: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "0123abcd", "status": status, "startedAt": "2024-01-15T10:30:00.000Z"
        }))
        .expect("the documented fields are enough");
        assert_eq!((record.status().as_str(), record.end.as_ref()), (status, Some(&TaskEnd::bare(end))));
    }
}
