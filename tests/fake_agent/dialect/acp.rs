//! An agent that speaks the Agent Client Protocol, as codex-acp 0.16.0 does: its messages during a turn.
//!
//! The rest of the conversation is in [`conversation`](super::super::conversation).

use serde_json::{Value, json};

use super::{Dialect, EditKind, FailedRun, FileEdit, FinishedCommand, OutputLine, TokenCounts, event};

/// Its modes, in order of increasing permissions. It begins in the first.
pub(crate) const MODES: [(&str, &str); 3] =
    [("read-only", "Read Only"), ("auto", "Default"), ("full-access", "Full Access")];

/// The code for errors without a more specific code.
pub(crate) const REFUSED: i64 = -32603;

/// The size of the model's context, in tokens.
const CONTEXT: u64 = 258_400;

/// The updates of one turn, and the answer to its prompt.
#[derive(Debug)]
pub(crate) struct AcpEvents {
    session: String,
    /// The ID of the request for this turn.
    request: Value,
    calls: u32,
}

impl AcpEvents {
    pub(crate) fn new(session: &str, request: Value) -> AcpEvents {
        AcpEvents { session: session.to_owned(), request, calls: 0 }
    }

    /// A message of an earlier turn, repeated when the session is loaded.
    pub(crate) fn said_before(&self, text: &str) -> OutputLine {
        self.chunk(text)
    }

    /// The answer to the prompt.
    pub(crate) fn stopped(&self, reason: &str, usage: Option<&TokenCounts>) -> OutputLine {
        let mut result = json!({"stopReason": reason});
        if let Some(usage) = usage {
            result["usage"] = json!({
                "inputTokens": usage.input(), "outputTokens": usage.output(), "cachedReadTokens": usage.cached(),
                "totalTokens": usage.input() + usage.output(),
            });
        }
        event(json!({"jsonrpc": "2.0", "id": self.request, "result": result}))
    }

    fn update(&self, kind: &str, fields: Value) -> OutputLine {
        let mut update = json!({"sessionUpdate": kind});
        if let (Some(update), Value::Object(fields)) = (update.as_object_mut(), fields) {
            update.extend(fields);
        }
        let params = json!({"sessionId": self.session, "update": update});
        event(json!({"jsonrpc": "2.0", "method": "session/update", "params": params}))
    }

    fn chunk(&self, text: &str) -> OutputLine {
        self.update("agent_message_chunk", json!({"content": {"type": "text", "text": text}}))
    }

    fn call_id(&self) -> String {
        format!("call_{}", self.calls)
    }
}

impl Dialect for AcpEvents {
    fn begin(&mut self, _: &str) -> Vec<OutputLine> {
        vec![]
    }

    /// A message is a chunk, which ends when another update follows.
    fn say(&mut self, text: &str) -> Vec<OutputLine> {
        vec![self.chunk(text), self.update("usage_update", json!({"used": 110, "size": CONTEXT}))]
    }

    fn command_begins(&mut self, command: &str) -> Vec<OutputLine> {
        self.calls += 1;
        let input = json!({"call_id": self.call_id(), "command": ["/bin/bash", "-lc", command]});
        vec![self.update(
            "tool_call",
            json!({
                "toolCallId": self.call_id(), "title": command, "kind": "execute", "status": "in_progress",
                "rawInput": input,
            }),
        )]
    }

    fn command_ends(&mut self, ran: &FinishedCommand) -> Vec<OutputLine> {
        let status = if ran.exit == 0 { "completed" } else { "failed" };
        vec![self.update(
            "tool_call_update",
            json!({
                "toolCallId": self.call_id(), "status": status,
                "content": [{"type": "content", "content": {"type": "text", "text": ran.output}}],
                "rawOutput": {"call_id": self.call_id(), "aggregated_output": ran.output, "exit_code": ran.exit},
            }),
        )]
    }

    fn file(&mut self, change: &FileEdit) -> Vec<OutputLine> {
        self.calls += 1;
        let (old, status) = match change.what {
            EditKind::Added => (Value::Null, "completed"),
            EditKind::Updated => (json!(""), "completed"),
            EditKind::Denied => (Value::Null, "failed"),
        };
        let path = &change.path;
        let diff = json!([{"type": "diff", "path": path, "oldText": old, "newText": change.text}]);
        let begun = json!({
            "toolCallId": self.call_id(), "title": format!("Edit {path}"), "kind": "edit", "status": "in_progress",
            "content": diff, "locations": [{"path": path}],
        });
        let ended = json!({"toolCallId": self.call_id(), "status": status, "content": diff});
        vec![self.update("tool_call", begun), self.update("tool_call_update", ended)]
    }

    /// The protocol has no event for this, so the agent sends a message.
    fn error(&mut self, message: &str) -> Vec<OutputLine> {
        self.say(message)
    }

    /// The turn fails, but the agent is ready for the next one.
    fn fail(&mut self, message: &str) -> FailedRun {
        let error = json!({"code": REFUSED, "message": "Internal error", "data": message});
        FailedRun { lines: vec![event(json!({"jsonrpc": "2.0", "id": self.request, "error": error}))], code: 0 }
    }

    fn unknown_model(&mut self, model: &str, _: &str) -> FailedRun {
        self.fail(&format!("The model `{model}` does not exist"))
    }

    fn end(&mut self, usage: &TokenCounts) -> Vec<OutputLine> {
        vec![self.stopped("end_turn", Some(usage))]
    }
}
