//! Following one run of `claude -p --output-format stream-json`.

use connector_api::{AgentEvent, AgentSession, Cause, Complaint, Exit, Line, Outcome, Step, Tail, Usage, Verdict};
use serde_json::Value;

use crate::tools::Calls;

/// What one run has said so far.
#[derive(Debug)]
pub(crate) struct ClaudeSession {
    /// The session that this run has to go on with.
    resumed: Option<String>,
    strayed: Option<String>,
    session_id: Option<String>,
    calls: Calls,
    /// The last text of the model.
    message: Option<String>,
    /// The line of type `result`, which ends a run.
    result: Option<Value>,
    usage: Option<Usage>,
    has_spoken: bool,
    stderr: Tail,
}

impl ClaudeSession {
    /// A run that goes on with this session, if there is one.
    pub(crate) fn new(resumed: Option<String>) -> Self {
        Self {
            resumed,
            strayed: None,
            session_id: None,
            calls: Calls::default(),
            message: None,
            result: None,
            usage: None,
            has_spoken: false,
            stderr: Tail::of_complaints(),
        }
    }

    fn read(&mut self, line: &[u8]) -> Option<Vec<AgentEvent>> {
        let event: Value = serde_json::from_slice(line).ok()?;
        let kind = event["type"].as_str()?.to_owned();
        self.has_spoken = true;
        let other = |kind: String| AgentEvent::Other { kind, raw: String::from_utf8_lossy(line).into_owned() };
        Some(match (kind.as_str(), event["subtype"].as_str()) {
            ("system", Some("init")) => vec![self.began(&event)],
            ("system", Some("api_retry")) => {
                let count = |key: &str| event[key].as_u64().map_or("?".to_owned(), |number| number.to_string());
                let why = event["error"].as_str().or(event["message"].as_str()).unwrap_or("the request failed");
                let message = format!("{why} (attempt {} of {})", count("attempt"), count("max_retries"));
                vec![AgentEvent::TransientError { message }]
            }
            ("assistant", _) => blocks(&event).iter().map(|block| self.said(block)).collect(),
            ("user", _) => {
                let results = blocks(&event).iter().filter(|block| block["type"] == "tool_result");
                let events: Vec<_> = results.map(|block| self.calls.end(block)).collect();
                if events.is_empty() { vec![other(kind)] } else { events }
            }
            ("result", _) => self.ended(event),
            (_, subtype) => vec![other(format!("{kind} {}", subtype.unwrap_or_default()).trim().to_owned())],
        })
    }

    fn began(&mut self, event: &Value) -> AgentEvent {
        let id = event["session_id"].as_str().unwrap_or_default().to_owned();
        if let Some(resumed) = self.resumed.as_ref().filter(|resumed| !resumed.eq_ignore_ascii_case(&id)) {
            self.strayed = Some(format!("Claude Code began session {id} instead of going on with {resumed}"));
        }
        self.session_id = Some(id.clone());
        AgentEvent::SessionStarted { id }
    }

    fn said(&mut self, block: &Value) -> AgentEvent {
        let text = |key: &str| block[key].as_str().unwrap_or_default().to_owned();
        match block["type"].as_str() {
            Some("text") => {
                self.message = Some(text("text"));
                AgentEvent::Message { text: text("text") }
            }
            Some("thinking") => AgentEvent::Reasoning { text: text("thinking") },
            Some("tool_use") => self.calls.begin(block),
            kind => AgentEvent::Other { kind: kind.unwrap_or("block").to_owned(), raw: block.to_string() },
        }
    }

    fn ended(&mut self, event: Value) -> Vec<AgentEvent> {
        self.usage = usage(&event["usage"]);
        let mut events: Vec<_> = self.usage.map(AgentEvent::Usage).into_iter().collect();
        let denied = event["permission_denials"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let denied: Vec<_> = denied.filter_map(|denial| denial["tool_name"].as_str()).collect();
        if !denied.is_empty() {
            let message = format!("was denied in this sandbox: {}", denied.join(", "));
            events.push(AgentEvent::Warning { message });
        }
        if event["is_error"] == true {
            let message = event["result"].as_str().or(event["subtype"].as_str()).unwrap_or_default().to_owned();
            events.push(AgentEvent::FatalError { message });
        }
        self.result = Some(event);
        if events.is_empty() {
            events.push(AgentEvent::Other { kind: "result".into(), raw: String::new() });
        }
        events
    }

    fn outcome(&self, exit: Exit) -> Outcome {
        if let Some(strayed) = &self.strayed {
            return Outcome::Failed(Complaint::new(strayed.as_str()));
        }
        let stderr = self.stderr.text();
        let said = match &self.result {
            Some(result) if result["is_error"] != true && exit == Exit::Code(0) => return Outcome::Completed,
            Some(result) if result["is_error"] == true => {
                let errors = result["errors"].as_array().map_or(&[][..], Vec::as_slice).iter();
                let errors: Vec<_> = errors.filter_map(Value::as_str).collect();
                let said = result["result"].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
                said.or((!errors.is_empty()).then(|| errors.join("\n")))
                    .or_else(|| result["subtype"].as_str().map(|subtype| format!("it ended with {subtype}")))
            }
            Some(_) | None => None,
        };
        if let (false, Some(stderr)) = (self.has_spoken, &stderr)
            && stderr.contains("unknown option")
        {
            return Outcome::CommandLineRefused(Complaint::new(stderr.as_str()));
        }
        let silent = || format!("Claude Code ended with {exit} and did not say why");
        Outcome::Failed(complaint(said.or(stderr).unwrap_or_else(silent)))
    }
}

impl AgentSession for ClaudeSession {
    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        let Line::Whole(bytes) = line else { return vec![] };
        let had_strayed = self.strayed.is_some();
        let events = self.read(bytes).unwrap_or_default();
        // Before it does anything in a conversation that knows of nothing.
        let stop = (self.strayed.is_some() && !had_strayed).then_some(Step::Finished);
        events.into_iter().map(Step::Event).chain(stop).collect()
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }

    fn finish(self: Box<Self>, exit: Exit) -> Verdict {
        let outcome = self.outcome(exit);
        let whole = self.result.as_ref().filter(|result| result["is_error"] != true);
        let whole = whole.and_then(|result| result["result"].as_str()).filter(|text| !text.is_empty());
        let answer = whole.map(str::to_owned).or(self.message).filter(|_| self.strayed.is_none());
        Verdict { outcome, answer, session_id: self.session_id, usage: self.usage }
    }
}

fn blocks(event: &Value) -> &[Value] {
    event["message"]["content"].as_array().map_or(&[], Vec::as_slice)
}

/// Tokens of the run. What was read from the cache and what was put into it counts as read.
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

fn complaint(said: String) -> Complaint {
    let words = said.to_lowercase();
    let has = |any: &[&str]| any.iter().any(|word| words.contains(word));
    let (advice, cause) = if has(&["/login", "api key", "401", "authentication", "oauth token"]) {
        (
            Some("run `claude` and `/login`, or set ANTHROPIC_API_KEY where the MCP server starts"),
            Some(Cause::NotLoggedIn),
        )
    } else if has(&["usage limit", "credit balance", "429", "rate limit"]) {
        (Some("wait until the limit is reset, or name another `model`"), Some(Cause::OutOfQuota))
    } else if has(&["no conversation found"]) {
        (Some("start a new task, with all it has to know in `task`"), None)
    } else if has(&["root/sudo privileges"]) {
        (Some("run it as another user, or ask for the sandbox workspace-write"), None)
    } else if has(&["model"]) && has(&["not exist", "not_found", "not available", "issue with the selected model"]) {
        (Some("leave `model` out, or name one that your account has"), None)
    } else {
        (None, None)
    };
    Complaint { said, advice: advice.map(str::to_owned), cause }
}
