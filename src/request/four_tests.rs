use serde_json::{Value, json};

use super::*;
use crate::present::tools::{Defaults, four};

fn raw(value: Value) -> RawArguments {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is not an object"),
    }
}

fn read(tool: &str, arguments: Value) -> Result<(), Refused> {
    match tool {
        "codex_agent" => AgentCall::read(raw(arguments)).map(drop),
        "codex_status" => StatusCall::read(raw(arguments)).map(drop),
        "codex_tasks" => TasksCall::read(raw(arguments)).map(drop),
        _ => cancel_call(raw(arguments)).map(drop),
    }
}

fn agent(more: Value) -> Result<AgentCall, Refused> {
    let mut arguments = raw(json!({"task": "fix it", "workingDirectory": "/project"}));
    arguments.extend(raw(more));
    AgentCall::read(arguments)
}

#[test]
fn an_agent_call_has_the_documented_defaults() {
    let call =
        agent(json!({"sandbox": null, "model": null, "async": null, "timeoutMs": null})).expect("valid arguments");
    assert_eq!((call.task.prompt.as_str(), call.answer_when), ("fix it", AnswerWhen::Ended));
    assert_eq!((call.task.sandbox, call.task.model, call.task.time_limit), (None, None, TimeLimit::Default));
    assert!(call.remarks.is_empty());
}

#[test]
fn the_arguments_of_an_agent_call_are_parsed() {
    let more = json!({"sandbox": "read-only", "model": "gpt-5", "async": true, "timeoutMs": 1500.0});
    let call = agent(more).expect("valid arguments");
    assert_eq!(call.answer_when, AnswerWhen::Started);
    assert_eq!((call.task.sandbox, call.task.model.as_deref()), (Some(Sandbox::ReadOnly), Some("gpt-5")));
    assert_eq!(call.task.time_limit, TimeLimit::After(Duration::from_millis(1500)));
}

#[test]
fn whitespace_in_a_task_is_kept() {
    let task = "  fix it\n";
    let call = AgentCall::read(raw(json!({"task": task, "workingDirectory": "/project"}))).expect("valid arguments");
    assert_eq!(call.task.prompt, task);
}

#[test]
fn zero_and_huge_timeouts_mean_no_timeout() {
    for (millis, remarks) in [(json!(0), 0), (json!(-0.0), 0), (json!(u64::MAX), 1), (json!(1e300), 1)] {
        let call = agent(json!({"timeoutMs": millis})).expect("valid arguments");
        assert_eq!((call.task.time_limit, call.remarks.len()), (TimeLimit::None, remarks), "{millis}");
    }
}

#[test]
fn counts_are_clamped_and_the_answer_says_so() {
    for huge in [json!(20_000), json!(1e300)] {
        let status = StatusCall::read(raw(json!({"taskId": "1a2b3c4d", "tailLines": huge}))).expect("valid arguments");
        assert_eq!(status.tail_lines, 10_000);
        assert_eq!(status.remarks, ["`tailLines` was reduced to 10000, the maximum"]);
        let tasks = TasksCall::read(raw(json!({"limit": huge}))).expect("valid arguments");
        assert_eq!((tasks.limit, tasks.remarks.len()), (1_000, 1));
    }
    let status = StatusCall::read(raw(json!({"taskId": "1a2b3c4d", "tailLines": 10.0}))).expect("valid arguments");
    assert_eq!((status.tail_lines, status.remarks.len()), (10, 0));
}

#[test]
fn without_arguments_tasks_of_every_status_are_listed() {
    let expected = TasksCall { status: None, limit: 20, remarks: Vec::new() };
    assert_eq!(TasksCall::read(RawArguments::new()), Ok(expected.clone()));
    assert_eq!(TasksCall::read(raw(json!({"status": "all"}))), Ok(expected.clone()));
    let failed = TasksCall { status: Some(TaskStatus::Failed), ..expected };
    assert_eq!(TasksCall::read(raw(json!({"status": "failed"}))), Ok(failed));
}

#[test]
fn an_invalid_task_id_is_answered_with_the_form_of_a_task_id() {
    for word in ["../../etc/passwd", "/logs/1a2b3c4d", "1A2B3C4D", "1a2b3c4d5", "`x`\n"] {
        let refused = cancel_call(raw(json!({"taskId": word}))).expect_err("invalid task ID");
        let text = refused.markdown();
        let lines: Vec<_> = text.lines().collect();
        assert!(lines[0].ends_with("` is not a task ID (eight hex digits, such as 1a2b3c4d)"), "{text}");
        assert_eq!(lines[0].matches('`').count(), 2, "{text}");
        assert_eq!(lines[1..], ["next: call `codex_tasks` to list tasks"]);
    }
    assert_eq!(cancel_call(raw(json!({"taskId": " 1a2b3c4d\n"}))).map(String::from), Ok("1a2b3c4d".to_owned()));
}

/// Invalid arguments, and phrases that the refusal must contain.
const WRONG: [(&str, &str, &[&str]); 34] = [
    ("codex_agent", r#"{}"#, &["`task` is missing", "a string"]),
    ("codex_agent", r#"{"task": "x"}"#, &["`workingDirectory` is missing"]),
    ("codex_agent", r#"{"task": null, "workingDirectory": "/p"}"#, &["`task` is missing"]),
    ("codex_agent", r#"{"task": "", "workingDirectory": "/p"}"#, &["`task` must not be empty"]),
    ("codex_agent", r#"{"task": " \n\t", "workingDirectory": "/p"}"#, &["`task` must not be empty"]),
    ("codex_agent", r#"{"task": 5, "workingDirectory": "/p"}"#, &["`task` must be ", "got a number", "a string"]),
    ("codex_agent", r#"{"task": ["x"], "workingDirectory": "/p"}"#, &["`task` must be ", "got a list"]),
    ("codex_agent", r#"{"task": "x", "workingDirectory": " "}"#, &["`workingDirectory` must not be empty"]),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "cwd": 1}"#,
        &["no parameter `cwd`", "`workingDirectory`"],
    ),
    ("codex_agent", r#"{"task": "x", "workingDirectory": "/p", "Task": "x"}"#, &["no parameter `Task`"]),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "sandbox": "full"}"#,
        &["`full`", "`danger-full-access`"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "sandbox": " "}"#,
        &["is not a valid `sandbox`", "`read-only`"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "sandbox": true}"#,
        &["`sandbox` must be ", "got a boolean", "`read-only`"],
    ),
    ("codex_agent", r#"{"task": "x", "workingDirectory": "/p", "model": " "}"#, &["`model` must not be empty"]),
    ("codex_agent", r#"{"task": "x", "workingDirectory": "/p", "model": {}}"#, &["`model` must be ", "got an object"]),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "async": "True"}"#,
        &["`async` must be ", "got a string", "true or false"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": "1e3"}"#,
        &["`timeoutMs` must be ", "got a string"],
    ),
    (
        "codex_status",
        r#"{"taskId": "1a2b3c4d", "tailLines": "0"}"#,
        &["`tailLines` must be a whole number of at least ", "got \"0\"", "at least 1"],
    ),
    ("codex_agent", r#"{"task": "x", "workingDirectory": "/p", "async": 1}"#, &["`async` must be ", "got a number"]),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": -1}"#,
        &["`timeoutMs` must be a whole number of at least ", "got -1", "at least 0"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": 0.5}"#,
        &["`timeoutMs` must be a whole number of at least ", "got 0.5", "whole number"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": -1e300}"#,
        &["`timeoutMs` must be a whole number of at least ", "got -1e+300"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": "NaN"}"#,
        &["`timeoutMs` must be ", "got a string"],
    ),
    (
        "codex_agent",
        r#"{"task": "x", "workingDirectory": "/p", "timeoutMs": false}"#,
        &["`timeoutMs` must be ", "got a boolean"],
    ),
    ("codex_status", r#"{}"#, &["`taskId` is missing", "codex_status"]),
    ("codex_status", r#"{"taskId": 12345678}"#, &["`taskId` must be ", "got a number"]),
    (
        "codex_status",
        r#"{"taskId": "1a2b3c4d", "tailLines": 0}"#,
        &["`tailLines` must be a whole number of at least ", "got 0", "at least 1"],
    ),
    (
        "codex_status",
        r#"{"taskId": "1a2b3c4d", "tailLines": -5}"#,
        &["`tailLines` must be a whole number of at least ", "got -5"],
    ),
    (
        "codex_status",
        r#"{"taskId": "1a2b3c4d", "tailLines": 1.5}"#,
        &["`tailLines` must be a whole number of at least ", "got 1.5"],
    ),
    ("codex_status", r#"{"taskId": "1a2b3c4d", "tailLines": "+50"}"#, &["`tailLines` must be ", "got a string"]),
    ("codex_tasks", r#"{"limit": 0}"#, &["`limit` must be a whole number of at least ", "got 0"]),
    ("codex_tasks", r#"{"status": "done"}"#, &["`done`", "`all`, `running`, `completed`, `failed`, `interrupted`"]),
    ("codex_tasks", r#"{"taskId": "1a2b3c4d"}"#, &["no parameter `taskId`", "`status`, `limit`"]),
    ("codex_cancel", r#"{"taskId": ""}"#, &["`taskId` must not be empty"]),
];

#[test]
fn a_refusal_names_the_invalid_argument_and_the_next_step() {
    for (tool, arguments, phrases) in WRONG {
        let arguments = serde_json::from_str(arguments).expect("valid JSON");
        let refused = read(tool, arguments).expect_err(phrases[0]).markdown();
        assert!(refused.contains(&format!("call `{tool}` again")), "{refused}");
        for phrase in phrases {
            assert!(refused.contains(phrase), "{refused:?} does not contain {phrase:?}");
        }
    }
}

#[test]
fn values_that_a_host_converted_to_strings_are_parsed() {
    let call = agent(json!({"async": "true", "timeoutMs": "60000"})).expect("valid arguments");
    assert_eq!(call.answer_when, AnswerWhen::Started);
    assert_eq!(call.task.time_limit, TimeLimit::After(Duration::from_secs(60)));
    assert_eq!(agent(json!({"async": "false"})).expect("valid arguments").answer_when, AnswerWhen::Ended);
    let beyond_64_bits = agent(json!({"timeoutMs": "99999999999999999999999"})).expect("valid arguments");
    assert_eq!((beyond_64_bits.task.time_limit, beyond_64_bits.remarks.len()), (TimeLimit::None, 1));
    let status = StatusCall::read(raw(json!({"taskId": "1a2b3c4d", "tailLines": "007"}))).expect("valid arguments");
    assert_eq!(status.tail_lines, 7);
}

#[test]
fn an_optional_argument_that_is_an_empty_string_counts_as_absent() {
    let call = agent(json!({"sandbox": "", "model": "", "async": "", "timeoutMs": ""})).expect("valid arguments");
    assert_eq!((call.task.sandbox, call.task.model, call.task.time_limit), (None, None, TimeLimit::Default));
    assert_eq!(call.answer_when, AnswerWhen::Ended);
    let tasks = TasksCall::read(raw(json!({"status": "", "limit": ""}))).expect("valid arguments");
    assert_eq!((tasks.status, tasks.limit), (None, 20));
}

#[test]
fn parameters_that_hosts_add_to_every_call_are_ignored() {
    let added = || raw(json!({"random_string": "dummy", "task_progress": "- [ ] step 1"}));
    assert_eq!(TasksCall::read(added()), TasksCall::read(RawArguments::new()));
    agent(Value::Object(added())).expect("valid arguments");
}

#[test]
fn the_schemas_allow_every_accepted_value() {
    let id = "1a2b3c4d";
    for (tool, arguments) in [
        ("codex_agent", json!({"task": "x", "workingDirectory": "/p"})),
        (
            "codex_agent",
            json!({"task": "x", "workingDirectory": "/p", "sandbox": "read-only", "model": "m", "async": true, "timeoutMs": 0}),
        ),
        ("codex_status", json!({"taskId": id, "tailLines": 1})),
        ("codex_tasks", json!({})),
        ("codex_tasks", json!({"status": "interrupted", "limit": 1e300})),
        ("codex_cancel", json!({"taskId": id})),
    ] {
        assert!(is_allowed(tool, &arguments), "{arguments}");
        assert_eq!(read(tool, arguments), Ok(()));
    }
}

#[test]
fn the_schemas_forbid_unknown_names_and_wrong_types() {
    let beyond_schemas = ["is missing", "must not be empty", "got 0.5", "got 1.5"];
    for (tool, arguments, phrases) in WRONG {
        let arguments: Value = serde_json::from_str(arguments).expect("valid JSON");
        let is_covered = !beyond_schemas.iter().any(|words| phrases.iter().any(|phrase| phrase.contains(words)));
        assert!(!is_covered || !is_allowed(tool, &arguments), "{arguments}");
    }
}

fn is_allowed(tool: &str, arguments: &Value) -> bool {
    let tools = four(Defaults::DOCUMENTED);
    let tool = tools.iter().find(|known| known.name == tool).expect("one of the four tools");
    jsonschema::is_valid(&Value::Object(tool.schema.clone()), arguments)
}
