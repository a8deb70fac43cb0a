//! Tests of the conversation with an agent, step by step.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentRequest, AgentSession, Cause, Exit, FileChange, FileChangeKind, Interrupt, Line, Outcome, Sandbox,
    Step,
};
use serde_json::{Value, json};

use crate::session::AcpSession;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(7);

fn session(mode: Option<&str>, resume: Option<&str>) -> AcpSession {
    AcpSession::new(asked(resume), mode.map(str::to_owned).into_iter().collect(), None, ANSWER_TIMEOUT)
}

fn asked(resume: Option<&str>) -> AgentRequest {
    AgentRequest {
        resume: resume.map(str::to_owned),
        ..AgentRequest::new("do it", "/project", Sandbox::DangerFullAccess)
    }
}

pub(crate) fn receive(session: &mut AcpSession, message: Value) -> Vec<Step> {
    session.stdout(Line::Whole(message.to_string().as_bytes()))
}

pub(crate) fn answer(session: &mut AcpSession, id: u64, result: Value) -> Vec<Step> {
    receive(session, json!({"jsonrpc": "2.0", "id": id, "result": result}))
}

pub(crate) fn update(session: &mut AcpSession, update: Value) -> Vec<Step> {
    receive(
        session,
        json!({"jsonrpc": "2.0", "method": "session/update", "params": {"sessionId": "s", "update": update}}),
    )
}

/// The messages that these steps send.
fn sent(steps: &[Step]) -> Vec<Value> {
    let sent = steps.iter().filter_map(|step| match step {
        Step::Send(bytes) => Some(serde_json::from_slice(bytes).expect("it is JSON")),
        Step::Event(_) | Step::CloseStdin | Step::Deadline(_) | Step::Finished => None,
    });
    sent.collect()
}

pub(crate) fn events(steps: Vec<Step>) -> Vec<AgentEvent> {
    let events = steps.into_iter().filter_map(|step| match step {
        Step::Event(event) => Some(event),
        Step::Send(_) | Step::CloseStdin | Step::Deadline(_) | Step::Finished => None,
    });
    events.collect()
}

/// A session that has sent its prompt.
pub(crate) fn prompted() -> AcpSession {
    prompted_in(Sandbox::DangerFullAccess)
}

pub(crate) fn prompted_in(sandbox: Sandbox) -> AcpSession {
    let mut session = AcpSession::new(AgentRequest { sandbox, ..asked(None) }, vec![], None, ANSWER_TIMEOUT);
    session.start();
    answer(&mut session, 1, json!({"protocolVersion": 1}));
    let steps = answer(&mut session, 2, json!({"sessionId": "s"}));
    assert_eq!(sent(&steps)[0]["method"], "session/prompt", "{steps:?}");
    assert!(steps.contains(&Step::Deadline(None)), "the prompt has no time limit");
    session
}

fn said(session: AcpSession) -> String {
    match Box::new(session).finish(Exit::Signal(15)).outcome {
        Outcome::Failed(failure) => failure.message,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_run_initializes_opens_a_session_sets_the_mode_and_prompts() {
    let mut session = session(Some("full-access"), None);
    let steps = session.start();
    assert_eq!(
        (&sent(&steps)[0]["method"], &sent(&steps)[0]["params"]["protocolVersion"]),
        (&json!("initialize"), &json!(1))
    );
    assert!(steps.contains(&Step::Deadline(Some(ANSWER_TIMEOUT))));
    let steps = answer(&mut session, 1, json!({"protocolVersion": 1}));
    assert_eq!(sent(&steps)[0]["params"], json!({"cwd": "/project", "mcpServers": []}));
    let modes = json!({"currentModeId": "read-only", "availableModes": [{"id": "read-only"}, {"id": "full-access"}]});
    let steps = answer(&mut session, 2, json!({"sessionId": "s", "modes": modes}));
    assert_eq!(sent(&steps)[0]["params"], json!({"sessionId": "s", "modeId": "full-access"}));
    let steps = answer(&mut session, 3, json!({}));
    assert_eq!(sent(&steps)[0]["params"]["prompt"], json!([{"type": "text", "text": "do it"}]));
}

#[test]
fn a_missing_mode_fails_the_run() {
    for (modes, words) in [
        (json!(null), "does not offer a choice of its mode, so `plan`"),
        (json!({"currentModeId": "a", "availableModes": [{"id": "a"}]}), "no mode `plan`"),
    ] {
        let mut session = session(Some("plan"), None);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        let steps = answer(&mut session, 2, json!({"sessionId": "s", "modes": modes}));
        assert!(steps.contains(&Step::Finished) && sent(&steps).is_empty(), "{steps:?}");
        assert!(said(session).contains(words));
    }
}

#[test]
fn the_model_is_set_before_mode_and_prompt_or_the_task_fails() {
    let opened = json!({
        "sessionId": "s",
        "modes": {"currentModeId": "a", "availableModes": [{"id": "a"}, {"id": "b"}]},
        "configOptions": [{"id": "m", "category": "model", "currentValue": "x", "options": [{"value": "x"}, {"value": "y"}]}],
    });
    let begun = |model: &str| {
        let mut session = AcpSession::new(asked(None), vec!["b".into()], Some(model.into()), ANSWER_TIMEOUT);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        let steps = answer(&mut session, 2, opened.clone());
        (session, steps)
    };
    let (mut session, steps) = begun("y");
    assert_eq!(sent(&steps)[0]["params"], json!({"sessionId": "s", "configId": "m", "value": "y"}));
    let steps = answer(&mut session, 3, json!({}));
    assert_eq!(sent(&steps)[0]["params"], json!({"sessionId": "s", "modeId": "b"}));
    assert_eq!(sent(&answer(&mut session, 4, json!({})))[0]["method"], "session/prompt");
    let (session, steps) = begun("z");
    assert!(steps.contains(&Step::Finished) && sent(&steps).is_empty(), "{steps:?}");
    assert!(said(session).contains("no model `z`"));
}

/// A read-only session that has requested the mode `plan` with an option.
fn planned() -> AcpSession {
    let request = AgentRequest { sandbox: Sandbox::ReadOnly, ..asked(None) };
    let mut session = AcpSession::new(request, vec!["newer".into(), "plan".into()], None, ANSWER_TIMEOUT);
    session.start();
    answer(&mut session, 1, json!({"protocolVersion": 1}));
    let steps = answer(&mut session, 2, json!({"sessionId": "s", "configOptions": options("build")}));
    let expected = json!({"sessionId": "s", "configId": "mode", "value": "plan"});
    assert_eq!(sent(&steps)[0]["params"], expected);
    session
}

fn options(mode: &str) -> Value {
    json!([{"id": "mode", "currentValue": mode, "options": [{"value": "build"}, {"value": "plan"}]}])
}

#[test]
fn a_mode_set_by_an_option_must_be_confirmed() {
    let mut session = planned();
    let steps = answer(&mut session, 3, json!({"configOptions": options("plan")}));
    assert_eq!(sent(&steps)[0]["method"], "session/prompt");
    let mut session = planned();
    assert!(answer(&mut session, 3, json!({"configOptions": options("build")})).contains(&Step::Finished));
    assert!(said(session).contains("it is in mode `build`, but sandbox `read-only` needs mode `plan`"));
}

#[test]
fn an_agent_that_leaves_the_mode_of_its_sandbox_is_stopped() {
    let left = json!({"sessionUpdate": "current_mode_update", "currentModeId": "build"});
    let option = json!({"sessionUpdate": "config_option_update", "configOptions": options("build")});
    for incoming in [left.clone(), option] {
        let mut session = planned();
        answer(&mut session, 3, json!({}));
        let stays = json!({"sessionUpdate": "current_mode_update", "currentModeId": "plan"});
        assert!(!update(&mut session, stays).contains(&Step::Finished));
        assert!(update(&mut session, incoming).contains(&Step::Finished));
        assert!(said(session).contains("it is in mode `build`"));
    }
    let mut session = planned();
    update(&mut session, left.clone());
    assert!(answer(&mut session, 3, json!({})).contains(&Step::Finished), "it is not in the requested mode");

    let mut free = session_in(&["all"]);
    assert!(!update(&mut free, left).contains(&Step::Finished), "without a sandbox, no mode is enforced");
}

#[test]
fn the_initial_mode_is_enforced_too() {
    let begun = |model: Option<&str>| {
        let request = AgentRequest { sandbox: Sandbox::ReadOnly, ..asked(None) };
        let mut session = AcpSession::new(request, vec!["plan".into()], model.map(str::to_owned), ANSWER_TIMEOUT);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        let models = json!({"currentModelId": "x", "availableModels": [{"modelId": "y"}]});
        answer(&mut session, 2, json!({"sessionId": "s", "configOptions": options("plan"), "models": models}));
        session
    };
    let left = json!({"sessionUpdate": "current_mode_update", "currentModeId": "build"});
    assert!(update(&mut begun(None), left.clone()).contains(&Step::Finished));

    // The requested model does not support the mode.
    let mut session = begun(Some("y"));
    update(&mut session, left);
    let steps = answer(&mut session, 3, json!({}));
    assert!(steps.contains(&Step::Finished) && sent(&steps).is_empty(), "{steps:?}");
    let mut session = begun(Some("y"));
    assert!(answer(&mut session, 3, json!({"configOptions": options("build")})).contains(&Step::Finished));
    assert!(said(session).contains("it is in mode `build`"));
}

#[test]
fn modes_reported_before_the_request_do_not_count() {
    let modes = json!({"currentModeId": "build", "availableModes": [{"id": "build"}, {"id": "plan"}]});
    let models = json!({"currentModelId": "x", "availableModels": [{"modelId": "y"}]});
    for opened in [
        json!({"sessionId": "s", "models": models, "modes": modes}),
        json!({"sessionId": "s", "models": models, "configOptions": options("build")}),
    ] {
        let request = AgentRequest { sandbox: Sandbox::ReadOnly, ..asked(None) };
        let mut session = AcpSession::new(request, vec!["plan".into()], Some("y".into()), ANSWER_TIMEOUT);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        answer(&mut session, 2, opened);
        update(&mut session, json!({"sessionUpdate": "current_mode_update", "currentModeId": "build"}));
        answer(&mut session, 3, json!({}));
        assert_eq!(sent(&answer(&mut session, 4, json!({})))[0]["method"], "session/prompt");
    }
}

/// A session without a sandbox, in the first of these modes, that has sent its prompt.
fn session_in(modes: &[&str]) -> AcpSession {
    let mut session =
        AcpSession::new(asked(None), modes.iter().map(|mode| (*mode).to_owned()).collect(), None, ANSWER_TIMEOUT);
    session.start();
    answer(&mut session, 1, json!({"protocolVersion": 1}));
    let offered = json!({"currentModeId": "none", "availableModes": [{"id": modes[0]}]});
    answer(&mut session, 2, json!({"sessionId": "s", "modes": offered}));
    answer(&mut session, 3, json!({}));
    session
}

#[test]
fn an_agent_that_gives_up_after_a_denial_names_the_denied_action() {
    let asks = json!({"jsonrpc": "2.0", "id": 0, "method": "session/request_permission", "params": {
        "toolCall": {"kind": "edit", "title": "Edit files", "locations": [{"path": "/project/x"}]},
        "options": [{"optionId": "yes", "kind": "allow_once"}, {"optionId": "no", "kind": "reject_once"}]}});
    let denied = || {
        let request = AgentRequest { sandbox: Sandbox::ReadOnly, ..asked(None) };
        let mut session = AcpSession::new(request, vec![], None, ANSWER_TIMEOUT);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        answer(&mut session, 2, json!({"sessionId": "s"}));
        assert_eq!(sent(&receive(&mut session, asks.clone()))[0]["result"]["outcome"]["optionId"], "no");
        session
    };
    let mut gives_up = denied();
    answer(&mut gives_up, 3, json!({"stopReason": "cancelled"}));
    let words = said(gives_up);
    assert!(words.contains("`read-only`") && words.contains("Edit files /project/x"), "{words}");

    let mut continuing = denied();
    update(&mut continuing, json!({"sessionUpdate": "tool_call", "toolCallId": "c", "kind": "read", "title": "look"}));
    answer(&mut continuing, 3, json!({"stopReason": "cancelled"}));
    assert_eq!(said(continuing), "the turn ended early: cancelled");
}

#[test]
fn commands_and_file_changes_are_reported() {
    let mut session = prompted();
    let begin =
        |id: &str, kind: &str| json!({"sessionUpdate": "tool_call", "toolCallId": id, "kind": kind, "title": "t"});
    update(&mut session, begin("a", "execute"));
    let end = json!({"sessionUpdate": "tool_call_update", "toolCallId": "a", "status": "failed",
        "rawOutput": {"exit_code": 3}, "content": [{"type": "content", "content": {"type": "text", "text": "out"}}]});
    let incoming = events(update(&mut session, end));
    assert!(
        matches!(&incoming[..], [AgentEvent::CommandFinished { exit_code: Some(3), output, .. }] if output == "out"),
        "{incoming:?}"
    );
    update(&mut session, begin("b", "edit"));
    let end = json!({"sessionUpdate": "tool_call_update", "toolCallId": "b", "status": "completed",
        "content": [{"type": "diff", "path": "/project/x", "oldText": null, "newText": "y"}]});
    let changes = vec![FileChange { path: "/project/x".into(), kind: FileChangeKind::Added }];
    assert_eq!(events(update(&mut session, end)), [AgentEvent::FilesChanged { changes, applied: true }]);
}

#[test]
fn a_working_agent_is_cancelled_through_the_protocol() {
    let mut idle = session(None, None);
    idle.start();
    assert_eq!(idle.interrupt(), Interrupt::Signal);
    let mut busy = prompted();
    let Interrupt::Steps(steps) = busy.interrupt() else { panic!("it can be cancelled through the protocol") };
    assert_eq!(sent(&steps), [json!({"jsonrpc": "2.0", "method": "session/cancel", "params": {"sessionId": "s"}})]);
    assert!(answer(&mut busy, 3, json!({"stopReason": "cancelled"})).contains(&Step::Finished));
    assert_eq!(busy.interrupt(), Interrupt::Signal, "its turn is over");
}

#[test]
fn a_loaded_session_does_not_repeat_its_history() {
    let mut session = session(None, Some("old"));
    session.start();
    let steps = answer(&mut session, 1, json!({"protocolVersion": 1, "agentCapabilities": {"loadSession": true}}));
    assert_eq!(
        (&sent(&steps)[0]["method"], &sent(&steps)[0]["params"]["sessionId"]),
        (&json!("session/load"), &json!("old"))
    );
    let old = json!({"sessionUpdate": "agent_message_chunk", "content": {"text": "old words"}});
    assert!(matches!(&events(update(&mut session, old))[..], [AgentEvent::Other { .. }]));
    assert_eq!(sent(&answer(&mut session, 2, json!(null)))[0]["params"]["sessionId"], "old");
    answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    assert_eq!(Box::new(session).finish(Exit::Code(0)).answer, None);

    let mut cannot = self::session(None, Some("old"));
    cannot.start();
    assert!(answer(&mut cannot, 1, json!({"protocolVersion": 1})).contains(&Step::Finished));
    assert!(said(cannot).contains("loadSession"));
}

#[test]
fn every_request_of_the_agent_is_answered() {
    let mut session = prompted();
    let ask = |method: &str| {
        json!({"jsonrpc": "2.0", "id": "q", "method": method, "params": {
        "toolCall": {"kind": "execute"}, "options": [{"optionId": "yes", "kind": "allow_once"}]}})
    };
    let allowed = &sent(&receive(&mut session, ask("session/request_permission")))[0];
    assert_eq!(allowed["result"]["outcome"]["optionId"], "yes");
    for method in ["fs/read_text_file", "terminal/create", "no/such/method"] {
        let refused = &sent(&receive(&mut session, ask(method)))[0];
        assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!("q"), &json!(-32601)));
    }
}

#[test]
fn an_agent_that_breaks_the_protocol_fails_and_is_not_waited_for() {
    for (message, words) in [
        (json!({"jsonrpc": "2.0", "id": 1, "result": {"protocolVersion": 2}}), "version 2"),
        (json!({"jsonrpc": "2.0", "id": 1, "result": {}}), "version none"),
        (
            json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32603, "message": "no", "data": {"details": "disk"}}}),
            "no: disk",
        ),
    ] {
        let mut session = session(None, None);
        session.start();
        assert!(receive(&mut session, message).contains(&Step::Finished));
        assert!(said(session).contains(words), "{words}");
    }
    let mut silent = session(None, None);
    silent.start();
    assert_eq!(
        silent.stdout(Line::Whole(b"{\"jsonrpc\": \"2.0\", \"id\": 9, \"result\": {}}")),
        [],
        "no such request was sent"
    );
    silent.stderr(Line::Whole(b"Ok to proceed? (y)"));
    assert!(silent.overdue().contains(&Step::Finished));
    assert_eq!(said(silent), "it did not answer `initialize` within 7 s; its stderr: Ok to proceed? (y)");

    let mut huge = prompted();
    assert_eq!(huge.stdout(Line::TooLong { head: b"{\"method\":\"session/update\"", length: 9 << 20 }), []);
    assert!(huge.stdout(Line::TooLong { head: b"{\"id\":4,\"result\"", length: 9 << 20 }).contains(&Step::Finished));
    assert!(said(huge).contains("9437184 bytes"));
}

#[test]
fn an_error_is_explained_by_its_message_or_else_by_its_code() {
    for (code, message, cause) in [
        (-32000, "Authentication required", Some(Cause::NotLoggedIn)),
        (-32000, "no", Some(Cause::NotLoggedIn)),
        (-32000, "You've hit your usage limit.", Some(Cause::OutOfQuota)),
        (-32603, "Selected model is at capacity. Please try a different model.", Some(Cause::Capacity)),
        (-32603, "Internal error in request 9c401d2e-429f", None),
    ] {
        let mut session = session(None, None);
        session.start();
        answer(&mut session, 1, json!({"protocolVersion": 1}));
        receive(&mut session, json!({"jsonrpc": "2.0", "id": 2, "error": {"code": code, "message": message}}));
        let Outcome::Failed(failure) = Box::new(session).finish(Exit::Code(0)).outcome else { panic!("it failed") };
        assert_eq!((failure.cause, failure.advice.is_some()), (cause, cause.is_some()), "{message}");
    }
}

#[test]
fn an_agent_that_is_not_logged_in_says_why() {
    let mut session = session(None, None);
    session.start();
    answer(&mut session, 1, json!({"protocolVersion": 1}));
    receive(
        &mut session,
        json!({"jsonrpc": "2.0", "id": 2, "error": {"code": -32000, "message": "Authentication required"}}),
    );
    let Outcome::Failed(failure) = Box::new(session).finish(Exit::Code(0)).outcome else { panic!("it failed") };
    assert_eq!(failure.cause, Some(Cause::NotLoggedIn));
    assert!(failure.advice.is_some() && failure.message.contains("Authentication required"), "{failure:?}");
}
