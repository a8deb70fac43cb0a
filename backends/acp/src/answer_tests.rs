//! Tests of the answer: which of an agent's texts it contains, and why it may be missing.

use connector_api::{AgentEvent, AgentFailure, AgentSession, Exit, Line, Outcome, Sandbox, Step};
use serde_json::{Value, json};

use crate::session_tests::{answer, events, prompted, prompted_in, receive, update};

#[test]
fn chunks_are_joined_and_the_last_message_is_the_answer() {
    let mut session = prompted();
    let chunk = |text: &str| json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}});
    assert_eq!(events(update(&mut session, chunk("one "))), []);
    assert_eq!(events(update(&mut session, chunk("two"))), []);
    let call = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "kind": "execute", "title": "make", "status": "pending"});
    let message = AgentEvent::Message { text: "one two".into() };
    let started = AgentEvent::CommandStarted { id: "c".into(), command: "make".into() };
    assert_eq!(events(update(&mut session, call)), [message, started]);
    update(&mut session, chunk("three"));
    let steps =
        answer(&mut session, 3, json!({"stopReason": "end_turn", "usage": {"inputTokens": 5, "outputTokens": 2}}));
    assert!(steps.contains(&Step::Finished), "{steps:?}");
    let verdict = Box::new(session).finish(Exit::Signal(15));
    assert_eq!((verdict.outcome, verdict.answer.as_deref()), (Outcome::Completed, Some("three")));
    assert_eq!(verdict.usage.map(|usage| (usage.input_tokens, usage.output_tokens)), Some((5, 2)));
    assert_eq!(verdict.session_id.as_deref(), Some("s"));
}

fn message_chunk(id: Option<&str>, text: &str) -> Value {
    let mut update =
        json!({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text}, "messageId": id});
    if id.is_none() {
        update.as_object_mut().expect("an object").remove("messageId");
    }
    update
}

fn answer_after(updates: Vec<Value>) -> Option<String> {
    let mut session = prompted();
    for incoming in updates {
        update(&mut session, incoming);
    }
    answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    let verdict = Box::new(session).finish(Exit::Signal(15));
    assert_eq!(verdict.outcome, Outcome::Completed);
    verdict.answer
}

#[test]
fn a_message_ends_when_another_id_starts() {
    let mut session = prompted();
    let message = |text: &str| AgentEvent::Message { text: text.into() };
    assert_eq!(events(update(&mut session, message_chunk(None, "an old model"))), []);
    assert_eq!(events(update(&mut session, message_chunk(Some("1"), "one "))), [message("an old model")]);
    let title = json!({"sessionUpdate": "session_info_update", "title": "A title"});
    assert!(matches!(&events(update(&mut session, title))[..], [AgentEvent::Other { .. }]), "the message continues");
    assert_eq!(events(update(&mut session, message_chunk(Some("1"), "two"))), []);
    assert_eq!(events(update(&mut session, message_chunk(Some("2"), "three"))), [message("one two")]);
    answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    assert_eq!(Box::new(session).finish(Exit::Signal(15)).answer.as_deref(), Some("three"));
}

#[test]
fn updates_in_between_do_not_split_an_answer() {
    let title = json!({"sessionUpdate": "session_info_update", "title": "A title"});
    let thought = json!({"sessionUpdate": "agent_thought_chunk", "content": {"text": "hm"}});
    let call = json!({"sessionUpdate": "tool_call", "toolCallId": "c", "kind": "read", "title": "look"});
    let mut notice = message_chunk(None, "it costs more");
    notice["_meta"] = json!({"claudeCode": {"kind": "informational", "level": "warning"}});
    for between in [&title, &thought, &call, &notice] {
        let updates =
            vec![message_chunk(Some("1"), "The answer is "), between.clone(), message_chunk(Some("1"), "42.")];
        assert_eq!(answer_after(updates).as_deref(), Some("The answer is 42."), "{between}");
    }
    for (updates, expected) in [
        (
            vec![message_chunk(Some("1"), "I look."), call.clone(), message_chunk(None, "The review.")],
            "I look.\n\nThe review.",
        ),
        (vec![message_chunk(Some("1"), "Done."), notice], "Done."),
        (vec![message_chunk(None, "old"), call, message_chunk(None, "new")], "new"),
        (vec![message_chunk(None, "a warning"), title, message_chunk(None, "new")], "new"),
    ] {
        assert_eq!(answer_after(updates).as_deref(), Some(expected));
    }
}

#[test]
fn a_broken_thread_is_a_failure_even_if_its_turn_ended_normally() {
    let status = |word: &str| json!({"sessionUpdate": "session_info_update", "_meta": {"codex": {"threadStatus": {"type": word}}}});
    let run = |first: &str, last: &str| {
        let mut session = prompted();
        update(&mut session, message_chunk(Some("1"), first));
        update(&mut session, status("active"));
        update(&mut session, status(last));
        update(&mut session, message_chunk(None, "no such model\n\n"));
        answer(&mut session, 3, json!({"stopReason": "end_turn"}));
        Box::new(session).finish(Exit::Signal(15))
    };
    let verdict = run("I begin", "systemError");
    assert_eq!(verdict.outcome, Outcome::Failed(AgentFailure::new("no such model")));
    assert_eq!(verdict.answer.as_deref(), Some("I begin"));
    assert_eq!(run("", "systemError").answer, None, "the reason for the failure is not an answer");
    let mut wordless = prompted();
    update(&mut wordless, message_chunk(Some("1"), "I found three bugs: a, b"));
    update(&mut wordless, status("systemError"));
    answer(&mut wordless, 3, json!({"stopReason": "end_turn"}));
    let verdict = Box::new(wordless).finish(Exit::Signal(15));
    assert_eq!(verdict.answer.as_deref(), Some("I found three bugs: a, b"));
    assert!(matches!(verdict.outcome, Outcome::Failed(failure) if failure.message.contains("thread broke")));

    let mut of_a_subagent = prompted();
    let update = json!({"sessionId": "another", "update": status("systemError")});
    receive(&mut of_a_subagent, json!({"jsonrpc": "2.0", "method": "session/update", "params": update}));
    answer(&mut of_a_subagent, 3, json!({"stopReason": "end_turn"}));
    assert_eq!(Box::new(of_a_subagent).finish(Exit::Code(0)).outcome, Outcome::Completed);
    assert_eq!(run("I begin", "idle").outcome, Outcome::Completed);
}

#[test]
fn a_message_followed_by_work_gets_a_warning_and_a_blank_one_is_ignored() {
    let call =
        json!({"sessionUpdate": "tool_call", "toolCallId": "c", "kind": "read", "title": "x", "status": "completed"});
    for ids in [[None, None], [Some("a"), Some("b")]] {
        for (last, answer_is, is_warned) in
            [("done", "done", false), ("", "I will look", true), (" ", "I will look", true)]
        {
            let mut session = prompted();
            for incoming in [message_chunk(ids[0], "I will look"), call.clone(), message_chunk(ids[1], last)] {
                update(&mut session, incoming);
            }
            answer(&mut session, 3, json!({"stopReason": "end_turn"}));
            assert!(session.has_completed());
            let warnings = session.warnings();
            assert_eq!(warnings.iter().any(|w| w.message.contains("before its last command")), is_warned, "{last:?}");
            let said = Box::new(session).finish(Exit::Signal(15)).answer.unwrap_or_default();
            assert!(said.contains(answer_is), "{said}");
        }
    }
}

#[test]
fn a_call_that_finishes_after_the_answer_is_not_later_work() {
    let mut session = prompted();
    let call = |kind: &str, status: &str| json!({"sessionUpdate": kind, "toolCallId": "c", "kind": "execute", "title": "make", "status": status});
    for incoming in [call("tool_call", "pending"), message_chunk(None, "done"), call("tool_call_update", "completed")] {
        update(&mut session, incoming);
    }
    answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    assert_eq!((session.has_completed(), session.warnings()), (true, vec![]));
}

/// A line with a chunk of a message. `text` is inserted without escaping.
fn raw_chunk(text: &str) -> String {
    let update = format!(
        r#"{{"sessionUpdate":"agent_message_chunk","messageId":"m","content":{{"type":"text","text":"{text}"}}}}"#
    );
    format!(r#"{{"jsonrpc":"2.0","method":"session/update","params":{{"sessionId":"s","update":{update}}}}}"#)
}

#[test]
fn a_split_character_is_restored_in_the_answer() {
    let mut session = prompted();
    for text in ["fixed \\ud83d", "\\ude00, and \\ud83d"] {
        session.stdout(Line::Whole(raw_chunk(text).as_bytes()));
    }
    answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    let verdict = Box::new(session).finish(Exit::Signal(15));
    assert_eq!(verdict.answer.as_deref(), Some("fixed \u{1f600}, and \u{fffd}"));
}

#[test]
fn an_endless_message_uses_bounded_memory() {
    let mut session = prompted();
    let line = raw_chunk(&"x".repeat(100_000));
    let steps: Vec<_> = (0..100).map(|_| session.stdout(Line::Whole(line.as_bytes()))).collect();
    assert!(!steps[0].is_empty() && steps[99].is_empty(), "chunks that are not kept are logged unchanged");
    let last = answer(&mut session, 3, json!({"stopReason": "end_turn"}));
    let AgentEvent::Message { text } = &events(last)[0] else { panic!("no message") };
    assert!(text.len() < 3 << 20 && text.contains("bytes left out"), "{} bytes", text.len());
    let text = Box::new(session).finish(Exit::Signal(15)).answer.expect("the ends are kept");
    assert!(text.len() < 3 << 20 && text.starts_with("xxx") && text.ends_with("xxx"), "{} bytes", text.len());
}

#[test]
fn an_unreadable_answer_ends_the_wait() {
    for (line, is_answer) in [
        (r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_turn",}}"#, true),
        (r#"{"jsonrpc":"2.0","id":3,"result":{"stopReason":"end_t"#, true),
        (r#"{"jsonrpc":"2.0","method":"session/update","params":{"a" 1}}"#, false),
        (r#"{"level":"info" "msg":"thinking"}"#, false),
    ] {
        let mut session = prompted();
        let steps = session.stdout(Line::Whole(line.as_bytes()));
        assert_eq!(steps.contains(&Step::Finished), is_answer, "{line}");
        assert!(session.warnings().iter().any(|warning| warning.message.contains("could not be read")), "{line}");
    }
}

#[test]
fn a_tool_call_unfinished_at_the_end_of_the_turn_gets_a_warning() {
    let call = |kind: &str| json!({"sessionUpdate": "tool_call", "toolCallId": "c", "kind": kind, "title": "make"});
    let later = |status: &str| json!({"sessionUpdate": "tool_call_update", "toolCallId": "c", "status": status});
    let asks = json!({"jsonrpc": "2.0", "id": 9, "method": "session/request_permission", "params": {
        "sessionId": "s", "options": [], "toolCall": {"toolCallId": "c", "kind": "execute"}}});
    let unfinished = |sandbox: Sandbox, incoming: &[Value], asks: Option<&Value>| {
        let mut session = prompted_in(sandbox);
        for incoming in incoming {
            update(&mut session, incoming.clone());
        }
        asks.into_iter().for_each(|asks| drop(receive(&mut session, asks.clone())));
        update(&mut session, message_chunk(None, "I started it"));
        answer(&mut session, 3, json!({"stopReason": "end_turn"}));
        assert!(session.has_completed());
        session.warnings().into_iter().any(|warning| warning.message.starts_with("`make` had not ended"))
    };
    let full = Sandbox::DangerFullAccess;
    for incoming in [&[call("execute")][..], &[call("execute"), later("in_progress")], &[call("other")], &[call("")]] {
        assert!(unfinished(full, incoming, None), "{incoming:?}");
    }
    for incoming in [
        &[call("execute"), later("completed")][..],
        &[call("execute"), later("failed"), later("in_progress")],
        &[call("think")],
        &[later("in_progress")],
    ] {
        assert!(!unfinished(full, incoming, None), "{incoming:?}");
    }
    assert!(!unfinished(Sandbox::ReadOnly, &[call("execute")], Some(&asks)), "it was not allowed");
}
