//! Tests of whole runs: lines in, events and verdict out. The lines are from Gemini CLI 0.61.0, shortened.

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Cause, CommandStatus, Exit, FileChangeKind, Line, Outcome, Step, Verdict,
};
use serde_json::{Value, json};

use crate::session::GeminiSession;

const ID: &str = "0199a213-81c0-4800-8aa1-bbab2a035a53";

fn run(resumed: Option<&str>, lines: &[Value], stderr: &str, exit: Exit) -> (Vec<Step>, Verdict) {
    let mut session = Box::new(GeminiSession::new(resumed.map(str::to_owned)));
    let mut steps: Vec<_> =
        lines.iter().flat_map(|line| session.stdout(Line::Whole(line.to_string().as_bytes()))).collect();
    steps.extend(stderr.lines().flat_map(|line| session.stderr(Line::Whole(line.as_bytes()))).collect::<Vec<_>>());
    (steps, session.finish(exit))
}

fn events(steps: Vec<Step>) -> Vec<AgentEvent> {
    let event = |step| match step {
        Step::Event(event) => Some(event),
        Step::Send(_) | Step::CloseStdin | Step::Deadline(_) | Step::Finished => None,
    };
    steps.into_iter().filter_map(event).collect()
}

fn failure(verdict: Verdict) -> AgentFailure {
    match verdict.outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{other:?} is not a failure"),
    }
}

fn init() -> Value {
    json!({"type": "init", "session_id": ID, "model": "gemini-2.5-pro"})
}

fn delta(text: &str) -> Value {
    json!({"type": "message", "role": "assistant", "content": text, "delta": true})
}

fn begin(id: &str, name: &str, parameters: Value) -> Value {
    json!({"type": "tool_use", "tool_name": name, "tool_id": id, "parameters": parameters})
}

fn end(id: &str, output: &str, error: Option<&str>) -> Value {
    let status = if error.is_some() { "error" } else { "success" };
    let error = error.map(|kind| json!({"type": kind, "message": "no"}));
    json!({"type": "tool_result", "tool_id": id, "status": status, "output": output, "error": error})
}

fn result(more: Value) -> Value {
    let mut result = json!({"type": "result", "status": "success",
        "stats": {"total_tokens": 25, "input_tokens": 15, "output_tokens": 2, "cached": 5}});
    result.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    result
}

fn failed(message: &str) -> Value {
    result(json!({"status": "error", "error": {"type": "unknown", "message": message}}))
}

#[test]
fn chunks_form_one_message_and_the_last_message_is_the_answer() {
    let lines = [
        init(),
        delta("I will "),
        delta("look."),
        begin("a", "read_file", json!({"file_path": "x"})),
        end("a", "", None),
        delta("do"),
        delta("ne"),
        result(json!({})),
    ];
    let mut session = GeminiSession::new(None);
    let _ = session.stdout(Line::Whole(lines[0].to_string().as_bytes()));
    let chunk = session.stdout(Line::Whole(lines[1].to_string().as_bytes()));
    assert_eq!(chunk, [Step::Deadline(None)], "a chunk is understood but is not an event");
    let (steps, verdict) = run(None, &lines, "", Exit::Code(0));
    let messages: Vec<_> = events(steps)
        .into_iter()
        .filter_map(|event| if let AgentEvent::Message { text } = event { Some(text) } else { None })
        .collect();
    assert_eq!(messages, ["I will look.", "done"]);
    assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("done")));
    assert_eq!(verdict.session_id.as_deref(), Some(ID));
    let usage = verdict.usage.expect("usage is reported");
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (15, 5, 2));
}

#[test]
fn tool_calls_become_contract_events() {
    let lines = [
        begin("a", "run_shell_command", json!({"command": "make"})),
        end("a", "Command exited with code: 2", None),
        begin("b", "write_file", json!({"file_path": "x", "content": "y"})),
        end("b", "", None),
        begin("c", "replace", json!({"file_path": "x"})),
        end("c", "", Some("edit_no_occurrence_found")),
        begin("d", "mcp_my-server_say_it", json!({})),
        end("d", "", Some("mcp_tool_error")),
        begin("e", "write_todos", json!({"todos": [{"description": "a", "status": "completed"}]})),
    ];
    let events = events(run(None, &lines, "", Exit::Code(0)).0);
    assert!(matches!(&events[0], AgentEvent::CommandStarted { id, command } if id == "a" && command == "make"));
    assert!(matches!(
        &events[1],
        AgentEvent::CommandFinished { status: CommandStatus::Failed, exit_code: Some(2), .. }
    ));
    let changed = |event: &AgentEvent| match event {
        AgentEvent::FilesChanged { changes, applied } => (changes[0].path.clone(), changes[0].kind.clone(), *applied),
        other => panic!("{other:?}"),
    };
    assert_eq!(changed(&events[3]), ("x".into(), FileChangeKind::Other("written".into()), true));
    assert_eq!(changed(&events[5]), ("x".into(), FileChangeKind::Updated, false));
    assert!(
        matches!(&events[7], AgentEvent::McpToolCall { server, tool, error: Some(error) }
            if server == "my-server" && tool == "say_it" && error == "no"),
        "{:?}",
        events[7]
    );
    assert!(matches!(&events[8], AgentEvent::TodoList { items } if items[0].completed && items[0].text == "a"));
}

#[test]
fn unknown_details_of_a_command_are_left_out() {
    for (output, error, wanted) in [
        ("", None, (CommandStatus::Completed, Some(0))),
        ("printed, and then exit 3", None, (CommandStatus::Completed, None)),
        ("Command terminated by signal: 9", None, (CommandStatus::Failed, None)),
        ("Tool not found", Some("tool_not_registered"), (CommandStatus::Declined, None)),
        ("no room", Some("shell_execute_error"), (CommandStatus::Failed, None)),
    ] {
        let lines = [begin("a", "run_shell_command", json!({"command": "x"})), end("a", output, error)];
        match &events(run(None, &lines, "", Exit::Code(0)).0)[1] {
            AgentEvent::CommandFinished { status, exit_code, output: told, .. } => {
                assert_eq!(((*status, *exit_code), told.as_str()), (wanted, output));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_failure_quotes_the_agent_and_adds_advice() {
    for (said, cause, advice) in [
        ("[API Error: {\"error\":{\"code\":401}}]", Some(Cause::NotLoggedIn), Some("GEMINI_API_KEY")),
        ("[API Error: API key not valid.]", Some(Cause::NotLoggedIn), Some("GEMINI_API_KEY")),
        ("[API Error: You have exhausted your daily quota on this model.]", Some(Cause::OutOfQuota), Some("wait")),
        ("[API Error: models/x is not found for API version v1beta]", None, Some("`model`")),
        ("[API Error: the script says no]", None, None),
    ] {
        let failure = failure(run(None, &[init(), failed(said)], "", Exit::Code(144)).1);
        assert_eq!((failure.message.as_str(), failure.cause), (said, cause));
        assert_eq!(failure.advice.is_some(), advice.is_some(), "{said}");
        assert!(advice.is_none_or(|words| failure.advice.is_some_and(|advice| advice.contains(words))), "{said}");
    }
    for (said, exit, cause, advice) in [
        ("you must specify the GEMINI_API_KEY environment variable.", 41, Some(Cause::NotLoggedIn), "sign in"),
        ("Invalid auth method selected.", 41, Some(Cause::NotLoggedIn), "sign in"),
        ("Error resuming session: No previous sessions found for this project.", 42, None, "directory"),
        ("YOLO mode is disabled by your administrator.", 52, None, "disableYoloMode"),
        ("Gemini CLI is not running in a trusted directory.", 55, None, "trust it"),
    ] {
        let noise = format!("YOLO mode is enabled. All tool calls will be automatically approved.\n{said}");
        let failure = failure(run(None, &[], &noise, Exit::Code(exit)).1);
        assert_eq!((failure.message.as_str(), failure.cause), (said, cause));
        assert!(failure.advice.is_some_and(|words| words.contains(advice)), "{said}");
    }
}

#[test]
fn a_rejected_command_line_is_recognized() {
    let (_, verdict) = run(None, &[], "Unknown argument: skip-trust\nUsage: gemini", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::CommandLineRefused(_)));
    let (_, verdict) = run(None, &[init()], "Unknown argument: said by a command", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::Failed(_)));
}

#[test]
fn a_success_result_after_a_fatal_error_is_a_failure() {
    let error = |severity: &str, message: &str| json!({"type": "error", "severity": severity, "message": message});
    let says = |events: &[Value]| {
        let lines: Vec<_> = [init(), delta("half")].iter().chain(events).cloned().collect();
        run(None, &lines, "", Exit::Code(0)).1
    };
    for ending in [error("error", "Maximum session turns exceeded"), error("warning", "Loop detected, stopping")] {
        let failure = failure(says(&[ending.clone(), result(json!({}))]));
        assert_eq!(ending["message"], failure.message);
        let recovered = says(&[ending, delta("done"), result(json!({}))]);
        assert_eq!(recovered.outcome, Outcome::Completed, "the model continued");
    }
    let warned = says(&[error("warning", "a hook says no"), result(json!({}))]);
    assert_eq!(warned.outcome, Outcome::Completed);
}

#[test]
fn an_unsuccessful_end_is_a_failure_with_the_partial_answer() {
    let failures: [(&[Value], Exit); 5] = [
        (&[init(), delta("half")], Exit::Code(0)),
        (&[init(), delta("half"), result(json!({}))], Exit::Code(1)),
        (&[init(), delta("half"), result(json!({}))], Exit::Signal(15)),
        (&[init(), delta("half"), result(json!({"status": "error"}))], Exit::Code(0)),
        (&[init(), delta("half"), result(json!({"status": "paused"}))], Exit::Code(0)),
    ];
    for (lines, exit) in failures {
        let verdict = run(None, lines, "", exit).1;
        assert_eq!(verdict.answer.as_deref(), Some("half"));
        assert!(!failure(verdict).message.is_empty());
    }
    assert!(
        failure(run(None, &[init(), result(json!({}))], "", Exit::Code(0)).1).message.contains("without any output")
    );
}

#[test]
fn a_retried_request_does_not_end_the_run() {
    let retry = "Attempt 1 failed with status 429. Retrying with backoff... _ApiError: {}";
    let (steps, verdict) = run(None, &[init(), delta("done"), result(json!({}))], retry, Exit::Code(0));
    assert_eq!(
        events(steps).last(),
        Some(&AgentEvent::TransientError { message: retry.into(), cause: Some(Cause::OutOfQuota) })
    );
    assert_eq!(verdict.outcome, Outcome::Completed);
}

#[test]
fn a_retry_without_a_connection_waits_for_the_network() {
    let retry = "Attempt 1 failed. Retrying with backoff... Error: exception TypeError: fetch failed sending request";
    let (steps, _) = run(None, &[init()], retry, Exit::Signal(9));
    let expected = AgentEvent::TransientError { message: retry.into(), cause: Some(Cause::Network) };
    assert_eq!(events(steps).last(), Some(&expected));
}

#[test]
fn an_unknown_event_is_kept_verbatim() {
    let unknown = json!({"type": "thought", "content": "hm"});
    let (steps, _) = run(None, std::slice::from_ref(&unknown), "", Exit::Code(0));
    assert_eq!(events(steps), [AgentEvent::Other { kind: "thought".into(), raw: unknown.to_string() }]);
    let mut session = GeminiSession::new(None);
    assert_eq!(session.stdout(Line::Whole(b"Memory is currently empty.")), []);
}

#[test]
fn an_unexpected_session_is_a_failure() {
    let lines = [init(), delta("done"), result(json!({}))];
    let (steps, verdict) = run(Some("ffffffff-81c0-4800-8aa1-bbab2a035a53"), &lines, "", Exit::Code(0));
    assert!(
        steps.contains(&Step::Finished) && matches!(verdict.outcome, Outcome::Failed(_)) && verdict.answer.is_none()
    );
    let (steps, verdict) = run(Some(ID), &lines, "", Exit::Code(0));
    assert!(!steps.contains(&Step::Finished) && verdict.outcome == Outcome::Completed);
}

/// The answer after these lines and a success, and whether work followed it.
fn answered(lines: &[Value]) -> (Option<String>, bool) {
    let mut session = Box::new(GeminiSession::new(None));
    for line in [&[init()], lines, &[result(json!({}))]].concat() {
        session.stdout(Line::Whole(line.to_string().as_bytes()));
    }
    assert!(session.has_completed());
    let warnings = session.warnings();
    let verdict = session.finish(Exit::Code(0));
    assert_eq!(verdict.outcome, Outcome::Completed);
    (verdict.answer, warnings.iter().any(|warning| warning.message.contains("before its last command")))
}

#[test]
fn the_last_nonblank_message_is_the_answer_and_gets_a_warning_if_work_follows() {
    let work = [begin("a", "read_file", json!({"file_path": "/x"})), end("a", "x", None)];
    let after = |text: &str| answered(&[&[delta("I will look")], &work[..], &[delta(text)]].concat());
    assert_eq!(after("done"), (Some("done".into()), false));
    for blank in ["", " \n"] {
        assert_eq!(after(blank), (Some("I will look".into()), true), "{blank:?}");
    }
    assert_eq!(answered(&work), (None, false), "the supervisor warns about a missing message");
}

#[test]
fn stderr_does_not_explain_a_completed_turn() {
    let (_, verdict) = run(None, &[init(), delta("done"), result(json!({}))], "metrics: 401", Exit::Code(1));
    assert_eq!(verdict.answer.as_deref(), Some("done"));
    let failure = failure(verdict);
    assert_eq!(failure.message, "Gemini CLI completed its turn, then ended with exit code 1");
    assert_eq!(failure.cause, None);
}

#[test]
fn a_split_character_is_restored_in_the_answer() {
    let mut session = Box::new(GeminiSession::new(None));
    for text in ["fixed \\ud83d", "\\ude00!"] {
        let line = format!(r#"{{"type":"message","role":"assistant","content":"{text}","delta":true}}"#);
        assert_eq!(session.stdout(Line::Whole(line.as_bytes())), [Step::Deadline(None)]);
    }
    let result = json!({"type": "result", "status": "success"});
    session.stdout(Line::Whole(result.to_string().as_bytes()));
    assert_eq!(session.finish(Exit::Code(0)).answer.as_deref(), Some("fixed \u{1f600}!"));
}

#[test]
fn an_endless_message_uses_bounded_memory() {
    let mut session = Box::new(GeminiSession::new(None));
    let line = delta(&"x".repeat(100_000)).to_string();
    let steps: Vec<_> = (0..100).map(|_| session.stdout(Line::Whole(line.as_bytes()))).collect();
    assert!(!steps[0].is_empty() && steps[99].is_empty(), "chunks that are not kept are logged unchanged");
    let answer = session.finish(Exit::Code(0)).answer.expect("the ends are kept");
    assert!(answer.len() < 2 << 20 && answer.contains("bytes left out"), "{} bytes", answer.len());
}

#[test]
fn gemini_cli_gets_time_to_exit_after_its_result() {
    for (status, is_complete) in [("success", true), ("error", false)] {
        let mut session = Box::new(GeminiSession::new(None));
        session.stdout(Line::Whole(delta("done").to_string().as_bytes()));
        let result = json!({"type": "result", "status": status, "error": {"message": if is_complete { None } else { Some("no") }}});
        let steps = session.stdout(Line::Whole(result.to_string().as_bytes()));
        assert!(steps.iter().any(|step| matches!(step, Step::Deadline(Some(_)))), "{steps:?}");
        assert!(session.overdue().contains(&Step::Finished));
        assert_eq!(session.finish(Exit::Signal(15)).outcome == Outcome::Completed, is_complete);
    }
}

#[test]
fn a_call_without_a_result_gets_a_warning() {
    let runs = begin("a", "run_shell_command", json!({"command": "make"}));
    let unfinished = |lines: &[Value]| {
        let mut session = GeminiSession::new(None);
        for line in lines {
            session.stdout(Line::Whole(line.to_string().as_bytes()));
        }
        session.warnings().iter().any(|warning| warning.message.starts_with("`make` had not ended"))
    };
    assert!(unfinished(&[init(), runs.clone(), result(json!({}))]));
    assert!(!unfinished(&[init(), runs.clone(), end("a", "x", None), result(json!({}))]));
    assert!(!unfinished(&[init(), runs]), "the turn has not ended");
}
