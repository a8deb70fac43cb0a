//! Tests of whole runs: lines in, events and verdict out. Most lines were recorded from the real program.

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Cause, CommandStatus, Exit, FileChangeKind, Line, Outcome, Step, Verdict,
};
use serde_json::{Value, json};

use crate::session::OpenCodeSession;

const ID: &str = "ses_de81cff72ffeKXHeoDRRAPCfk9";

macro_rules! recording {
    ($name:literal) => {
        include_str!(concat!("../tests/recordings/", $name))
    };
}

fn run(resumed: Option<&str>, stdout: &str, stderr: &str, exit: Exit) -> (Vec<Step>, Verdict) {
    let mut session = Box::new(OpenCodeSession::new(resumed.map(str::to_owned)));
    let mut steps: Vec<_> = stderr.lines().flat_map(|line| session.stderr(Line::Whole(line.as_bytes()))).collect();
    steps.extend(stdout.lines().flat_map(|line| session.stdout(Line::Whole(line.as_bytes()))));
    (steps, session.finish(exit))
}

fn line(kind: &str, part: Value) -> String {
    format!("{}\n", json!({"type": kind, "sessionID": ID, "part": part}))
}

fn events(steps: &[Step]) -> Vec<&AgentEvent> {
    let reported = steps.iter().map(|step| match step {
        Step::Event(event) => Some(event),
        Step::Send(_) | Step::CloseStdin | Step::Deadline(_) | Step::Finished => None,
    });
    reported.flatten().collect()
}

fn failure(verdict: &Verdict) -> &AgentFailure {
    match &verdict.outcome {
        Outcome::Failed(failure) => failure,
        Outcome::Completed | Outcome::CommandLineRefused(_) => panic!("not a failure: {verdict:?}"),
    }
}

#[test]
fn the_output_of_a_run_is_converted_to_events() {
    let (steps, verdict) = run(None, recording!("success-1.18.33.jsonl"), "", Exit::Code(0));
    let events = events(&steps);
    let count = |wanted: fn(&AgentEvent) -> bool| events.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, AgentEvent::SessionStarted { .. })), 1);
    assert_eq!(count(|event| matches!(event, AgentEvent::Reasoning { text } if text == "It wants files.")), 1);
    assert_eq!(count(|event| matches!(event, AgentEvent::TodoList { items } if items.len() == 1)), 1);
    assert_eq!(count(|event| matches!(event, AgentEvent::Other { kind, .. } if kind == "tool_use read")), 1);
    let command = events.iter().find_map(|event| match event {
        AgentEvent::CommandFinished { status, exit_code, output, .. } => Some((*status, *exit_code, output.as_str())),
        _ => None,
    });
    assert_eq!(command, Some((CommandStatus::Failed, Some(3), "out\nerr\n")));
    let kinds = events.iter().find_map(|event| match event {
        AgentEvent::FilesChanged { changes, applied: true } => {
            Some(changes.iter().map(|change| change.kind.clone()).collect::<Vec<_>>())
        }
        _ => None,
    });
    let expected = [FileChangeKind::Added, FileChangeKind::Updated, FileChangeKind::Deleted];
    assert_eq!(kinds.as_deref(), Some(&expected[..]));
    assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("All is done.")));
    assert!(verdict.session_id.is_some_and(|id| id.starts_with("ses_")));
}

#[test]
fn tokens_of_all_steps_are_added_up_and_counted_as_the_contract_defines() {
    let step = |input: u64| {
        let tokens = json!({"input": input, "output": 10, "reasoning": 3, "cache": {"read": 50, "write": 7}});
        line("step_finish", json!({"reason": "stop", "tokens": tokens}))
    };
    let (_, verdict) = run(None, &(step(100) + &step(1)), "", Exit::Code(0));
    let usage = verdict.usage.expect("usage is reported");
    assert_eq!((usage.input_tokens, usage.cached_input_tokens), (215, 100));
    assert_eq!((usage.output_tokens, usage.reasoning_output_tokens), (26, 6));
}

#[test]
fn a_failure_quotes_the_agent_and_adds_advice() {
    let said = |stdout: &str, stderr: &str| failure(&run(None, stdout, stderr, Exit::Code(1)).1).clone();
    let refused = said(recording!("unauthorized-1.18.33.jsonl"), recording!("unauthorized-1.18.33.stderr"));
    assert_eq!((refused.message.as_str(), refused.cause), ("Incorrect API key provided", Some(Cause::NotLoggedIn)));
    assert!(refused.advice.is_some_and(|advice| advice.contains("opencode auth login")));

    let unknown = said(recording!("unknown-model-1.18.33.jsonl"), recording!("unknown-model-1.18.33.stderr"));
    assert_eq!(unknown.message, "ProviderModelNotFoundError: Model not found: mock/nope.");
    assert!(unknown.cause.is_none() && unknown.advice.is_some_and(|advice| advice.contains("opencode models")));
    let without_log = said(recording!("unknown-model-1.18.33.jsonl"), "");
    assert!(without_log.message.contains("server logs") && without_log.advice.is_some());

    let error = |status: u64, message: &str| {
        json!({"type": "error", "sessionID": ID,
            "error": {"name": "APIError", "data": {"message": message, "statusCode": status}}})
        .to_string()
    };
    for (status, message, cause) in [
        (429, "slow down", Some(Cause::OutOfQuota)),
        (402, "Insufficient credits", Some(Cause::OutOfQuota)),
        (400, "the script says no", None),
        (404, "page 401 of the api", None),
    ] {
        let failure = said(&error(status, message), "");
        assert_eq!((failure.message.as_str(), failure.cause), (message, cause));
    }
    let none = said("", "timestamp=1 level=ERROR message=failed error=\"No providers are available\"");
    assert_eq!(none.cause, Some(Cause::NotLoggedIn));
}

#[test]
fn an_error_is_a_failure_despite_messages_and_exit_code_0() {
    let text = line("text", json!({"text": "done"}));
    let (steps, verdict) = run(None, &(text + recording!("unauthorized-1.18.33.jsonl")), "", Exit::Code(0));
    assert_eq!(failure(&verdict).message, "Incorrect API key provided");
    assert!(events(&steps).iter().any(|event| matches!(event, AgentEvent::FatalError { .. })));
}

#[test]
fn an_unfinished_task_fails_even_with_exit_code_0() {
    let (_, verdict) =
        run(None, recording!("rejected-1.18.33.jsonl"), recording!("rejected-1.18.33.stderr"), Exit::Code(0));
    let reported = failure(&verdict);
    assert!(reported.message.contains("! permission requested: bash (touch x)"), "{reported:?}");
    assert!(reported.advice.as_ref().is_some_and(|advice| advice.contains("opencode.json")));
    assert_eq!(verdict.answer.as_deref(), Some("I try."));

    let ending = |reason: &str| {
        let lines = line("text", json!({"text": "so far"})) + &line("step_finish", json!({"reason": reason}));
        run(None, &lines, "", Exit::Code(0)).1
    };
    assert!(failure(&ending("length")).message.contains("cut off"));
    for reason in ["stop", "other", "a reason of a future version"] {
        assert_eq!(ending(reason).outcome, Outcome::Completed, "{reason}");
    }
    let (_, verdict) = run(None, &line("text", json!({"text": " "})), "", Exit::Code(0));
    assert!(failure(&verdict).message.contains("did not say why"));
}

#[test]
fn retried_requests_are_reported_except_for_titles() {
    let log = recording!("unauthorized-1.18.33.stderr");
    let (steps, _) = run(None, "", log, Exit::Code(1));
    let reported = events(&steps).len();
    let main_model = log.lines().filter(|line| line.contains("stream error") && !line.contains("small=true")).count();
    assert!(reported == main_model && main_model > 0, "{steps:?}");
    let retry = r#"timestamp=1 message="stream error" small=false error.error="quota exceeded""#;
    let (_, verdict) = run(None, "", retry, Exit::Signal(2));
    assert_eq!(
        (failure(&verdict).message.as_str(), failure(&verdict).cause),
        ("quota exceeded", Some(Cause::OutOfQuota))
    );
}

#[test]
fn a_session_that_belongs_to_another_directory_is_stopped_before_it_works_there() {
    let log = recording!("elsewhere-1.18.33.stderr");
    let until_both_are_named =
        log.lines().take_while(|line| !line.contains("message=loop")).collect::<Vec<_>>().join("\n");
    let (steps, verdict) = run(Some(ID), "", &until_both_are_named, Exit::Signal(2));
    assert_eq!(steps, [Step::Finished]);
    let reported = failure(&verdict);
    assert!(reported.message.contains("belongs to /home/user/project"), "{reported:?}");
    assert!(reported.advice.as_ref().is_some_and(|advice| advice.contains("`workingDirectory`")));
    let (steps, _) = run(None, "", log, Exit::Signal(2));
    assert!(!steps.contains(&Step::Finished), "a new session does not belong to a directory yet");
}

#[test]
fn a_session_is_resumed_in_its_directory_and_an_unexpected_one_is_a_failure() {
    let (out, log) = (recording!("resumed-1.18.33.jsonl"), recording!("resumed-1.18.33.stderr"));
    let first: Value = serde_json::from_str(out.lines().next().expect("it has lines")).expect("a line is JSON");
    let own = first["sessionID"].as_str().expect("every event contains its session's ID");
    let (steps, verdict) = run(Some(own), out, log, Exit::Code(0));
    assert!(!steps.contains(&Step::Finished));
    assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("again")));

    let (steps, verdict) = run(Some(ID), out, log, Exit::Code(0));
    assert!(steps.contains(&Step::Finished) && verdict.answer.is_none());
    assert!(failure(&verdict).message.contains(ID));

    let (_, verdict) = run(Some(ID), "", recording!("no-session-1.18.33.stderr"), Exit::Code(1));
    assert_eq!(failure(&verdict).message, "Error: Session not found");
    assert!(failure(&verdict).advice.is_some());
}

#[test]
fn a_rejected_command_line_differs_from_a_failed_task() {
    let help = recording!("usage-error-1.18.33.stderr");
    assert!(matches!(run(None, "", help, Exit::Code(1)).1.outcome, Outcome::CommandLineRefused(_)));
    let spoken = line("text", json!({"text": "x"}));
    assert!(matches!(run(None, &spoken, help, Exit::Code(1)).1.outcome, Outcome::Failed(_)));
}

#[test]
fn unknown_events_are_kept_and_overlong_lines_are_reported() {
    let (steps, _) = run(None, &line("no_such_event", json!({"x": 1})), "", Exit::Code(0));
    assert!(
        matches!(events(&steps)[1], AgentEvent::Other { kind, raw } if kind == "no_such_event" && raw.contains("\"x\":1"))
    );
    let mut session = Box::new(OpenCodeSession::new(None));
    let steps = session.stdout(Line::TooLong { head: br#"{"type":"text","timestamp":1"#, length: 9 << 20 });
    assert!(matches!(events(&steps)[0], AgentEvent::Warning { message } if message.contains("9437184")));
    let verdict = session.finish(Exit::Code(0));
    assert!(verdict.outcome == Outcome::Completed && verdict.answer.is_some_and(|answer| answer.contains("log")));
}

/// Runs a session with these lines and exit code 0. Returns its answer, and whether a warning says that work followed
/// it.
fn completed(lines: &[String]) -> (Option<String>, bool) {
    let mut session = Box::new(OpenCodeSession::new(None));
    for line in lines {
        session.stdout(Line::Whole(line.trim_end().as_bytes()));
    }
    assert!(session.has_completed());
    let warnings = session.warnings();
    let verdict = session.finish(Exit::Code(0));
    assert_eq!(verdict.outcome, Outcome::Completed);
    (verdict.answer, warnings.iter().any(|warning| warning.message.contains("before its last command")))
}

#[test]
fn the_last_nonblank_message_is_the_answer_and_gets_a_warning_if_work_follows() {
    let text = |text: &str| line("text", json!({"text": text}));
    let work = line("tool_use", json!({"tool": "read", "state": {"status": "completed"}}));
    let stop = line("step_finish", json!({"reason": "stop"}));
    let after = |said: &str| completed(&[text("I will look"), work.clone(), text(said), stop.clone()]);
    assert_eq!(after("done"), (Some("done".into()), false));
    for blank in ["", " \n"] {
        assert_eq!(after(blank), (Some("I will look".into()), true), "{blank:?}");
    }
    assert_eq!(completed(&[work, stop]), (None, false), "the supervisor warns about a missing message");
}

#[test]
fn stderr_does_not_explain_a_completed_turn() {
    let stdout = [line("text", json!({"text": "done"})), line("step_finish", json!({"reason": "stop"}))].concat();
    let (_, verdict) = run(None, &stdout, "metrics: 401", Exit::Code(1));
    assert_eq!(failure(&verdict).message, "OpenCode completed its turn, then ended with exit code 1");
    assert_eq!((failure(&verdict).cause, verdict.answer.as_deref()), (None, Some("done")));
}

#[test]
fn opencode_gets_time_to_exit_after_its_last_step() {
    let mut session = Box::new(OpenCodeSession::new(None));
    let mut receive = |line: String| {
        session.stdout(Line::Whole(line.trim().as_bytes())).into_iter().rev().find_map(|step| match step {
            Step::Deadline(deadline) => Some(deadline.is_some()),
            Step::Event(_) | Step::Send(_) | Step::CloseStdin | Step::Finished => None,
        })
    };
    assert_eq!(receive(line("text", json!({"text": "done"}))), None);
    assert_eq!(receive(line("step_finish", json!({"reason": "tool-calls"}))), None);
    assert_eq!(receive(line("step_finish", json!({"reason": "stop"}))), Some(true));
    assert_eq!(receive(line("step_start", json!({}))), Some(false), "another step");
    assert_eq!(receive(line("step_finish", json!({"reason": "stop"}))), Some(true));
    assert!(session.overdue().contains(&Step::Finished));
    assert_eq!(session.finish(Exit::Signal(2)).outcome, Outcome::Completed);
}
