//! Tests of a task's final status, its failure reason, and the fields of its record.

use connector_api::Cause;

use super::*;

fn end(outcome: Outcome, exit: Exit, stopped: Option<StopCause>) -> (EndStatus, Option<String>) {
    let verdict = Verdict { outcome, answer: None, session_id: None, usage: None };
    let stopped = stopped.map(|cause| (cause, Duration::from_secs(301)));
    let (status, reason) = RunEnd { exit: Some(exit), verdict, stopped, ..clean() }.conclusion();
    (status, reason.map(|reason| reason.to_string()))
}

/// A successful end. Each test changes only the fields that matter to it.
fn clean() -> RunEnd {
    let verdict = Verdict { outcome: Outcome::Completed, answer: None, session_id: None, usage: None };
    RunEnd { exit: Some(Exit::Code(0)), verdict, ..RunEnd::failed(None, String::new(), None) }
}

/// The end that is written to the record.
fn recorded(end: RunEnd) -> TaskEnd {
    recorded_after(end, None)
}

/// The recorded end of a task whose agent last tried to recover from the problem `trouble`.
fn recorded_after(end: RunEnd, trouble: Option<&str>) -> TaskEnd {
    let mut record = running();
    end.write_into(&mut record, trouble.map(str::to_owned), Utc::now(), Duration::from_secs(1));
    record.end.expect("the end was written")
}

fn running() -> TaskRecord {
    serde_json::from_value(serde_json::json!({
        "id": "0123abcd", "status": "running", "startedAt": "2024-01-15T10:30:00.000Z"
    }))
    .expect("the documented fields are enough")
}

fn failed() -> Outcome {
    Outcome::Failed(AgentFailure::new("no"))
}

#[test]
fn a_timeout_during_a_recovery_reports_the_problem_with_advice() {
    let of = |trouble| {
        let verdict = Verdict { outcome: failed(), answer: None, session_id: None, usage: None };
        let stopped = Some((StopCause::TimedOut { limit: Duration::from_secs(1) }, Duration::from_secs(1)));
        let end = recorded_after(RunEnd { verdict, stopped, ..clean() }, trouble);
        (end.agent_said.map(Untrusted::into_raw), end.advice.map(Untrusted::into_raw))
    };
    let (said, advice) = of(Some("waiting for network"));
    assert_eq!(said.as_deref(), Some("waiting for network"));
    assert!(advice.is_some_and(|advice| advice.contains("solve it")));
    assert_eq!(of(None), (None, None));
}

#[test]
fn a_resumed_task_keeps_its_session_if_its_agent_reports_none() {
    let ends = [
        clean(),
        RunEnd::unusable("ENOENT", "no program".into(), None),
        RunEnd::stop_requested(StopCause::Cancelled, Duration::ZERO),
        RunEnd::failed(None, "no".into(), None),
    ];
    for end in ends {
        let mut record: TaskRecord = serde_json::from_value(serde_json::json!({
            "id": "0123abcd", "status": "running", "startedAt": "2024-01-15T10:30:00.000Z", "sessionId": "resumed"
        }))
        .expect("the documented fields are enough");
        end.write_into(&mut record, None, Utc::now(), Duration::from_secs(1));
        assert_eq!(record.progress.session_id.as_ref().map(Untrusted::raw), Some("resumed"));
    }
}

#[test]
fn if_the_agent_ended_by_itself_its_verdict_decides() {
    use EndStatus::{Completed, Failed};
    assert_eq!(end(Outcome::Completed, Exit::Code(0), None), (Completed, None));
    assert_eq!(end(failed(), Exit::Code(1), None), (Failed, Some("Exited with code 1".into())));
    assert_eq!(end(failed(), Exit::Code(0), None), (Failed, Some("Exited with code 0".into())));
    assert_eq!(end(failed(), Exit::Signal(15), None), (Failed, Some("Killed by SIGTERM".into())));
    let killed = (Failed, Some("Killed by SIGKILL".into()));
    assert_eq!(end(Outcome::Completed, Exit::Signal(9), None), killed, "the verdict does not count");
    assert_eq!(end(Outcome::Completed, Exit::Signal(2), Some(StopCause::Finished)), (Completed, None));
    let reported = (Failed, Some("Agent reported a failure".into()));
    assert_eq!(end(failed(), Exit::Signal(2), Some(StopCause::Finished)), reported);
}

#[test]
fn if_we_stopped_the_agent_the_cause_decides() {
    use EndStatus::{Failed, Interrupted};
    let limit = Duration::from_secs(300);
    for outcome in [Outcome::Completed, failed()] {
        let stopped = |cause| end(outcome.clone(), Exit::Code(0), Some(cause));
        assert_eq!(stopped(StopCause::Cancelled), (Failed, Some("Cancelled by user".into())));
        let timeout = Some("Timeout after 5m 1s (limit: 5m 0s)".into());
        assert_eq!(stopped(StopCause::TimedOut { limit }), (Failed, timeout));
        let restarted = Some("Server restarted while task was running".into());
        assert_eq!(stopped(StopCause::ServerGone), (Interrupted, restarted));
    }
}

#[test]
fn an_agent_that_was_never_started_has_a_process_error() {
    for (why, errno) in [
        (NotStarted::Unusable { errno: "ENOEXEC".into() }, "ENOEXEC"),
        (NotStarted::Refused, "ENOTSUP"),
        (NotStarted::Forbidden, "EACCES"),
        (NotStarted::NoDirectory { errno: "ENOENT".into() }, "ENOENT"),
    ] {
        let (status, reason) = RunEnd::not_started(why, "no".into(), None).conclusion();
        assert_eq!(status, EndStatus::Failed);
        let reason = reason.map(|reason| reason.to_string());
        assert_eq!(reason, Some(format!("Process error: {errno} (spawn failed)")));
    }
}

/// The end of a run that failed with this cause.
fn failed_with(cause: Option<Cause>) -> RunEnd {
    let outcome = Outcome::Failed(AgentFailure { cause, ..AgentFailure::new("no") });
    let verdict = Verdict { outcome, answer: None, session_id: None, usage: None };
    RunEnd { exit: Some(Exit::Code(1)), verdict, ..clean() }
}

#[test]
fn an_obstacle_says_whether_a_backend_is_unable_or_unsuitable() {
    let not_started = |why| RunEnd::not_started(why, "no".into(), None);
    let (unable, unsuitable) = (Obstacle::Unable("no".into()), Obstacle::Unsuitable("no".into()));
    for cause in [Cause::NotLoggedIn, Cause::OutOfQuota, Cause::Capacity] {
        assert_eq!(failed_with(Some(cause)).obstacle(), Some(unable.clone()));
    }
    assert_eq!(not_started(NotStarted::Unusable { errno: "ENOENT".into() }).obstacle(), Some(unable));
    assert_eq!(not_started(NotStarted::Refused).obstacle(), Some(unsuitable.clone()));
    assert_eq!(not_started(NotStarted::Forbidden).obstacle(), Some(unsuitable));
    assert_eq!(not_started(NotStarted::NoDirectory { errno: "ENOENT".into() }).obstacle(), None);
    assert_eq!(failed_with(None).obstacle(), None, "the cause is unknown");
    assert_eq!(failed_with(Some(Cause::Network)).obstacle(), None, "no other agent would have a network either");
}

#[test]
fn a_stopped_task_triggers_no_fallback() {
    let limit = Duration::from_secs(300);
    let stops = [
        StopCause::Cancelled,
        StopCause::TimedOut { limit },
        StopCause::Silent { limit },
        StopCause::Offline { limit },
        StopCause::ServerGone,
    ];
    for cause in stops {
        let stopped = Some((cause, limit));
        assert_eq!(RunEnd { stopped, ..failed_with(Some(Cause::NotLoggedIn)) }.obstacle(), None, "{cause:?}");
        let unusable = RunEnd::unusable("ENOENT", "no".into(), None);
        assert_eq!(RunEnd { stopped, ..unusable }.obstacle(), None, "{cause:?}");
    }
}

#[test]
fn a_completed_task_without_an_answer_has_a_warning_and_a_failed_one_has_its_reason() {
    let of = |answer: Option<&str>, outcome: Outcome, exit| {
        let verdict = Verdict { outcome, answer: answer.map(str::to_owned), session_id: None, usage: None };
        recorded(RunEnd { exit: Some(exit), verdict, ..clean() })
    };
    for blank in [None, Some(""), Some(" \n")] {
        let end = of(blank, Outcome::Completed, Exit::Code(0));
        assert_eq!(end.status, EndStatus::Completed);
        assert!(end.warnings[0].message.contains("without a final message"), "{:?}", end.warnings);
        assert_eq!(of(blank, failed(), Exit::Code(1)).warnings, []);
    }
    assert_eq!(of(Some("done"), Outcome::Completed, Exit::Code(0)).warnings, []);
}

#[test]
fn a_turn_completed_before_exit_code_1_keeps_its_answer_and_its_reason() {
    let of = |has_completed, exit, stopped: Option<StopCause>| {
        let verdict = Verdict { outcome: failed(), answer: Some("done".into()), session_id: None, usage: None };
        let stopped = stopped.map(|cause| (cause, Duration::from_secs(1)));
        recorded(RunEnd { exit: Some(exit), verdict, has_completed, stopped, ..clean() })
    };
    let end = of(true, Exit::Code(1), None);
    assert_eq!(end.failure_reason.as_ref().map(Untrusted::raw), Some("Exited with code 1"));
    assert_eq!(
        (end.turn_completed, end.agent_said, end.result.as_ref().map(Untrusted::raw)),
        (true, None, Some("done"))
    );
    for (has_completed, exit, stopped) in [
        (false, Exit::Code(1), None),
        (false, Exit::Signal(9), None),
        (true, Exit::Signal(9), Some(StopCause::Finished)),
        (true, Exit::Code(1), Some(StopCause::Cancelled)),
        (true, Exit::Code(0), None),
    ] {
        assert!(!of(has_completed, exit, stopped).turn_completed, "{has_completed} {exit} {stopped:?}");
    }
    assert_eq!(of(false, Exit::Code(1), None).agent_said.as_ref().map(Untrusted::raw), Some("no"));
}

#[test]
fn our_own_sentence_about_a_silent_agent_is_not_attributed_to_it() {
    let outcome = Outcome::Failed(AgentFailure::unexplained("Codex ended with exit code 3"));
    let verdict = Verdict { outcome, answer: None, session_id: None, usage: None };
    let end = recorded(RunEnd { exit: Some(Exit::Code(3)), verdict, ..clean() });
    assert_eq!((end.agent_said, end.failure_reason.as_ref().map(Untrusted::raw)), (None, Some("Exited with code 3")));
    assert_eq!(end.warnings, [Warning::new("Codex ended with exit code 3, and did not say why")]);
}

#[test]
fn a_turn_completed_before_a_fatal_signal_keeps_its_answer_and_its_reason() {
    for (signal, reason) in [(15, "Killed by SIGTERM"), (11, "Killed by SIGSEGV"), (9, "Killed by SIGKILL")] {
        for outcome in [failed(), Outcome::Completed] {
            let verdict = Verdict { outcome, answer: Some("done".into()), session_id: None, usage: None };
            let end = recorded(RunEnd { exit: Some(Exit::Signal(signal)), verdict, has_completed: true, ..clean() });
            assert_eq!(end.failure_reason.as_ref().map(Untrusted::raw), Some(reason));
            assert_eq!(
                (end.turn_completed, end.agent_said, end.result.as_ref().map(Untrusted::raw)),
                (true, None, Some("done"))
            );
        }
    }
}

#[test]
fn a_violation_of_the_roots_is_recorded_however_the_task_ended() {
    let violation = Warning { message: "it was moved".into(), advice: Some("look at it".into()) };
    let limit = Duration::from_secs(300);
    let ends = [
        (true, Exit::Code(1), None, "Exited with code 1"),
        (true, Exit::Code(0), None, "Exited with code 0"),
        (true, Exit::Signal(2), Some(StopCause::Finished), "Killed by SIGINT"),
        (false, Exit::Signal(9), Some(StopCause::Displaced), "Killed by SIGKILL"),
        (false, Exit::Signal(9), Some(StopCause::Cancelled), "Cancelled by user"),
        (false, Exit::Signal(9), Some(StopCause::TimedOut { limit }), "Timeout after 5m 1s (limit: 5m 0s)"),
    ];
    for (has_completed, exit, stopped, reason) in ends {
        for outcome in [Outcome::Completed, failed()] {
            let verdict = Verdict { outcome, answer: None, session_id: None, usage: None };
            let stopped = stopped.map(|cause| (cause, Duration::from_secs(301)));
            let warnings = vec![Warning { message: "another".into(), advice: None }; MAX_WARNINGS];
            let violation = Some(violation.clone());
            let end = RunEnd { exit: Some(exit), verdict, has_completed, stopped, violation, warnings, ..clean() };
            assert_eq!(end.obstacle(), None, "{reason}: another backend could not work there either");
            let record = recorded(end);
            assert_eq!(
                (record.status, record.failure_reason.as_ref().map(Untrusted::raw)),
                (EndStatus::Failed, Some(reason))
            );
            assert_eq!(record.warnings[0].message, "it was moved", "{reason}");
        }
    }
}

#[test]
fn a_failed_exit_after_a_completed_turn_triggers_no_fallback() {
    let end = |has_completed| RunEnd { has_completed, ..failed_with(Some(Cause::NotLoggedIn)) };
    assert!(end(false).obstacle().is_some() && end(true).obstacle().is_none());
}

#[test]
fn warnings_are_bounded() {
    let warnings = vec![Warning { message: "x".repeat(9_000), advice: Some("y".repeat(9_000)) }; 100];
    let end = recorded(RunEnd { warnings, ..clean() });
    assert_eq!(end.warnings.len(), MAX_WARNINGS);
    let length = |warning: &Warning| warning.message.len() + warning.advice.as_ref().map_or(0, String::len);
    assert!(end.warnings.iter().all(|warning| length(warning) < 2 * MAX_WARNING_CHARS + 200));
}

#[test]
fn an_interrupted_task_says_who_exited_and_which_setting_changes_it() {
    let explained = |cause, submitter: Submitter| {
        let mut record = running();
        record.start.submitter = submitter;
        let end = RunEnd { stopped: Some((cause, Duration::ZERO)), ..clean() };
        end.write_into(&mut record, None, Utc::now(), Duration::ZERO);
        let end = record.end.expect("it has ended");
        let reason = end.failure_reason.as_ref().map(Untrusted::raw);
        assert_eq!(reason, Some("Server restarted while task was running"));
        let advice = end.warnings[0].advice.clone().unwrap_or_default();
        (end.warnings[0].message.clone(), advice)
    };
    let by = |by, session: Option<&str>| Submitter { by: Some(by), session: session.map(str::to_owned) };
    let (message, advice) = explained(StopCause::ServerGone, by(SubmittedBy::Call, Some("5e55")));
    assert!(message.contains("the Claude Code session that had started it, 5e55, ended"), "{message}");
    assert!(advice.contains("`on_server_exit = \"continue\"` under `[tasks]`"), "{advice}");
    let (message, _) = explained(StopCause::ServerGone, Submitter::default());
    assert!(message.contains("the MCP server that had started it exited"), "{message}");
    let (message, advice) = explained(StopCause::ServerGone, by(SubmittedBy::Terminal, Some("5e55")));
    assert!(message.contains("command in a terminal") && advice.contains("`--detach`"), "{message} {advice}");
    let (message, advice) = explained(StopCause::Terminated, by(SubmittedBy::Call, Some("5e55")));
    assert!(message.contains("received a signal to exit") && advice.is_empty(), "{message} {advice}");
}

#[test]
fn a_task_that_is_given_up_offline_says_so_next_to_the_documented_reason() {
    let limit = Duration::from_secs(600);
    let verdict = Verdict { outcome: failed(), answer: None, session_id: None, usage: None };
    let stopped = Some((StopCause::Offline { limit }, Duration::from_secs(700)));
    let end = recorded_after(RunEnd { verdict, stopped, ..clean() }, Some("waiting for network"));
    assert_eq!(end.failure_reason.map(Untrusted::into_raw).as_deref(), Some("Timeout after 10m 0s (limit: 10m 0s)"));
    assert_eq!(end.agent_said.map(Untrusted::into_raw).as_deref(), Some("waiting for network"));
    let expected = "the task was stopped because its agent had only been waiting for the network for 10m 0s, the limit that \
                    `give_up_offline` sets";
    assert_eq!(end.warnings[0].message, expected);
}
