//! Follows one run of `codex exec --json`.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, CommandStatus, Exit, ExitDeadline, FileChange, FileChangeKind,
    FinalMessage, JsonObject, JsonReader, Line, Outcome, Step, Tail, TodoItem, UnfinishedItems, Usage, Verdict,
    Warning,
};
use serde_json::Value;

use crate::{
    advice::FAILURES,
    frequent::{Frequent, frequent},
    stderr,
    truncated::{self, TruncatedKinds},
    wire::{self, Event, ItemPhase, ThreadItem},
};

/// The time that Codex gets to exit after the end of its turn. It closes its MCP servers and sends its metrics then.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of one run.
#[derive(Debug)]
pub(crate) struct CodexSession {
    reader: JsonReader,
    thread_id: Option<String>,
    /// The thread that this run must resume.
    resumed: Option<String>,
    /// The failure message if Codex began another thread instead.
    unexpected_thread: Option<String>,
    turn: TurnState,
    answer: FinalMessage,
    /// The names of the items that have started but not ended.
    unfinished_items: UnfinishedItems<String>,
    usage: Option<Usage>,
    /// The last top-level error. It explains a failure only if nothing more specific follows.
    notice: Option<String>,
    stderr: Tail,
    exit_deadline: ExitDeadline,
}

/// The state of the last turn.
#[derive(Debug, Clone, PartialEq, Eq)]
enum TurnState {
    /// No event has arrived yet.
    NotStarted,
    Running,
    Completed,
    Failed(Option<String>),
}

impl Default for CodexSession {
    fn default() -> Self {
        let stderr = Tail::for_failures();
        Self {
            reader: JsonReader::default(),
            thread_id: None,
            resumed: None,
            unexpected_thread: None,
            turn: TurnState::NotStarted,
            answer: FinalMessage::default(),
            unfinished_items: UnfinishedItems::default(),
            usage: None,
            notice: None,
            stderr,
            exit_deadline: ExitDeadline::new("Codex", EXIT_TIMEOUT),
        }
    }
}

impl AgentSession for CodexSession {
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        if self.exit_deadline.has_passed() {
            return vec![];
        }
        if let Line::Whole(bytes) = line
            && let Ok(text) = std::str::from_utf8(bytes)
            && let Some(event) = frequent(text)
        {
            let mut steps = vec![Step::Event(self.frequent(event, text))];
            steps.extend(self.exit_wait());
            return steps;
        }
        let had_unexpected_thread = self.unexpected_thread.is_some();
        let events: Vec<_> = match line {
            Line::Whole(bytes) => {
                let line = self.reader.read(bytes);
                let problem_events = line.problem_events();
                line.objects.into_iter().filter_map(|object| self.read_event(object)).chain(problem_events).collect()
            }
            Line::TooLong { head, length } => match truncated::kinds(head) {
                Some(kinds) => vec![self.too_long(kinds, length)],
                None => {
                    self.reader.too_long(head);
                    vec![]
                }
            },
        };
        // Stop it before it works in a thread that lacks the earlier conversation.
        let stop = (self.unexpected_thread.is_some() && !had_unexpected_thread).then_some(Step::Finished);
        let wait = if events.is_empty() { None } else { self.exit_wait() };
        events.into_iter().map(Step::Event).chain(wait).chain(stop).collect()
    }

    fn overdue(&mut self) -> Vec<Step> {
        self.exit_deadline.overdue()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        if !stderr::is_noise(&line.text()) {
            self.stderr.push(line);
        }
        vec![]
    }

    fn has_completed(&self) -> bool {
        self.turn == TurnState::Completed && self.unexpected_thread.is_none()
    }

    fn warnings(&self) -> Vec<Warning> {
        let of_answer = self.answer.warning();
        // Codex ends its turn even if a command still runs in the background. It kills the command when it exits,
        // without reporting its end (0.125.0 to 0.171.0).
        let unfinished = Warning::unfinished(self.unfinished_items.items().map(String::as_str));
        let of_turn = of_answer.into_iter().chain(unfinished).filter(|_| self.has_completed());
        of_turn.chain(self.reader.warning()).collect()
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let outcome = self.outcome(self.exit_deadline.exit(exit));
        // A message in an unexpected thread is not an answer.
        let answer = self.answer.into_text().filter(|_| self.unexpected_thread.is_none());
        Verdict { outcome, answer, session_id: self.thread_id, usage: self.usage }
    }
}

impl CodexSession {
    /// A run that resumes this thread, if there is one.
    pub(crate) fn resuming(resumed: Option<String>) -> Self {
        Self { resumed, ..Self::default() }
    }

    /// Begins or cancels the wait for the exit, after an event.
    fn exit_wait(&mut self) -> Option<Step> {
        match self.turn {
            TurnState::Completed | TurnState::Failed(_) => self.exit_deadline.begin(),
            TurnState::NotStarted | TurnState::Running => self.exit_deadline.cancel(),
        }
    }

    /// Reads a complete object. `None` if it is not an event.
    fn read_event(&mut self, JsonObject { value, text, .. }: JsonObject<'_>) -> Option<AgentEvent> {
        let kind = value["type"].as_str()?.to_owned();
        let other = |kind| AgentEvent::Other { kind, raw: String::from_utf8_lossy(text).into_owned() };
        self.mark_running();
        let Some(event) = wire::tagged(value) else { return Some(other(kind)) };
        Some(match event {
            Event::ThreadStarted { thread_id } => {
                if let Some(resumed) = self.resumed.as_ref().filter(|resumed| !resumed.eq_ignore_ascii_case(&thread_id))
                {
                    self.unexpected_thread =
                        Some(format!("Codex began session {thread_id} instead of resuming {resumed}"));
                }
                self.thread_id = Some(thread_id.clone());
                AgentEvent::SessionStarted { id: thread_id }
            }
            Event::TurnStarted {} => {
                self.turn = TurnState::Running;
                other(kind)
            }
            Event::TurnCompleted { usage } => {
                self.complete_turn();
                self.usage = wire::usage(usage).or(self.usage);
                self.usage.map_or_else(|| other(kind), AgentEvent::Usage)
            }
            Event::TurnFailed { error } => {
                let message = wire::message_in(&error);
                self.turn = TurnState::Failed(message.clone());
                AgentEvent::FatalError { message: message.unwrap_or_else(|| "the turn failed".into()) }
            }
            Event::Error { message } => {
                self.notice = Some(message.clone());
                FAILURES.transient_error(message)
            }
            Event::ItemStarted { item } => self.item(ItemPhase::Started, item).unwrap_or_else(other),
            Event::ItemUpdated { item } => self.item(ItemPhase::Updated, item).unwrap_or_else(other),
            Event::ItemCompleted { item } => self.item(ItemPhase::Completed, item).unwrap_or_else(other),
        })
    }

    /// Reads an event about an item. The error is the kind of an event that goes only into the log.
    fn item(&mut self, phase: ItemPhase, item: Value) -> Result<AgentEvent, String> {
        let item_type = item["type"].as_str();
        self.notice_work(phase, item_type, item["id"].as_str().unwrap_or_default(), || name_of(&item));
        let kind = other_kind(phase, item_type.unwrap_or("item"));
        wire::tagged(item).and_then(|item| self.known_item(phase, item)).ok_or(kind)
    }

    /// Reads a frequent event, without a `Value`.
    fn frequent(&mut self, Frequent { phase, item_type, item }: Frequent<'_>, line: &str) -> AgentEvent {
        self.mark_running();
        if let ThreadItem::CommandExecution { id, command, .. } = &item {
            self.notice_work(phase, Some(item_type), id, || command.clone().into_owned());
        }
        let other = || AgentEvent::Other { kind: other_kind(phase, item_type), raw: line.to_owned() };
        self.known_item(phase, item).unwrap_or_else(other)
    }

    /// Records an item as work when it starts, because a command in the background may end after the answer. Every kind
    /// counts, including unknown ones, except messages, reasoning, plans and warnings.
    fn notice_work(&mut self, phase: ItemPhase, item_type: Option<&str>, id: &str, name: impl FnOnce() -> String) {
        if matches!(item_type, None | Some("agent_message" | "reasoning" | "todo_list" | "error")) {
            return;
        }
        let is_new = match phase {
            ItemPhase::Started => {
                let name = name();
                let length = name.len();
                self.unfinished_items.begin(id, name, length)
            }
            ItemPhase::Updated => false,
            // Some kinds of items are reported only when they end; in some versions, all are.
            ItemPhase::Completed => self.unfinished_items.end(id).is_none(),
        };
        if is_new {
            self.answer.record_work();
        }
    }

    /// The event for an item of a known kind; `None` if it goes only into the log.
    fn known_item(&mut self, phase: ItemPhase, item: ThreadItem<'_>) -> Option<AgentEvent> {
        // The text of a message may appear only in its first event.
        if let ThreadItem::AgentMessage { text } = &item {
            self.answer.record_message(text);
        }
        match (phase, item) {
            (ItemPhase::Completed, item) => Some(completed(item)),
            (ItemPhase::Started, ThreadItem::CommandExecution { id, command, .. }) => {
                Some(AgentEvent::CommandStarted { id: id.into_owned(), command: command.into_owned() })
            }
            (ItemPhase::Started | ItemPhase::Updated, ThreadItem::TodoList { items }) => Some(todo_list(items)),
            (
                ItemPhase::Started | ItemPhase::Updated,
                ThreadItem::AgentMessage { .. }
                | ThreadItem::Reasoning { .. }
                | ThreadItem::CommandExecution { .. }
                | ThreadItem::FileChange { .. }
                | ThreadItem::McpToolCall { .. }
                | ThreadItem::Error { .. },
            ) => None,
        }
    }

    /// Reads an event of which only the beginning is known. Its kind still counts.
    fn too_long(&mut self, kinds: TruncatedKinds<'_>, length: u64) -> AgentEvent {
        self.mark_running();
        let notice = format!("({length} bytes, too long to keep; see the task's log)");
        match (kinds.event, kinds.item) {
            ("item.completed", "agent_message") => {
                self.answer.record_message(notice.as_str());
                AgentEvent::Message { text: notice }
            }
            ("turn.failed", _) => {
                self.turn = TurnState::Failed(Some(notice.clone()));
                AgentEvent::FatalError { message: notice }
            }
            ("error", _) => {
                self.notice = Some(notice.clone());
                AgentEvent::TransientError { message: notice, cause: None }
            }
            ("turn.completed", _) => {
                self.complete_turn();
                AgentEvent::Other { kind: "turn.completed".into(), raw: notice }
            }
            (event, item) => AgentEvent::Other { kind: format!("{event} {item}").trim().into(), raw: notice },
        }
    }

    fn mark_running(&mut self) {
        if self.turn == TurnState::NotStarted {
            self.turn = TurnState::Running;
        }
    }

    /// Completes the turn, so earlier errors no longer matter.
    fn complete_turn(&mut self) {
        self.turn = TurnState::Completed;
        self.notice = None;
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        if let Some(unexpected_thread) = &self.unexpected_thread {
            return Outcome::Failed(AgentFailure::new(unexpected_thread.as_str()));
        }
        let stderr = self.stderr.text();
        let said = match (&self.turn, exit) {
            (TurnState::Completed, Exit::Code(0)) => return Outcome::Completed,
            (TurnState::NotStarted, Exit::Code(2)) if stderr.as_deref().is_some_and(stderr::is_usage_error) => {
                return Outcome::CommandLineRefused(failure(&stderr.unwrap_or_default()));
            }
            (TurnState::Failed(Some(message)), _) if !message.trim().is_empty() => Some(message.clone()),
            // Any output on stderr is about the exit, not about the work.
            (TurnState::Completed, _) => self.notice.clone().filter(|notice| !notice.trim().is_empty()),
            _ => self.notice.clone().filter(|notice| !notice.trim().is_empty()).or(stderr),
        };
        Outcome::Failed(match (said, &self.turn) {
            (Some(said), _) => failure(&said),
            (None, TurnState::Completed) => AgentFailure::new(self.silent_end(exit)),
            (None, TurnState::NotStarted | TurnState::Running | TurnState::Failed(_)) => {
                AgentFailure::unexplained(self.silent_end(exit))
            }
        })
    }

    /// How a run ended that did not explain its end.
    fn silent_end(&self, exit: Exit) -> String {
        match self.turn {
            TurnState::NotStarted => format!("Codex ended with {exit} without any output"),
            TurnState::Running => format!("Codex ended with {exit} before its turn was complete"),
            TurnState::Completed => format!("Codex completed its turn, then ended with {exit}"),
            TurnState::Failed(_) => format!("Codex failed and ended with {exit}"),
        }
    }
}

/// The kind of an event about an item that only the log is to have.
fn other_kind(phase: ItemPhase, item_type: &str) -> String {
    // Not by `format!`: half of all events may be such.
    [phase.event_type(), " ", item_type].concat()
}

fn completed(item: ThreadItem<'_>) -> AgentEvent {
    match item {
        ThreadItem::AgentMessage { text } => AgentEvent::Message { text: text.into_owned() },
        ThreadItem::Reasoning { text } => AgentEvent::Reasoning { text: text.into_owned() },
        ThreadItem::CommandExecution { id, command, aggregated_output, exit_code, status } => {
            AgentEvent::CommandFinished {
                id: id.into_owned(),
                command: command.into_owned(),
                status: command_status(&status, exit_code),
                exit_code,
                output: aggregated_output.into_owned(),
            }
        }
        ThreadItem::FileChange { changes, status } => {
            let changes = changes.into_iter().map(file_change).collect();
            AgentEvent::FilesChanged { changes, applied: status == "completed" }
        }
        ThreadItem::McpToolCall { server, tool, error, status } => {
            let silent = || (status == "failed").then_some(status.clone());
            AgentEvent::McpToolCall { server, tool, error: wire::message_in(&error).or_else(silent) }
        }
        ThreadItem::TodoList { items } => todo_list(items),
        ThreadItem::Error { message } => AgentEvent::Warning { message },
    }
}

/// The command of an item, or else the tool it calls, or else its kind.
fn name_of(item: &Value) -> String {
    let text = |key: &str| item[key].as_str().map(str::to_owned);
    text("command").or_else(|| text("tool")).or_else(|| text("type")).unwrap_or_default()
}

fn failure(said: &str) -> AgentFailure {
    FAILURES.failure(wire::without_json(said.trim()))
}

fn command_status(status: &str, exit_code: Option<i64>) -> CommandStatus {
    match status {
        "completed" => CommandStatus::Completed,
        "declined" => CommandStatus::Declined,
        "failed" => CommandStatus::Failed,
        _ if exit_code == Some(0) => CommandStatus::Completed,
        _ => CommandStatus::Failed,
    }
}

fn file_change(change: wire::ItemFileChange) -> FileChange {
    let kind = match change.kind.as_str() {
        "add" => FileChangeKind::Added,
        "update" => FileChangeKind::Updated,
        "delete" => FileChangeKind::Deleted,
        _ => FileChangeKind::Other(change.kind),
    };
    FileChange { path: change.path, kind }
}

fn todo_list(items: Vec<wire::Todo>) -> AgentEvent {
    let items = items.into_iter().map(|todo| TodoItem { text: todo.text, completed: todo.completed });
    AgentEvent::TodoList { items: items.collect() }
}
