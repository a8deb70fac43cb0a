//! What a run comes to, line by line.

use connector_api::{AgentEvent, AgentSession, Cause, Exit, Line, Outcome, Step, Verdict};
use serde_json::{Value, json};

use crate::session::ClaudeSession;

const ID: &str = "0199a213-81c0-4800-8aa1-bbab2a035a53";

fn run(resumed: Option<&str>, lines: &[Value], stderr: &str, exit: Exit) -> (Vec<Step>, Verdict) {
    let mut session = Box::new(ClaudeSession::new(resumed.map(str::to_owned)));
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
fn a_run_is_told_in_the_words_of_the_contract() {
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
    let usage = verdict.usage.expect("it tells");
    assert_eq!((usage.input_tokens, usage.cached_input_tokens, usage.output_tokens), (15, 5, 2));
}

#[test]
fn a_failure_is_told_in_its_own_words_with_what_to_do() {
    let failed = |said: &str| result(json!({"is_error": true, "result": said}));
    for (said, cause, advice) in [
        ("Invalid API key · Please run /login", Some(Cause::NotLoggedIn), Some("ANTHROPIC_API_KEY")),
        ("Claude AI usage limit reached", Some(Cause::OutOfQuota), Some("limit is reset")),
        ("API Error: 400 the script says no", None, None),
    ] {
        let (_, verdict) = run(None, &[init(), failed(said)], "", Exit::Code(1));
        let Outcome::Failed(complaint) = verdict.outcome else { panic!("it failed") };
        assert_eq!((complaint.said.as_str(), complaint.cause), (said, cause));
        assert_eq!(complaint.advice.is_some(), advice.is_some());
        assert!(advice.is_none_or(|words| complaint.advice.is_some_and(|advice| advice.contains(words))));
    }
    let (_, verdict) = run(Some(ID), &[], "No conversation found with session ID: x", Exit::Code(1));
    let Outcome::Failed(complaint) = verdict.outcome else { panic!("it failed") };
    assert!(complaint.said.contains("No conversation found") && complaint.advice.is_some());
    let (_, verdict) = run(None, &[], "error: unknown option '--tools=Read'", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::CommandLineRefused(_)));
    let (_, verdict) = run(None, &[init(), result(json!({}))], "", Exit::Code(1));
    assert!(matches!(verdict.outcome, Outcome::Failed(_)), "a result, and yet a failure");
}

#[test]
fn another_session_than_it_was_told_is_a_failure() {
    let (steps, verdict) =
        run(Some("ffffffff-81c0-4800-8aa1-bbab2a035a53"), &[init(), result(json!({}))], "", Exit::Code(0));
    assert!(
        steps.contains(&Step::Finished) && matches!(verdict.outcome, Outcome::Failed(_)) && verdict.answer.is_none()
    );
    let (steps, verdict) = run(Some(ID), &[init(), result(json!({}))], "", Exit::Code(0));
    assert!(!steps.contains(&Step::Finished) && verdict.outcome == Outcome::Completed);
}
