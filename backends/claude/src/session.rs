//! Follows one run of `claude -p --output-format stream-json`.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Cause, Exit, ExitDeadline, FinalMessage, JsonObject, JsonReader, Line,
    Outcome, Step, Tail, Usage, Verdict, Warning,
};
use serde_json::Value;

use crate::{advice::FAILURES, background::BackgroundTasks, tools::ClaudeToolCalls};

/// The `model` of messages that Claude Code itself wrote, such as the output of its own commands (2.1.332).
const SYNTHETIC: &str = "<synthetic>";

/// The time that Claude Code gets to exit after its `result`. It runs hooks and closes its MCP servers then.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of one run.
#[derive(Debug)]
pub(crate) struct ClaudeSession {
    reader: JsonReader,
    /// The prompt, if the session rather than the supervisor writes it to stdin.
    prompt: Option<String>,
    /// The session that this run must resume.
    resumed: Option<String>,
    /// The failure message if Claude Code began another session instead.
    unexpected_session: Option<String>,
    session_id: Option<String>,
    calls: ClaudeToolCalls,
    answer: FinalMessage,
    /// Whether the model has sent a message.
    has_model_message: bool,
    /// The event of type `result`, which ends a turn.
    result: Option<Value>,
    /// Whether no message has come since the last `result`.
    is_turn_over: bool,
    usage: Option<Usage>,
    has_seen_event: bool,
    stderr: Tail,
    background: BackgroundTasks,
    exit_deadline: ExitDeadline,
}

impl ClaudeSession {
    /// A run that resumes the session `resumed`, if any, and writes `prompt` to stdin, if any.
    pub(crate) fn new(resumed: Option<String>, prompt: Option<String>) -> Self {
        Self {
            reader: JsonReader::default(),
            prompt,
            resumed,
            unexpected_session: None,
            session_id: None,
            calls: ClaudeToolCalls::default(),
            answer: FinalMessage::default(),
            has_model_message: false,
            result: None,
            is_turn_over: false,
            usage: None,
            has_seen_event: false,
            stderr: Tail::for_failures(),
            background: BackgroundTasks::default(),
            exit_deadline: ExitDeadline::new("Claude Code", EXIT_TIMEOUT),
        }
    }

    /// The events of one object; `None` for one that is not an event.
    fn read(&mut self, JsonObject { value: event, text, .. }: JsonObject<'_>) -> Option<Vec<AgentEvent>> {
        let kind = event["type"].as_str()?.to_owned();
        self.has_seen_event = true;
        self.background.update(&event);
        self.is_turn_over = kind == "result" || (self.is_turn_over && !matches!(kind.as_str(), "assistant" | "user"));
        let other = |kind: String| AgentEvent::Other { kind, raw: String::from_utf8_lossy(text).into_owned() };
        Some(match (kind.as_str(), event["subtype"].as_str()) {
            ("system", Some("init")) => vec![self.session_started(&event)],
            ("system", Some("api_retry")) => {
                let count = |key: &str| event[key].as_u64().map_or("?".to_owned(), |number| number.to_string());
                // Claude Code 2.1.332 reports the error `unknown`, without a status, if no server answered.
                let is_unanswered = event.get("error_status").is_some_and(Value::is_null);
                let why = match event["error"].as_str().or(event["message"].as_str()) {
                    None | Some("unknown") if is_unanswered => "no answer from the API",
                    why => why.unwrap_or("the request failed"),
                };
                let message = format!("{why} (attempt {} of {})", count("attempt"), count("max_retries"));
                vec![AgentEvent::TransientError { message, cause: is_unanswered.then_some(Cause::Network) }]
            }
            ("assistant", _) => {
                if event["message"]["model"] == SYNTHETIC {
                    // A message by Claude Code itself, for example about a missing login. It is neither work nor an
                    // answer.
                    let texts = blocks(&event).iter().filter_map(|block| block["text"].as_str());
                    return Some(texts.map(|text| AgentEvent::Warning { message: text.to_owned() }).collect());
                }
                self.has_model_message = true;
                let author = MessageAuthor::of(&event);
                blocks(&event).iter().map(|block| self.message_event(block, author)).collect()
            }
            ("user", _) => {
                let results = blocks(&event).iter().filter(|block| block["type"] == "tool_result");
                let events: Vec<_> = results.map(|block| self.calls.end(block)).collect();
                if events.is_empty() { vec![other(kind)] } else { events }
            }
            ("result", _) => self.on_result(event),
            (_, subtype) => vec![other(format!("{kind} {}", subtype.unwrap_or_default()).trim().to_owned())],
        })
    }

    /// Begins or cancels the wait for the exit, after an event.
    fn exit_wait(&mut self) -> Option<Step> {
        // Background tasks continue after a turn, and when they end, they begin a new turn. Claude Code limits their
        // time itself.
        if self.is_turn_over && self.background.is_empty() {
            self.exit_deadline.begin()
        } else {
            self.exit_deadline.cancel()
        }
    }

    fn session_started(&mut self, event: &Value) -> AgentEvent {
        let id = event["session_id"].as_str().unwrap_or_default().to_owned();
        if let Some(resumed) = self.resumed.as_ref().filter(|resumed| !resumed.eq_ignore_ascii_case(&id)) {
            self.unexpected_session = Some(format!("Claude Code began session {id} instead of resuming {resumed}"));
        }
        self.session_id = Some(id.clone());
        AgentEvent::SessionStarted { id }
    }

    fn message_event(&mut self, block: &Value, author: MessageAuthor) -> AgentEvent {
        let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => {
                if author == MessageAuthor::Agent {
                    self.answer.record_message(text("text"));
                }
                AgentEvent::Message { text: text("text") }
            }
            Some("thinking") => AgentEvent::Reasoning { text: text("thinking") },
            Some("tool_use") => {
                if author == MessageAuthor::Agent && block["name"] != "TodoWrite" {
                    self.answer.record_work();
                }
                self.calls.begin(block)
            }
            kind => AgentEvent::Other { kind: kind.unwrap_or("block").to_owned(), raw: block.to_string() },
        }
    }

    fn on_result(&mut self, event: Value) -> Vec<AgentEvent> {
        self.usage = usage(&event["usage"]);
        let mut events: Vec<_> = self.usage.map(AgentEvent::Usage).into_iter().collect();
        let denied = event["permission_denials"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let denied: Vec<_> = denied.filter_map(|denial| denial["tool_name"].as_str()).collect();
        if !denied.is_empty() {
            let message = format!("the sandbox denied these tools: {}", denied.join(", "));
            events.push(AgentEvent::Warning { message });
        }
        if is_success(&event) {
            // Usually, the result repeats the last message, which may have come before the last tool call.
            let last = event["result"].as_str().filter(|text| self.answer.text() != Some(text));
            self.answer.record_message(last.unwrap_or_default());
        } else {
            let message = failure(&event).unwrap_or_default();
            events.push(AgentEvent::FatalError { message });
        }
        self.result = Some(event);
        if events.is_empty() {
            events.push(AgentEvent::Other { kind: "result".into(), raw: String::new() });
        }
        events
    }

    /// Whether Claude Code called its model. It does not for its own commands.
    fn has_asked_model(&self) -> bool {
        self.has_model_message || self.result.as_ref().is_none_or(|result| result["num_turns"] != 0)
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        if let Some(unexpected_session) = &self.unexpected_session {
            return Outcome::Failed(AgentFailure::new(unexpected_session.as_str()));
        }
        let stderr = self.stderr.text();
        let said = match &self.result {
            Some(result) if !is_success(result) => {
                let said = failure(result).unwrap_or_else(|| "it ended without success".to_owned());
                let (advice, of) = (advice(result), FAILURES.failure(said));
                return Outcome::Failed(AgentFailure { advice: advice.map(str::to_owned).or(of.advice), ..of });
            }
            Some(_) if !self.has_asked_model() => {
                let said = "Claude Code ran one of its own commands instead of the task and never called the model";
                let advice = Some("start `task` with another word".to_owned());
                return Outcome::Failed(AgentFailure { advice, ..AgentFailure::new(said) });
            }
            Some(_) if exit == Exit::Code(0) => return Outcome::Completed,
            // Any output on stderr is about the exit, not about the work.
            Some(_) => {
                return Outcome::Failed(AgentFailure::new(format!(
                    "Claude Code completed its turn, then ended with {exit}"
                )));
            }
            None => stderr.clone(),
        };
        if let (false, Some(stderr)) = (self.has_seen_event, &stderr)
            && stderr.contains("unknown option")
        {
            return Outcome::CommandLineRefused(AgentFailure::new(stderr.as_str()));
        }
        let silent = || AgentFailure::unexplained(format!("Claude Code ended with {exit}"));
        Outcome::Failed(said.map_or_else(silent, |said| FAILURES.failure(said)))
    }
}

impl AgentSession for ClaudeSession {
    fn start(&mut self) -> Vec<Step> {
        let Some(prompt) = self.prompt.take() else { return vec![] };
        vec![Step::Send(prompt.into_bytes()), Step::CloseStdin]
    }

    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        if self.exit_deadline.has_passed() {
            return vec![];
        }
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong { head, length: _ } => {
                self.reader.too_long(head);
                return vec![];
            }
        };
        let had_unexpected_session = self.unexpected_session.is_some();
        let line = self.reader.read(bytes);
        let problem_events = line.problem_events();
        let events = line.objects.into_iter().filter_map(|object| self.read(object)).flatten();
        let events: Vec<_> = events.chain(problem_events).collect();
        // Stop it before it works in a session that lacks the earlier conversation.
        let stop = (self.unexpected_session.is_some() && !had_unexpected_session).then_some(Step::Finished);
        let wait = if events.is_empty() { None } else { self.exit_wait() };
        events.into_iter().map(Step::Event).chain(wait).chain(stop).collect()
    }

    fn overdue(&mut self) -> Vec<Step> {
        self.exit_deadline.overdue()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }

    fn has_completed(&self) -> bool {
        self.result.as_ref().is_some_and(is_success) && self.has_asked_model() && self.unexpected_session.is_none()
    }

    fn warnings(&self) -> Vec<Warning> {
        let of_turn = self.answer.warning().into_iter().chain(self.background.warning());
        of_turn.filter(|_| self.has_completed()).chain(self.reader.warning()).collect()
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let outcome = self.outcome(self.exit_deadline.exit(exit));
        let answer = self.answer.into_text().filter(|_| self.unexpected_session.is_none());
        Verdict { outcome, answer, session_id: self.session_id, usage: self.usage }
    }
}

/// The author of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MessageAuthor {
    /// The agent that works on the task.
    Agent,
    /// An agent that it started. Messages of a subagent are for the agent, not for the user.
    SubAgent,
}

impl MessageAuthor {
    fn of(event: &Value) -> Self {
        if event["parent_tool_use_id"].is_null() { Self::Agent } else { Self::SubAgent }
    }
}

/// Whether a line of type `result` reports a success. `is_error` can be false for `error_during_execution` and the like
/// (2.1.332).
fn is_success(result: &Value) -> bool {
    result["subtype"] == "success" && result["is_error"] != true
}

/// The reason for a failed result, in the agent's own words if there are any.
fn failure(result: &Value) -> Option<String> {
    let errors = result["errors"].as_array().map_or(&[][..], Vec::as_slice).iter();
    let errors: Vec<_> = errors.filter_map(Value::as_str).filter(|error| !error.trim().is_empty()).collect();
    let said = result["result"].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    (!errors.is_empty()).then(|| errors.join("\n")).or(said).or_else(|| {
        let subtype = result["subtype"].as_str().filter(|subtype| *subtype != "success")?;
        Some(format!("it ended with {subtype}"))
    })
}

/// Advice for the subtype of a result.
fn advice(result: &Value) -> Option<&'static str> {
    match result["subtype"].as_str()? {
        "error_max_turns" => {
            Some("resume the session, raise `--max-turns` in `extra_args` of this backend, or split `task`")
        }
        "error_max_budget_usd" => {
            Some("raise `--max-budget-usd` in `extra_args` of this backend, or split `task` into smaller ones")
        }
        "error_max_structured_output_retries" => {
            Some("simplify the schema for `--json-schema` in `extra_args` of this backend, or remove it")
        }
        _ => None,
    }
}

fn blocks(event: &Value) -> &[Value] {
    event["message"]["content"].as_array().map_or(&[], Vec::as_slice)
}

/// The tokens of the run. Tokens read from the cache or written to it count as input.
fn usage(usage: &Value) -> Option<Usage> {
    let count = |key: &str| usage[key].as_u64().unwrap_or(0);
    let cached = count("cache_read_input_tokens");
    usage["output_tokens"].as_u64().map(|output| Usage {
        input_tokens: count("input_tokens") + cached + count("cache_creation_input_tokens"),
        cached_input_tokens: cached,
        output_tokens: output,
        reasoning_output_tokens: 0,
    })
}
