//! Follows one run of `opencode run --format json`.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentFailure, AgentSession, Exit, ExitDeadline, FinalMessage, JsonObject, JsonReader, Line, Outcome,
    Step, Tail, Usage, Verdict, Warning, without_colours,
};
use serde_json::Value;

use crate::{advice, log::LogEntry, tools};

/// The `reason` in the last `step_finish` event of a completed task.
const COMPLETED_REASON: &str = "stop";

/// How long OpenCode may take to exit, or to begin another step, after a step that may have been the last. No event
/// says which step is the last.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// The state of one run.
///
/// No event says that the work is done. A run is a success if it exits with code 0, it reported no error, its last step
/// was not cut short, and it either printed a message or ended its last step with [`COMPLETED_REASON`].
#[derive(Debug)]
pub(crate) struct OpenCodeSession {
    reader: JsonReader,
    /// The session that this run must resume.
    resumed: Option<String>,
    /// The failure to report if OpenCode works in the wrong session or the wrong directory.
    unexpected_session: Option<AgentFailure>,
    session_id: Option<String>,
    /// The first working directory that OpenCode's log names.
    directory: Option<String>,
    answer: FinalMessage,
    /// The `reason` for which the last step ended; `None` while a step runs.
    last_reason: Option<String>,
    /// The last event of type `error`.
    error: Option<RunFailure>,
    /// Why a request to OpenCode's internal server failed. Only OpenCode's log says this.
    cause: Option<String>,
    /// The error of the last request to the model that failed and was retried.
    retried_error: Option<String>,
    usage: Option<Usage>,
    has_seen_event: bool,
    has_shown_help: bool,
    stderr: Tail,
    exit_deadline: ExitDeadline,
}

#[derive(Debug)]
struct RunFailure {
    said: String,
    status: Option<u64>,
}

impl OpenCodeSession {
    /// A run that resumes this session, if there is one.
    pub(crate) fn new(resumed: Option<String>) -> Self {
        Self {
            reader: JsonReader::default(),
            resumed,
            unexpected_session: None,
            session_id: None,
            directory: None,
            answer: FinalMessage::default(),
            last_reason: None,
            error: None,
            cause: None,
            retried_error: None,
            usage: None,
            has_seen_event: false,
            has_shown_help: false,
            stderr: Tail::for_failures(),
            exit_deadline: ExitDeadline::new("OpenCode", EXIT_TIMEOUT),
        }
    }

    /// Converts one JSON object to events; `None` if it is not an event.
    fn read(&mut self, JsonObject { value: event, text, .. }: JsonObject<'_>) -> Option<Vec<AgentEvent>> {
        let kind = event["type"].as_str()?;
        let raw = String::from_utf8_lossy(text);
        self.has_seen_event = true;
        let mut events: Vec<_> = self.check_session(&event).into_iter().collect();
        let part = &event["part"];
        let text = || part["text"].as_str().map(str::to_owned);
        let other = || AgentEvent::Other { kind: kind.to_owned(), raw: raw.clone().into_owned() };
        events.push(match kind {
            "text" => text().map_or_else(other, |text| self.on_text(text)),
            "reasoning" => text().map_or_else(other, |text| AgentEvent::Reasoning { text }),
            "tool_use" => {
                if part["tool"] != "todowrite" {
                    self.answer.record_work();
                }
                tools::used(part, &raw)
            }
            "step_start" => {
                self.last_reason = None;
                other()
            }
            "step_finish" => {
                self.last_reason = part["reason"].as_str().map(str::to_owned);
                self.add_usage(&part["tokens"]).map_or_else(other, AgentEvent::Usage)
            }
            "error" => self.on_error(&event["error"]),
            _ => other(),
        });
        Some(events)
    }

    /// Checks that an event belongs to the right session, and reports the start of the session once.
    fn check_session(&mut self, event: &Value) -> Option<AgentEvent> {
        let id = event["sessionID"].as_str().filter(|id| !id.is_empty())?;
        if let Some(resumed) = self.resumed.as_ref().filter(|resumed| *resumed != id) {
            let said = format!("OpenCode began session {id} instead of resuming {resumed}");
            self.unexpected_session.get_or_insert_with(|| AgentFailure::new(said));
        }
        if self.session_id.is_some() {
            return None;
        }
        self.session_id = Some(id.to_owned());
        Some(AgentEvent::SessionStarted { id: id.to_owned() })
    }

    fn on_text(&mut self, text: String) -> AgentEvent {
        self.answer.record_message(text.as_str());
        AgentEvent::Message { text }
    }

    /// Adds the tokens of a step, and returns the total of all steps.
    fn add_usage(&mut self, tokens: &Value) -> Option<Usage> {
        tokens.as_object()?;
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        let (read, written) = (count(&tokens["cache"]["read"]), count(&tokens["cache"]["write"]));
        let reasoning = count(&tokens["reasoning"]);
        let before = self.usage.unwrap_or_default();
        // OpenCode counts each token once: `input` excludes cached tokens, and `output` excludes reasoning.
        let all_input = count(&tokens["input"]).saturating_add(read).saturating_add(written);
        let all_output = count(&tokens["output"]).saturating_add(reasoning);
        self.usage = Some(Usage {
            input_tokens: before.input_tokens.saturating_add(all_input),
            cached_input_tokens: before.cached_input_tokens.saturating_add(read),
            output_tokens: before.output_tokens.saturating_add(all_output),
            reasoning_output_tokens: before.reasoning_output_tokens.saturating_add(reasoning),
        });
        self.usage
    }

    fn on_error(&mut self, error: &Value) -> AgentEvent {
        let data = &error["data"];
        let words = [&data["message"], &error["message"], &error["name"]].into_iter().filter_map(Value::as_str);
        let said = words.map(str::trim).find(|said| !said.is_empty()).map_or_else(|| error.to_string(), str::to_owned);
        self.error = Some(RunFailure { said: said.clone(), status: data["statusCode"].as_u64() });
        AgentEvent::FatalError { message: said }
    }

    /// Reads the head of a line that is too long to keep. If the line is a message, a note takes its place.
    fn too_long(&mut self, head: &[u8], length: u64) -> Vec<AgentEvent> {
        let head = String::from_utf8_lossy(head);
        let Some(kind) = head.strip_prefix(r#"{"type":""#).and_then(|rest| rest.split('"').next()) else {
            self.reader.too_long(head.as_bytes());
            return vec![];
        };
        self.has_seen_event = true;
        let message = format!("a line of {length} bytes (type `{kind}`) is too long to read; see the task's log");
        if kind == "text" {
            self.answer.record_message(format!("({message})"));
        }
        vec![AgentEvent::Warning { message }]
    }

    /// Fails the run if the session belongs to another directory. OpenCode silently switches to the directory in which
    /// a session began. It works there, but then prints nothing and does not exit. Its log names both directories
    /// before it calls the model.
    fn check_directory(&mut self, directory: &str) {
        let Some(resumed) = &self.resumed else { return };
        let first = self.directory.get_or_insert_with(|| directory.to_owned());
        if first != directory {
            let said = format!(
                "session {resumed} belongs to {directory}, and OpenCode would resume it there instead of in {first}"
            );
            let advice = format!(
                "set `workingDirectory` to {directory}, or start a new task and put everything that the agent needs to \
                 know into `task`"
            );
            self.unexpected_session.get_or_insert(AgentFailure { message: said, advice: Some(advice), cause: None });
        }
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        if let Some(unexpected_session) = &self.unexpected_session {
            return Outcome::Failed(unexpected_session.clone());
        }
        if let Some(RunFailure { said, status }) = &self.error {
            let cause = self.cause.as_ref().filter(|_| said.contains("Check server logs"));
            return Outcome::Failed(advice::failure(cause.unwrap_or(said), *status));
        }
        if self.has_shown_help && !self.has_seen_event && exit != Exit::Code(0) {
            let said = "it printed its help, as it does for an unknown command-line option";
            return Outcome::CommandLineRefused(AgentFailure::new(said));
        }
        let stderr = self.stderr.text();
        let unfinished = self.last_reason.as_deref().and_then(unfinished_explanation);
        let said = match (exit, self.answer.text(), unfinished) {
            (Exit::Code(0), Some(_), None) => return Outcome::Completed,
            (Exit::Code(0), None, None) if self.last_reason.as_deref() == Some(COMPLETED_REASON) => {
                return Outcome::Completed;
            }
            // Any output on stderr is about the exit, not about the work.
            (Exit::Code(_), _, _) if self.has_completed() => {
                let said = format!("OpenCode completed its turn, then ended with {exit}");
                return Outcome::Failed(AgentFailure::new(said));
            }
            (Exit::Code(0), _, Some(why)) => Some(match &stderr {
                Some(stderr) => format!("{why}\n{stderr}"),
                None => why.to_owned(),
            }),
            (Exit::Code(0), None, None) | (Exit::Code(_) | Exit::Signal(_), _, _) => None,
        };
        let silent = || AgentFailure::unexplained(format!("OpenCode ended with {exit}"));
        let said = said.or(stderr).or_else(|| self.cause.clone()).or_else(|| self.retried_error.clone());
        Outcome::Failed(said.map_or_else(silent, |said| advice::failure(&said, None)))
    }
}

/// Why the task is unfinished if its last step ended for this `reason`; `None` if it is finished. OpenCode exits with
/// code 0 in both cases.
fn unfinished_explanation(reason: &str) -> Option<&'static str> {
    match reason {
        "tool-calls" => Some("OpenCode stopped at a tool call, as it does if the call is not allowed"),
        "length" => Some("the model's answer was cut off at the maximum number of output tokens"),
        "content-filter" => Some("the provider's content filter cut off the model's answer"),
        _ => None,
    }
}

impl AgentSession for OpenCodeSession {
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        if self.exit_deadline.has_passed() {
            return vec![];
        }
        let had_unexpected_session = self.unexpected_session.is_some();
        let events: Vec<_> = match line {
            Line::Whole(bytes) => {
                let line = self.reader.read(bytes);
                let problem_events = line.problem_events();
                let events = line.objects.into_iter().filter_map(|object| self.read(object)).flatten();
                events.chain(problem_events).collect()
            }
            Line::TooLong { head, length } => self.too_long(head, length),
        };
        // Stop OpenCode before it works without the earlier conversation.
        let stop = (self.unexpected_session.is_some() && !had_unexpected_session).then_some(Step::Finished);
        let wait = match self.last_reason.as_deref() {
            _ if events.is_empty() => None,
            Some(COMPLETED_REASON) => self.exit_deadline.begin(),
            Some(_) | None => self.exit_deadline.cancel(),
        };
        events.into_iter().map(Step::Event).chain(wait).chain(stop).collect()
    }

    fn overdue(&mut self) -> Vec<Step> {
        self.exit_deadline.overdue()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        let text = without_colours(&line.text());
        let Some(entry) = LogEntry::read(&text) else {
            self.has_shown_help |= text.starts_with("opencode run ");
            self.stderr.push(match line {
                Line::Whole(_) => Line::Whole(text.as_bytes()),
                Line::TooLong { .. } => line,
            });
            return vec![];
        };
        match (entry.message(), entry.error()) {
            ("creating instance", _) => {
                let had_unexpected_session = self.unexpected_session.is_some();
                self.check_directory(entry.field("directory").unwrap_or_default());
                (self.unexpected_session.is_some() && !had_unexpected_session)
                    .then_some(Step::Finished)
                    .into_iter()
                    .collect()
            }
            // OpenCode uses the small model only for titles.
            ("stream error", Some(error)) if entry.field("small") != Some("true") => {
                self.retried_error = Some(error.to_owned());
                vec![Step::Event(advice::transient_error(error))]
            }
            ("failed", Some(error)) => {
                self.cause = Some(error.to_owned());
                vec![]
            }
            _ => vec![],
        }
    }

    /// OpenCode does not report this itself, so it depends on how the last step ended.
    fn has_completed(&self) -> bool {
        self.last_reason.as_deref() == Some(COMPLETED_REASON)
            && self.error.is_none()
            && self.unexpected_session.is_none()
    }

    fn warnings(&self) -> Vec<Warning> {
        let is_over = self.last_reason.as_deref().is_some_and(|reason| unfinished_explanation(reason).is_none());
        let answer_warning = self.answer.warning().filter(|_| is_over && self.error.is_none());
        answer_warning.into_iter().chain(self.reader.warning()).collect()
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let outcome = self.outcome(self.exit_deadline.exit(exit));
        let answer = self.answer.into_text().filter(|_| self.unexpected_session.is_none());
        Verdict { outcome, answer, session_id: self.session_id, usage: self.usage }
    }
}
