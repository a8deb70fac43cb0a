//! Tests of whole runs: lines in, events and verdict out.

use connector_api::{AgentEvent, AgentSession, Cause, Exit, Line, Outcome, Step, Verdict};
use serde_json::{Value, json};

use crate::session::ClaudeSession;

const ID: &str = "0199a213-81c0-4800-8aa1-bbab2a035a53";

fn run(resumed: Option<&str>, lines: &[Value], stderr: &str, exit: Exit) -> (Vec<Step>, Verdict) {
    let mut session = Box::new(ClaudeSession::new(resumed.map(str::to_owned), None));
    let steps = lines.iter().flat_map(|line| session.stdout(Line::Whole(line.to_string().as_bytes()))).collect();
    for line in stderr.lines() {
        session.stderr(Line::Whole(line.as_bytes()));
    }
    (steps, session.finish(exit))
}

fn init() -> Value {
    json!({"type": "system", "subtype": "init", "session_id": ID})
}

fn result(more: Value) -> Value {
    let mut result = json!({"type": "result", "subtype": "success", "is_error": false, "result": "done", "session_id": ID,
        "usage": {"input_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 7, "output_tokens": 2}});
    result.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    result
}

#[test]
fn a_run_becomes_contract_events() {
    let block = |block: Value| json!({"type": "assistant", "message": {"content": [block]}});
    let end = |id: &str, text: &str, failed: bool| {
        json!({"type": "user", "message": {"content": [
            {"type": "tool_result", "tool_use_id": id, "content": text, "is_error": failed}]}})
    };
    let lines = [
        init(),
        block(json!({"type": "tool_use", "id": "a", "name": "Bash", "input": {"command": "make"}})),
        end("a", "Exit code 2\nno rule", true),
        block(json!({"type": "tool_use", "id": "b", "name": "Write", "input": {"file_path": "/p/x", "content": "y"}})),
        end("b", "written", false),
        block(json!({"type": "tool_use", "id": "c", "name": "mcp__s__t", "input": {}})),
        end("c", "no", true),
        block(json!({"type": "text", "text": "done"})),
        result(json!({"permission_denials": [{"tool_name": "Bash"}]})),
    ];
    let (steps, verdict) = run(None, &lines, "", Exit::Code(0));
    let events: Vec<_> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Event(event) => Some(event),
            Step::Send(_) | Step::CloseStdin | Step::Deadline(_) | Step::Finished => None,
        })
        .collect();
    assert!(matches!(events[1], AgentEvent::CommandStarted { command, .. } if command == "make"));
    assert!(matches!(events[2], AgentEvent::CommandFinished { exit_code: Some(2), .. }), "{:?}", events[2]);
    assert!(matches!(events[4], AgentEvent::FilesChanged { applied: true, .. }), "{:?}", events[4]);
    assert!(
        matches!(events[6], AgentEvent::McpToolCall { error: Some(error), .. } if error == "no"),
        "{:?}",
        events[6]
    );
    assert!(events.iter().any(|event| matches!(event, AgentEvent::Warning { message } if message.contains("Bash"))));
    assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("done")));
    let usage = verdict.usage.expect("usage is reported");
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (15, 5, 2));
}

#[test]
fn a_failure_quotes_the_agent_and_adds_advice() {
    let failed = |said: &str| result(json!({"is_error": true, "result": said}));
    for (said, cause, advice) in [
        ("Invalid API key · Please run /login", Some(Cause::NotLoggedIn), Some("ANTHROPIC_API_KEY")),
        ("Claude AI usage limit reached", Some(Cause::OutOfQuota), Some("limit is reset")),
        ("API Error: 400 the script says no", None, None),
    ] {
        let (_, verdict) = run(None, &[init(), failed(said)], "", Exit::Code(1));
        let Outcome::Failed(failure) = verdict.outcome else { panic!("it failed") };
        assert_eq!((failure.message.as_str(), failure.cause), (said, cause));
        assert_eq!(failure.advice.is_some(), advice.is_some());
        assert!(advice.is_none_or(|words| failure.advice.is_some_and(|advice| advice.contains(words))));
    }
    let (_, verdict) = run(Some(ID), &[], "No conversation found with session ID: x", Exit::Code(1));
    let Outcome::Failed(failure) = verdict.outcome else { panic!("it failed") };
    assert!(failure.message.contains("No conversation found") && failure.advice.is_some());
    let (_, verdict) = run(None, &[], "error: unknown option '--tools=Read'", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::CommandLineRefused(_)));
    let (_, verdict) = run(None, &[init(), result(json!({}))], "", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::Failed(_)), "exit code 1 after a result is a failure");
}

#[test]
fn an_unexpected_session_is_a_failure() {
    let (steps, verdict) =
        run(Some("ffffffff-81c0-4800-8aa1-bbab2a035a53"), &[init(), result(json!({}))], "", Exit::Code(0));
    assert!(
        steps.contains(&Step::Finished) && matches!(verdict.outcome, Outcome::Failed(_)) && verdict.answer.is_none()
    );
    let (steps, verdict) = run(Some(ID), &[init(), result(json!({}))], "", Exit::Code(0));
    assert!(!steps.contains(&Step::Finished) && verdict.outcome == Outcome::Completed);
}

fn says(text: &str) -> Value {
    json!({"type": "assistant", "message": {"content": [{"type": "text", "text": text}]}})
}

fn reads(id: &str) -> Value {
    let call = json!({"type": "tool_use", "id": id, "name": "Read", "input": {"file_path": "/p/x"}});
    json!({"type": "assistant", "message": {"content": [call]}})
}

/// The answer after these lines and a success with this text, and whether work followed it.
fn answered(lines: &[Value], last: &str) -> (Option<String>, bool) {
    let mut session = Box::new(ClaudeSession::new(None, None));
    for line in [&[init()], lines, &[result(json!({"result": last}))]].concat() {
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
    for blank in ["", " \n"] {
        assert_eq!(
            answered(&[says("three bugs"), says(blank)], blank),
            (Some("three bugs".into()), false),
            "{blank:?}"
        );
        assert_eq!(
            answered(&[says("I will look"), reads("a")], blank),
            (Some("I will look".into()), true),
            "{blank:?}"
        );
        assert_eq!(answered(&[reads("a")], blank), (None, false), "{blank:?}");
    }
    assert_eq!(answered(&[says("I will look"), reads("a")], "I will look"), (Some("I will look".into()), true));
    assert_eq!(answered(&[reads("a")], "done"), (Some("done".into()), false));
    assert_eq!(answered(&[says("I will look"), reads("a"), says("done")], "done"), (Some("done".into()), false));
}

#[test]
fn messages_and_work_of_a_sub_agent_do_not_count() {
    let sub = |mut line: Value| {
        line["parent_tool_use_id"] = "toolu_1".into();
        line
    };
    assert_eq!(answered(&[says("I asked"), sub(says("chatter"))], ""), (Some("I asked".into()), false));
    assert_eq!(answered(&[sub(says("chatter"))], ""), (None, false));
    assert_eq!(answered(&[says("done"), sub(reads("b"))], ""), (Some("done".into()), false));
}

#[test]
fn only_the_subtype_success_is_a_success() {
    for (subtype, is_error, errors, said, advice) in [
        ("error_during_execution", false, json!([]), "it ended with error_during_execution", None),
        ("error_max_turns", false, json!(["Reached 3 turns"]), "Reached 3 turns", Some("--max-turns")),
        ("error_max_budget_usd", true, json!([" "]), "it ended with error_max_budget_usd", Some("--max-budget-usd")),
        ("error_max_structured_output_retries", false, Value::Null, "structured", Some("schema")),
        ("error_of_tomorrow", false, Value::Null, "it ended with error_of_tomorrow", None),
    ] {
        let end = result(json!({"subtype": subtype, "is_error": is_error, "errors": errors, "result": null}));
        for exit in [Exit::Code(0), Exit::Code(1)] {
            let (steps, verdict) = run(None, &[init(), says("Now I will change the files."), end.clone()], "x", exit);
            let Outcome::Failed(failure) = verdict.outcome else { panic!("{subtype} is not a success") };
            assert!(failure.message.contains(said), "{failure:?}");
            assert!(
                advice.is_none_or(|words| failure.advice.is_some_and(|advice| advice.contains(words))),
                "{subtype}"
            );
            let is_fatal = |step: &Step| matches!(step, Step::Event(AgentEvent::FatalError { .. }));
            assert!(steps.iter().any(is_fatal), "{subtype}");
        }
    }
}

#[test]
fn stderr_does_not_explain_a_completed_turn() {
    let (_, verdict) = run(None, &[init(), says("done"), result(json!({}))], "metrics: 401", Exit::Code(1));
    let Outcome::Failed(failure) = verdict.outcome else { panic!("exit code 1 is not a success") };
    assert_eq!(failure.message, "Claude Code completed its turn, then ended with exit code 1");
    assert_eq!((failure.cause, verdict.answer.as_deref()), (None, Some("done")));
}

#[test]
fn a_built_in_command_fails_because_no_model_was_called() {
    let mut help = says("/help isn't available in this environment");
    help["message"]["model"] = "<synthetic>".into();
    for lines in [vec![init(), help], vec![init()]] {
        let lines = [lines, vec![result(json!({"num_turns": 0, "result": ""}))]].concat();
        let (_, verdict) = run(None, &lines, "", Exit::Code(0));
        let Outcome::Failed(failure) = verdict.outcome else { panic!("no model was called") };
        assert!(failure.message.contains("never called the model") && failure.advice.is_some(), "{failure:?}");
    }
}

#[test]
fn the_session_writes_the_prompt_it_is_given_and_closes_stdin() {
    let mut session = ClaudeSession::new(None, Some(" /help me".into()));
    assert_eq!(session.start(), [Step::Send(b" /help me".to_vec()), Step::CloseStdin]);
    assert_eq!(ClaudeSession::new(None, None).start(), []);
}

#[test]
fn claude_code_gets_time_to_exit_once_background_tasks_end() {
    let mut session = Box::new(ClaudeSession::new(None, None));
    let mut receive = |line: Value| {
        session.stdout(Line::Whole(line.to_string().as_bytes())).into_iter().rev().find_map(|step| match step {
            Step::Deadline(deadline) => Some(deadline.is_some()),
            Step::Event(_) | Step::Send(_) | Step::CloseStdin | Step::Finished => None,
        })
    };
    let task = |subtype: &str| json!({"type": "system", "subtype": subtype, "task_id": "b1", "status": "completed"});
    assert_eq!(receive(init()), None);
    assert_eq!(receive(task("task_started")), None);
    assert_eq!(receive(result(json!({}))), None, "a task runs in the background");
    assert_eq!(receive(task("task_notification")), Some(true));
    assert_eq!(receive(says("the task has ended")), Some(false), "a new turn");
    assert_eq!(receive(result(json!({}))), Some(true));
    assert!(session.overdue().contains(&Step::Finished));
    assert_eq!(session.finish(Exit::Signal(15)).outcome, Outcome::Completed);
}

#[test]
fn an_unfinished_background_task_gets_a_warning() {
    let unfinished = |lines: &[Value]| {
        let mut session = ClaudeSession::new(None, None);
        for line in lines {
            session.stdout(Line::Whole(line.to_string().as_bytes()));
        }
        session.warnings().into_iter().find(|warning| warning.message.contains("had not ended"))
    };
    let task = |subtype: &str| json!({"type": "system", "subtype": subtype, "task_id": "b1", "status": "completed", "description": "Build it"});
    let lines = [init(), task("task_started"), says("I started it"), result(json!({}))];
    let warning = unfinished(&lines).expect("the build has not ended");
    assert!(warning.message.starts_with("`Build it` had not ended"), "{warning:?}");
    assert_eq!(unfinished(&[&lines[..], &[task("task_notification")]].concat()), None);
    assert_eq!(unfinished(&lines[..3]), None, "the turn has not ended");
}

#[test]
fn claude_codes_own_messages_are_neither_work_nor_an_answer() {
    let words = "Not logged in · Please run /login";
    let mut notice = says(words);
    notice["message"]["model"] = "<synthetic>".into();
    let (events, verdict) =
        run(None, &[init(), notice, result(json!({"is_error": true, "result": words}))], "", Exit::Code(1));
    assert!(!events.iter().any(|event| matches!(event, Step::Event(AgentEvent::Message { .. }))), "{events:?}");
    assert_eq!(verdict.answer, None);
    let Outcome::Failed(failure) = verdict.outcome else { panic!("it is not logged in") };
    assert_eq!((failure.message.as_str(), failure.cause), (words, Some(Cause::NotLoggedIn)));
}

#[test]
fn a_retry_without_an_answer_from_the_api_waits_for_the_network() {
    let retry = |status: Value, error: &str| {
        let fields = json!({
            "type": "system", "subtype": "api_retry", "attempt": 1, "max_retries": 10, "error_status": status, "error": error,
        });
        let steps = ClaudeSession::new(None, None).stdout(Line::Whole(fields.to_string().as_bytes()));
        let trouble = |step| {
            let Step::Event(AgentEvent::TransientError { message, cause }) = step else { return None };
            Some((message, cause))
        };
        steps.into_iter().find_map(trouble)
    };
    let offline = ("no answer from the API (attempt 1 of 10)".to_owned(), Some(Cause::Network));
    assert_eq!(retry(Value::Null, "unknown"), Some(offline));
    let refused = ("authentication_failed (attempt 1 of 10)".to_owned(), None);
    assert_eq!(retry(json!(401), "authentication_failed"), Some(refused));
}
