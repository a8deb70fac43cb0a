//! Tests of whole recorded runs: lines in, events and verdict out.

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Cause, CommandStatus, Exit, FileChangeKind, Line, Outcome, Step, Verdict,
};

use crate::{
    recordings::{Recording, VERSIONS},
    session::CodexSession,
};

fn failure(version: &str, name: &str, exit: Exit) -> AgentFailure {
    match Recording::of(version).run(name, exit).1.outcome {
        Outcome::Failed(failure) => failure,
        other => panic!("{version} {name}: {other:?}"),
    }
}

fn follow(lines: &[&str], exit: Exit) -> (Vec<Step>, Verdict) {
    let mut session = Box::new(CodexSession::default());
    let steps = lines.iter().flat_map(|line| session.stdout(Line::Whole(line.as_bytes()))).collect();
    (steps, session.finish(exit))
}

#[test]
fn a_success_of_every_version_is_understood() {
    for version in VERSIONS {
        let (events, verdict) = Recording::of(version).run("success", Exit::Code(0));
        assert_eq!(verdict.outcome, Outcome::Completed, "{version}");
        assert_eq!(verdict.answer.as_deref(), Some("Done: hello.txt says hello."), "{version}");
        assert_eq!(verdict.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((400, 40)), "{version}");
        let id = verdict.session_id.expect("every run has a thread");
        assert_eq!(events[0], AgentEvent::SessionStarted { id }, "{version}");
        assert!(events.contains(&AgentEvent::Reasoning { text: "First look, then write.".into() }), "{version}");
        let added = |event: &AgentEvent| {
            let AgentEvent::FilesChanged { changes, applied: true } = event else { return false };
            changes[0].path == "/project/hello.txt" && changes[0].kind == FileChangeKind::Added
        };
        assert_eq!(events.iter().filter(|event| added(event)).count(), 1, "{version}");
        let printed = |event: &AgentEvent| {
            let AgentEvent::CommandFinished { status, exit_code, output, .. } = event else { return false };
            (*status, *exit_code, output.as_str()) == (CommandStatus::Completed, Some(0), "hi\n")
        };
        assert!(events.iter().any(printed), "{version}");
    }
}

#[test]
fn commands_begin_and_end_under_one_id_with_their_exit_code() {
    let (events, _) = Recording::of("0.169.0").run("success", Exit::Code(0));
    let begun = events.iter().filter_map(|event| match event {
        AgentEvent::CommandStarted { id, command } if command.contains("exit 3") => Some(id),
        _ => None,
    });
    let ended = events.iter().filter_map(|event| match event {
        AgentEvent::CommandFinished { id, status: CommandStatus::Failed, exit_code: Some(3), .. } => Some(id),
        _ => None,
    });
    let (begun, ended): (Vec<_>, Vec<_>) = (begun.collect(), ended.collect());
    assert_eq!((begun.len(), begun), (1, ended));
}

#[test]
fn a_failure_quotes_codex_and_adds_advice() {
    for (name, said, advice) in [
        ("model-failure", "mock says no", None),
        ("unknown-model", "The model `nope` does not exist", Some("leave `model` out")),
        ("usage-limit", "You’ve hit your usage limit.", Some("wait until")),
        ("unauthorized", "unexpected status 401 Unauthorized: bad key", Some("codex login")),
        ("stream-cut", "stream disconnected before completion", Some("check the network")),
        ("context-window", "Codex ran out of room in the model's context window.", Some("split `task`")),
        ("missing-variable", "Missing environment variable: `NO_SUCH_KEY`.", Some("env.set")),
        ("not-trusted", "Not inside a trusted directory", Some("require_git = false")),
        ("blank-prompt", "No prompt provided via stdin.", Some("`task`")),
        ("prompt-too-long", "Error: turn/start: turn/start failed: Input exceeds the maximum length", Some("split")),
        ("bad-config", "Error: Model provider `nope` not found", Some("define that provider")),
    ] {
        let failure = failure("0.169.0", name, Exit::Code(1));
        assert!(failure.message.starts_with(said), "{name}: {failure:?}");
        match advice {
            Some(words) => assert!(failure.advice.is_some_and(|advice| advice.contains(words)), "{name}"),
            None => assert_eq!(failure.advice, None, "{name}"),
        }
    }
    let old = failure("0.47.0", "model-failure", Exit::Code(1));
    assert_eq!(old.message, "unexpected status 400 Bad Request: mock says no");
    assert!(failure("0.125.0", "unauthorized", Exit::Code(1)).advice.is_some_and(|advice| advice.contains("login")));
}

#[test]
fn errors_before_a_failed_turn_are_transient() {
    let (events, verdict) = Recording::of("0.169.0").run("stream-cut", Exit::Code(1));
    let transient = events.iter().filter(|event| matches!(event, AgentEvent::TransientError { .. })).count();
    let fatal = events.iter().filter(|event| matches!(event, AgentEvent::FatalError { .. })).count();
    assert_eq!((transient, fatal), (6, 1));
    assert_eq!(verdict.answer.as_deref(), Some("half an answer"), "the incomplete answer is kept");
}

#[test]
fn a_stopped_run_reports_that_it_waited_for_the_network() {
    for (version, said) in [("0.169.0", "Reconnecting... waiting for network"), ("0.47.0", "Re-connecting... 3/5")] {
        let failure = failure(version, "no-network", Exit::Signal(9));
        assert!(failure.message.starts_with(said), "{failure:?}");
        assert!(failure.advice.is_some_and(|advice| advice.contains("network")), "{version}");
    }
}

#[test]
fn only_an_agent_without_a_connection_waits_for_the_network() {
    let causes = |name, exit| {
        let (events, _) = Recording::of("0.169.0").run(name, exit);
        let cause = |event| if let AgentEvent::TransientError { cause, .. } = event { Some(cause) } else { None };
        events.into_iter().filter_map(cause).collect::<Vec<_>>()
    };
    assert_eq!(causes("no-network", Exit::Signal(9)), [Some(Cause::Network); 2]);
    assert_eq!(causes("stream-cut", Exit::Code(1)), [None; 6]);
    assert_eq!(causes("unauthorized", Exit::Code(1)).first(), Some(&Some(Cause::NotLoggedIn)));
}

#[test]
fn a_turn_that_recovered_from_errors_is_completed() {
    let lines = [
        r#"{"type":"turn.started"}"#,
        r#"{"type":"error","message":"Reconnecting... 1/5 (x)"}"#,
        r#"{"type":"turn.completed","usage":{}}"#,
    ];
    assert_eq!(follow(&lines, Exit::Code(0)).1.outcome, Outcome::Completed);
    let Outcome::Failed(failure) = follow(&lines, Exit::Code(1)).1.outcome else { panic!("exit code 1") };
    assert_eq!(failure.message, "Codex completed its turn, then ended with exit code 1");
    let Outcome::Failed(_) = follow(&[lines[2], lines[0]], Exit::Code(0)).1.outcome else { panic!("a second turn") };
}

#[test]
fn an_interrupted_run_fails_even_with_exit_code_0() {
    for (version, exit) in [("0.47.0", 0), ("0.105.0", 0), ("0.125.0", 1), ("0.169.0", 1)] {
        let failure = failure(version, "interrupted", Exit::Code(exit));
        let said = format!("Codex ended with exit code {exit} before its turn was complete, and did not say why");
        assert_eq!(failure.message, said, "{version}");
    }
}

#[test]
fn a_rejected_command_line_requests_another_probe() {
    for version in ["0.47.0", "0.125.0", "0.169.0"] {
        match Recording::of(version).run("usage-error", Exit::Code(2)).1.outcome {
            Outcome::CommandLineRefused(failure) => {
                assert!(failure.message.starts_with("error: unexpected argument '--no-such-flag' found"), "{version}");
            }
            other => panic!("{version}: {other:?}"),
        }
        assert!(matches!(Recording::of(version).run("usage-error", Exit::Code(1)).1.outcome, Outcome::Failed(_)));
    }
}

#[test]
fn a_todo_list_is_reported_each_time_it_changes() {
    let (events, _) = Recording::of("0.105.0").run("todo-list", Exit::Code(0));
    let done = events.iter().filter_map(|event| match event {
        AgentEvent::TodoList { items } => Some(items.iter().filter(|item| item.completed).count()),
        _ => None,
    });
    assert_eq!(done.collect::<Vec<_>>(), [0, 1, 2, 2]);
}

#[test]
fn the_error_of_a_tool_call_is_reported_in_every_version() {
    let errors = |version| {
        let (events, _) = Recording::of(version).run("mcp-tool", Exit::Code(0));
        let errors = events.into_iter().filter_map(|event| match event {
            AgentEvent::McpToolCall { server, error, .. } if server == "e" => Some(error),
            _ => None,
        });
        errors.collect::<Vec<_>>()
    };
    assert_eq!(errors("0.47.0"), [None, Some("failed".to_owned())]);
    let [None, Some(broke)] = &errors("0.105.0")[..] else { panic!("one call worked and one did not") };
    assert!(broke.contains("the tool broke"));
    assert!(errors("0.169.0").iter().all(|error| error.as_ref().is_some_and(|error| error.contains("approval"))));
}

#[test]
fn unknown_events_are_kept_verbatim() {
    let (events, verdict) = Recording::of("0.169.0").run("web-search", Exit::Code(0));
    let search = |event: &&AgentEvent| {
        let AgentEvent::Other { kind, raw } = event else { return false };
        kind.ends_with(" web_search") && raw.starts_with("{\"type\":\"item.")
    };
    assert_eq!(events.iter().filter(search).count(), 2);
    assert_eq!(verdict.outcome, Outcome::Completed);
    let unknown = r#"{"type":"no.such.event","x":1}"#;
    let other = AgentEvent::Other { kind: "no.such.event".into(), raw: unknown.into() };
    assert_eq!(follow(&[unknown], Exit::Code(0)).0, [Step::Event(other)]);
    assert_eq!(follow(&["", "{", "[]", "{}", "plain words"], Exit::Code(0)).0, []);
}

#[test]
fn warnings_do_not_fail_a_run() {
    let (events, _) = Recording::of("0.169.0").run("unknown-model", Exit::Code(1));
    let warning = |event: &AgentEvent| matches!(event, AgentEvent::Warning { message } if message.contains("metadata"));
    assert_eq!(events.iter().filter(|event| warning(event)).count(), 1);
}

#[test]
fn overlong_lines_still_count() {
    let mut session = Box::new(CodexSession::default());
    let mut head = |head: &[u8]| session.stdout(Line::TooLong { head, length: 9_000_000 });
    let steps = head(br#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"0123"#);
    assert!(matches!(&steps[..], [Step::Event(AgentEvent::Message { .. })]));
    let steps = head(br#"{"type":"item.completed","item":{"id":"item_1","type":"command_execution","command":"x"#);
    let [Step::Event(AgentEvent::Other { kind, .. })] = &steps[..] else { panic!("{steps:?}") };
    assert_eq!(kind, "item.completed command_execution");
    head(br#"{"type":"turn.completed","usage":{"input_tokens":1"#);
    assert_eq!(head(b"xxxx"), []);
    let verdict = session.finish(Exit::Code(0));
    assert_eq!(verdict.outcome, Outcome::Completed);
    assert!(verdict.answer.is_some_and(|answer| answer.contains("9000000 bytes")));
}

#[test]
fn an_overlong_line_replaces_an_earlier_answer_however_it_is_formatted() {
    let answered =
        br#"{"type":"item.completed","item":{"id":"item_0","type":"agent_message","text":"an earlier one"}}"#;
    let completed = br#"{"type":"turn.completed","usage":{}}"#;
    for (head, is_answer) in [
        (&br#"{"type": "item.completed", "item": {"id": "item_1", "type": "agent_message", "text": "x"#[..], true),
        (br#"{"item": "xx"#, false),
    ] {
        let mut session = Box::new(CodexSession::default());
        session.stdout(Line::Whole(answered));
        session.stdout(Line::TooLong { head, length: 9_000_000 });
        session.stdout(Line::Whole(completed));
        assert_eq!(session.warnings().is_empty(), is_answer);
        assert_eq!(session.finish(Exit::Code(0)).answer.as_deref() != Some("an earlier one"), is_answer);
    }
}

#[test]
fn a_failed_turn_in_an_overlong_line_is_a_failure() {
    let mut session = Box::new(CodexSession::default());
    session.stdout(Line::TooLong { head: br#"{"type":"turn.failed","error":{"message":"xx"#, length: 9_000_000 });
    assert!(matches!(session.finish(Exit::Code(0)).outcome, Outcome::Failed(_)));
}

#[test]
fn a_run_in_an_unexpected_thread_is_stopped_and_fails() {
    let started = br#"{"type":"thread.started","thread_id":"0199a213-81c0-7800-8aa1-bbab2a035a53"}"#;
    let completed = br#"{"type":"turn.completed","usage":{}}"#;
    for (resumed, is_it) in
        [("0199A213-81c0-7800-8aa1-bbab2a035a53", true), ("0199a213-81c0-7800-8aa1-000000000000", false)]
    {
        let mut session = Box::new(CodexSession::resuming(Some(resumed.into())));
        let steps = session.stdout(Line::Whole(started));
        assert_eq!(steps.contains(&connector_api::Step::Finished), !is_it, "{steps:?}");
        assert!(!session.stdout(Line::Whole(completed)).contains(&connector_api::Step::Finished), "once is enough");
        assert_eq!(session.finish(Exit::Code(0)).outcome == Outcome::Completed, is_it);
    }
}
