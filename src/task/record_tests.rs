//! Records of every age, and what is counted in them.

use super::*;

#[test]
fn a_record_of_the_original_program_is_read() {
    let record: TaskRecord = serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "task": "fix it", "status": "failed", "startedAt": "2024-01-15T10:30:00.000Z",
        "sandbox": "workspace-write", "workingDirectory": "/project", "exitCode": 1, "durationFormatted": "2m 30s"
    }))
    .expect("the documented fields are enough");
    assert_eq!((record.format, record.exit_code), (0, Some(1)));
    assert_eq!((record.warnings.len(), record.turn_completed), (0, false));
}

#[test]
fn a_resumed_run_is_charged_only_for_its_own_tokens() {
    let usage = |input_tokens, output_tokens| Usage { input_tokens, output_tokens, ..Usage::default() };
    let counted = |total: Option<Usage>, before: Option<Usage>| {
        let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "0123abcd", "status": "completed", "startedAt": "2024-01-15T10:30:00.000Z", "usage": total
        }))
        .expect("the documented fields are enough");
        record.count_since(before);
        (record.usage, record.session_usage, record.session_total())
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
    record.warnings = vec![Warning::new("one"), Warning { message: "two".into(), advice }];
    record.turn_completed = true;
    let written = serde_json::to_string(&record).expect("a record has only string keys");
    assert_eq!(serde_json::from_str::<TaskRecord>(&written).expect("what was written is read"), record);
}

#[test]
fn every_text_of_a_caller_or_an_agent_is_foreign_and_no_path_is() {
    let text = "sk-0123456789";
    let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "task": text, "status": "completed", "startedAt": "2024-01-15T10:30:00.000Z",
        "workingDirectory": text, "model": text, "command": text, "agentVersion": text, "failureReason": text,
        "agentSaid": text, "advice": text, "result": text, "sessionId": text, "fellBack": [text, text],
        "warnings": [{"message": text, "advice": text}], "logFile": text, "resultFile": text, "debugFile": text
    }))
    .expect("it is a record");
    record.foreign_texts().for_each(|text| *text = "clean".to_owned());
    let written = serde_json::to_value(&record).expect("a record has only string keys");
    let left =
        written.as_object().expect("it is an object").iter().filter(|(_, value)| value.to_string().contains(text));
    let left: Vec<_> = left.map(|(name, _)| name.as_str()).collect();
    assert_eq!(left, ["workingDirectory", "logFile", "resultFile", "debugFile"]);
}
