//! Turns the agent's `session/update` notifications into events and its answer.

use connector_api::{
    AgentEvent, Chunks, CommandStatus, FileChange, FileChangeKind, FinalMessage, SplitSurrogates, TodoItem,
    UnfinishedItems, Warning,
};
use serde_json::Value;

/// Joins the chunks of each text, and remembers the tool calls that have not ended.
#[derive(Debug, Default)]
pub(crate) struct Updates {
    current_speech: Option<Speech>,
    text: Chunks,
    calls: UnfinishedItems<AcpToolCall>,
    answer: AnswerMessage,
    /// The last message without an ID. It may be from the agent itself rather than its model.
    message_without_id: Option<String>,
    /// Whether the agent reported that its thread broke. codex-acp (2.6.0) does so if its model fails, and then ends
    /// the turn as if it had succeeded.
    is_broken: bool,
}

/// The kind of text whose chunks are being joined.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Speech {
    Message {
        /// The message's ID, if the agent reports one. All chunks of a message have the same ID, even if other updates
        /// come between them.
        id: Option<String>,
    },
    /// A notice by the agent itself, marked as such, for example a warning about prices (claude-agent-acp 0.101.0).
    Notice,
    Thought,
}

/// The last message so far.
#[derive(Debug, Default)]
struct AnswerMessage {
    id: Option<String>,
    text: Chunks,
    /// Messages without an ID that came after one with an ID. They may also be from the model.
    after: Chunks,
    /// Whether work followed it.
    final_message: FinalMessage,
}

impl AnswerMessage {
    fn push(&mut self, id: Option<String>, text: &str) {
        self.final_message.record_message(text);
        match id {
            None if self.id.is_some() => {
                self.after.push("\n\n", SplitSurrogates::default());
                self.after.push(text, SplitSurrogates::default());
            }
            Some(_) if self.id == id => self.text.push(text, SplitSurrogates::default()),
            id => {
                let final_message = std::mem::take(&mut self.final_message);
                *self = Self { id, final_message, ..Self::default() };
                self.text.push(text, SplitSurrogates::default());
            }
        }
    }
}

#[derive(Debug, Clone, Default)]
struct AcpToolCall {
    kind: String,
    title: String,
    /// Whether a missing end deserves a warning: the call was announced, was not denied, and may change something.
    is_awaited: bool,
}

/// Kinds of tool calls that change nothing.
const HARMLESS: [&str; 5] = ["read", "search", "think", "fetch", "switch_mode"];

impl Updates {
    /// The events of one update. Its texts may begin or end with half of a surrogate pair. `None` for a chunk of a text
    /// that is too long to keep; the log then shows the line unchanged.
    pub(crate) fn read(&mut self, update: &Value, surrogates: SplitSurrogates) -> Option<Vec<AgentEvent>> {
        let kind = update["sessionUpdate"].as_str().unwrap_or_default();
        let speech = match kind {
            "agent_message_chunk" if update["_meta"]["claudeCode"]["kind"].is_string() => Some(Speech::Notice),
            "agent_message_chunk" => Some(Speech::Message { id: update["messageId"].as_str().map(str::to_owned) }),
            "agent_thought_chunk" => Some(Speech::Thought),
            _ => None,
        };
        let mut events = vec![];
        if self.is_ended_by(kind, speech.as_ref()) {
            events.extend(self.finish());
        }
        if speech.is_some() {
            self.current_speech = speech;
            self.text.push(update["content"]["text"].as_str().unwrap_or_default(), surrogates);
            return (!self.text.is_cut()).then_some(events);
        }
        if let Some(status) = update["_meta"]["codex"]["threadStatus"]["type"].as_str() {
            self.is_broken = status == "systemError";
        }
        // Updates of a call do not count: a call in the background may end after the answer.
        if kind == "tool_call" {
            self.answer.final_message.record_work();
        }
        events.push(match kind {
            "tool_call" => self.on_tool_call(update),
            "tool_call_update" => self.on_tool_call_update(update),
            "plan" => plan(update),
            _ => AgentEvent::Other { kind: kind.to_owned(), raw: update.to_string() },
        });
        Some(events)
    }

    /// Whether an update of this kind completes the current text.
    fn is_ended_by(&self, kind: &str, speech: Option<&Speech>) -> bool {
        match (&self.current_speech, speech) {
            (None, _) => false,
            (Some(now), Some(next)) => now != next,
            // Titles, token counts and the like come in the middle of a message.
            (Some(Speech::Message { id: Some(_) }), None) => {
                matches!(kind, "tool_call" | "tool_call_update" | "plan")
            }
            // Without an ID, nothing else separates two messages.
            (Some(_), None) => true,
        }
    }

    /// Completes the current text, if there is one.
    pub(crate) fn finish(&mut self) -> Option<AgentEvent> {
        let chunks = std::mem::take(&mut self.text);
        let text = chunks.text();
        match self.current_speech.take()? {
            _ if chunks.is_blank() => None,
            Speech::Message { id } => {
                if id.is_none() {
                    self.message_without_id = Some(text.clone());
                }
                self.answer.push(id, &text);
                Some(AgentEvent::Message { text })
            }
            Speech::Notice => Some(AgentEvent::Warning { message: text }),
            Speech::Thought => Some(AgentEvent::Reasoning { text }),
        }
    }

    /// The last message, with the messages that may belong to it.
    pub(crate) fn answer(&self) -> Option<String> {
        let answer = format!("{}{}", self.answer.text.text(), self.answer.after.text());
        Some(answer).filter(|answer| !answer.trim().is_empty())
    }

    /// A warning for the reader of the answer.
    pub(crate) fn warning(&self) -> Option<Warning> {
        self.answer.final_message.warning()
    }

    /// A warning about tool calls that have not ended.
    pub(crate) fn unfinished(&self) -> Option<Warning> {
        let awaited = self.calls.items().filter(|call| call.is_awaited);
        Warning::unfinished(awaited.map(|call| if call.title.is_empty() { "a tool call" } else { &call.title }))
    }

    /// Records that a tool call was denied. The agent may not report its end.
    pub(crate) fn deny(&mut self, id: &str) {
        if let Some(call) = self.calls.end(id) {
            self.remember(id, AcpToolCall { is_awaited: false, ..call });
        }
    }

    /// If a turn failed although it ended as if it had succeeded, the reason in the agent's own words, which are then
    /// not part of the answer.
    pub(crate) fn failure(&mut self) -> Option<String> {
        if !self.is_broken {
            return None;
        }
        self.answer.after = Chunks::default();
        if self.answer.id.is_none() {
            self.answer = AnswerMessage::default();
        }
        let said = self.message_without_id.as_deref().map(str::trim);
        Some(said.unwrap_or("its thread broke, and it did not say why").to_owned())
    }

    fn remember(&mut self, id: &str, call: AcpToolCall) {
        let length = call.kind.len() + call.title.len();
        self.calls.begin(id, call, length);
    }

    fn on_tool_call(&mut self, update: &Value) -> AgentEvent {
        let word = |key: &str| update[key].as_str().unwrap_or_default().to_owned();
        let (id, kind) = (word("toolCallId"), word("kind"));
        let is_awaited = !HARMLESS.contains(&kind.as_str());
        let call = AcpToolCall { kind, title: word("title"), is_awaited };
        self.remember(&id, call.clone());
        let is_over = matches!(update["status"].as_str(), Some("completed" | "failed"));
        match call.kind.as_str() {
            _ if is_over => self.on_tool_call_end(&id, update),
            "execute" => AgentEvent::CommandStarted { id, command: call.title },
            _ => AgentEvent::Other { kind: format!("tool_call {}", call.kind), raw: update.to_string() },
        }
    }

    fn on_tool_call_update(&mut self, update: &Value) -> AgentEvent {
        let id = update["toolCallId"].as_str().unwrap_or_default().to_owned();
        let mut call = self.calls.end(&id).unwrap_or_default();
        for (key, known) in [("kind", &mut call.kind), ("title", &mut call.title)] {
            if let Some(word) = update[key].as_str() {
                word.clone_into(known);
            }
        }
        self.remember(&id, call);
        match update["status"].as_str() {
            Some("completed" | "failed") => self.on_tool_call_end(&id, update),
            _ => AgentEvent::Other { kind: "tool_call_update".into(), raw: update.to_string() },
        }
    }

    fn on_tool_call_end(&mut self, id: &str, update: &Value) -> AgentEvent {
        let call = self.calls.end(id).unwrap_or_default();
        let has_succeeded = update["status"] == "completed";
        match call.kind.as_str() {
            "execute" => AgentEvent::CommandFinished {
                id: id.to_owned(),
                command: call.title,
                status: if has_succeeded { CommandStatus::Completed } else { CommandStatus::Failed },
                exit_code: update["rawOutput"]["exit_code"].as_i64().or(update["rawOutput"]["exitCode"].as_i64()),
                output: text_of(&update["content"]),
            },
            "edit" | "delete" | "move" => {
                let changes = changes(update);
                AgentEvent::FilesChanged { changes, applied: has_succeeded }
            }
            kind => AgentEvent::Other { kind: format!("tool_call_update {kind}"), raw: update.to_string() },
        }
    }
}

fn changes(update: &Value) -> Vec<FileChange> {
    let list = |key: &str| update[key].as_array().cloned().unwrap_or_default();
    let diffs = list("content").into_iter().filter(|content| content["type"] == "diff").filter_map(|diff| {
        let kind = if diff["oldText"].is_null() { FileChangeKind::Added } else { FileChangeKind::Updated };
        Some(FileChange { path: diff["path"].as_str()?.to_owned(), kind })
    });
    let diffs: Vec<_> = diffs.collect();
    if !diffs.is_empty() {
        return diffs;
    }
    let paths = list("locations").into_iter().filter_map(|location| location["path"].as_str().map(str::to_owned));
    paths.map(|path| FileChange { path, kind: FileChangeKind::Updated }).collect()
}

fn text_of(content: &Value) -> String {
    let parts = content.as_array().map_or(&[][..], Vec::as_slice).iter();
    let texts = parts.filter_map(|part| part["content"]["text"].as_str());
    texts.collect::<Vec<_>>().join("\n")
}

fn plan(update: &Value) -> AgentEvent {
    let entries = update["entries"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let items = entries.map(|entry| TodoItem {
        text: entry["content"].as_str().unwrap_or_default().to_owned(),
        completed: entry["status"] == "completed",
    });
    AgentEvent::TodoList { items: items.collect() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn calls_that_never_end_are_bounded() {
        let mut updates = Updates::default();
        for number in 0..3_000 {
            let kind = if number % 2 == 0 { "tool_call" } else { "tool_call_update" };
            let update = json!({"sessionUpdate": kind, "toolCallId": format!("id-{number}"), "kind": "execute"});
            updates.read(&update, SplitSurrogates::default());
        }
        let remembered = format!("{updates:?}").matches("id-").count();
        assert!((1..=1_000).contains(&remembered), "{remembered}");
    }
}
