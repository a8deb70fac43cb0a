//! Follows one run of `gemini --output-format=stream-json`.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Chunks, Exit, ExitDeadline, FinalMessage, JsonObject, JsonReader, Line,
    Outcome, Step, Tail, Usage, Verdict, Warning,
};
use serde_json::Value;

use crate::{advice, tools::GeminiToolCalls};

/// Beginnings of harmless lines on stderr (0.61.0). They are skipped because they would hide the reason for a failure.
const NOISE: [&str; 5] = ["YOLO mode is enabled", "Ripgrep is not available", "Warning: ", "[STARTUP]", "    at "];

/// The time that Gemini CLI gets to exit after its `result`. It closes its MCP servers and sends its metrics then.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The state of one run.
#[derive(Debug)]
pub(crate) struct GeminiSession {
    reader: JsonReader,
    /// The session that this run must resume.
    resumed: Option<String>,
    /// The failure message if Gemini CLI began another session instead.
    unexpected_session: Option<String>,
    session_id: Option<String>,
    calls: GeminiToolCalls,
    /// The chunks of the current message so far.
    message: Chunks,
    answer: FinalMessage,
    /// Whether the model wrote a message or called a tool.
    has_worked: bool,
    /// The error that ended its work. Cleared if the model continues after all.
    error: Option<String>,
    /// The event of type `result`, which ends a run.
    result: Option<Value>,
    usage: Option<Usage>,
    has_seen_event: bool,
    stderr: Tail,
    exit_deadline: ExitDeadline,
}

impl GeminiSession {
    /// A run that resumes this session, if there is one.
    pub(crate) fn new(resumed: Option<String>) -> Self {
        Self {
            reader: JsonReader::default(),
            resumed,
            unexpected_session: None,
            session_id: None,
            calls: GeminiToolCalls::default(),
            message: Chunks::default(),
            answer: FinalMessage::default(),
            has_worked: false,
            error: None,
            result: None,
            usage: None,
            has_seen_event: false,
            stderr: Tail::for_failures(),
            exit_deadline: ExitDeadline::new("Gemini CLI", EXIT_TIMEOUT),
        }
    }

    /// The events of one object. `None` if it is not an event, or if it is a chunk of a message that is too long to
    /// keep.
    fn read(&mut self, object: JsonObject<'_>) -> Option<Vec<AgentEvent>> {
        let JsonObject { value: event, text, surrogates, .. } = object;
        let kind = event["type"].as_str()?.to_owned();
        self.has_seen_event = true;
        let is_message = kind == "message" && event["role"] == "assistant";
        if is_message && event["delta"] == true {
            self.record_progress();
            self.message.push(event["content"].as_str().unwrap_or_default(), surrogates);
            return (!self.message.is_cut()).then(Vec::new);
        }
        // Any other event completes the current message.
        let mut events: Vec<_> = self.finish_message().into_iter().collect();
        match kind.as_str() {
            "init" => events.push(self.session_started(&event)),
            "message" if is_message => {
                self.record_progress();
                self.message.push(event["content"].as_str().unwrap_or_default(), surrogates);
                events.extend(self.finish_message());
            }
            "tool_use" => {
                self.record_progress();
                if event["tool_name"] != "write_todos" {
                    self.answer.record_work();
                }
                events.push(self.calls.begin(&event));
            }
            "tool_result" => events.push(self.calls.end(&event)),
            "error" => events.push(self.on_error(&event)),
            "result" => events.extend(self.on_result(event)),
            _ => events.push(AgentEvent::Other { kind, raw: String::from_utf8_lossy(text).into_owned() }),
        }
        Some(events)
    }

    fn session_started(&mut self, event: &Value) -> AgentEvent {
        let id = event["session_id"].as_str().unwrap_or_default().to_owned();
        if let Some(resumed) = self.resumed.as_ref().filter(|resumed| !resumed.eq_ignore_ascii_case(&id)) {
            self.unexpected_session = Some(format!("Gemini CLI began session {id} instead of resuming {resumed}"));
        }
        self.session_id = Some(id.clone());
        AgentEvent::SessionStarted { id }
    }

    fn record_progress(&mut self) {
        self.has_worked = true;
        self.error = None;
    }

    /// Completes the current message, if there is one.
    fn finish_message(&mut self) -> Option<AgentEvent> {
        let message = std::mem::take(&mut self.message);
        if message.is_blank() {
            return None;
        }
        let text = message.text();
        self.answer.record_message(text.as_str());
        Some(AgentEvent::Message { text })
    }

    /// Reads an event of type `error`. After two of them, Gemini CLI stops working but still reports success: a loop,
    /// which is only a warning, and too many turns (0.61.0).
    fn on_error(&mut self, event: &Value) -> AgentEvent {
        let message = event["message"].as_str().unwrap_or_default().to_owned();
        if event["severity"] == "warning" && !message.starts_with("Loop detected") {
            return AgentEvent::Warning { message };
        }
        self.error = Some(message.clone());
        AgentEvent::FatalError { message }
    }

    fn on_result(&mut self, event: Value) -> Vec<AgentEvent> {
        self.usage = usage(&event["stats"]);
        let mut events: Vec<_> = self.usage.map(AgentEvent::Usage).into_iter().collect();
        if let Some(message) = event["error"]["message"].as_str().map(str::to_owned) {
            self.error = Some(message.clone());
            events.push(AgentEvent::FatalError { message });
        }
        if events.is_empty() {
            events.push(AgentEvent::Other { kind: "result".into(), raw: event.to_string() });
        }
        self.result = Some(event);
        events
    }

    fn is_success(&self) -> bool {
        self.result.as_ref().is_some_and(|result| result["status"] == "success")
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        if let Some(unexpected_session) = &self.unexpected_session {
            return Outcome::Failed(AgentFailure::new(unexpected_session.as_str()));
        }
        let stderr = self.stderr.text();
        if let (false, Some(stderr)) = (self.has_seen_event, &stderr)
            && ["Unknown argument", "Invalid values:"].iter().any(|refusal| stderr.contains(refusal))
        {
            return Outcome::CommandLineRefused(AgentFailure::new(stderr.as_str()));
        }
        let is_success = self.is_success();
        let said = match &self.error {
            Some(error) => Some(error.clone()),
            None if is_success && exit == Exit::Code(0) && self.has_worked => return Outcome::Completed,
            // Any output on stderr is about the exit, not about the work.
            None if is_success && self.has_worked => {
                Some(format!("Gemini CLI completed its turn, then ended with {exit}"))
            }
            None if is_success && exit == Exit::Code(0) => {
                Some("it ended without any output from its model".to_owned())
            }
            None => None,
        };
        let said = said.filter(|said| !said.trim().is_empty()).or(stderr);
        let silent = || AgentFailure::unexplained(format!("Gemini CLI ended with {exit}")).message;
        Outcome::Failed(advice::failure(said.unwrap_or_else(silent), exit))
    }
}

impl AgentSession for GeminiSession {
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
        let read: Vec<_> = line.objects.into_iter().filter_map(|object| self.read(object)).collect();
        let is_understood = !read.is_empty();
        let events: Vec<_> = read.into_iter().flatten().chain(problem_events).collect();
        let wait = match &self.result {
            Some(_) => self.exit_deadline.begin(),
            // A chunk of a message, which becomes one event when it is complete. This step marks the line as
            // understood.
            None => events.is_empty().then_some(Step::Deadline(None)),
        };
        let wait = wait.filter(|_| is_understood);
        // Stop it before it works in a session that lacks the earlier conversation.
        let stop = (self.unexpected_session.is_some() && !had_unexpected_session).then_some(Step::Finished);
        events.into_iter().map(Step::Event).chain(wait).chain(stop).collect()
    }

    fn overdue(&mut self) -> Vec<Step> {
        self.exit_deadline.overdue()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        let text = line.text();
        if NOISE.iter().any(|beginning| text.starts_with(beginning)) {
            return vec![];
        }
        self.stderr.push(line);
        // "Attempt 1 failed with status 429. Retrying with backoff... ApiError: ..."
        if text.starts_with("Attempt ") && text.contains("Retrying") {
            return vec![Step::Event(advice::transient_error(text.into_owned()))];
        }
        vec![]
    }

    fn has_completed(&self) -> bool {
        self.is_success() && self.has_worked && self.error.is_none() && self.unexpected_session.is_none()
    }

    fn warnings(&self) -> Vec<Warning> {
        let of_turn = self.answer.warning().into_iter().chain(self.calls.warning());
        of_turn.filter(|_| self.has_completed()).chain(self.reader.warning()).collect()
    }

    fn finish(mut self: Box<Self>, exit: Exit) -> Verdict {
        // Keep an incomplete message.
        let _ = self.finish_message();
        let outcome = self.outcome(self.exit_deadline.exit(exit));
        let answer = self.answer.into_text().filter(|_| self.unexpected_session.is_none());
        Verdict { outcome, answer, session_id: self.session_id, usage: self.usage }
    }
}

/// The tokens of this run, over all models. Reasoning tokens are not reported separately; only the total includes them.
fn usage(stats: &Value) -> Option<Usage> {
    let count = |key: &str| stats[key].as_u64();
    Some(Usage {
        input_tokens: count("input_tokens")?,
        cached_input_tokens: count("cached").unwrap_or(0),
        output_tokens: count("output_tokens").unwrap_or(0),
        reasoning_output_tokens: 0,
    })
}
