//! One run: initialize the agent, open a session, set its model and mode, send the prompt, and follow the turn to its
//! end.

use std::time::Duration;

use connector_api::{
    AgentEvent, AgentFailure, AgentRequest, AgentSession, Exit, Interrupt, JsonObject, JsonReader, JsonRpc, Line,
    Outcome, RpcError, RpcMessage, Sandbox, SplitSurrogates, Step, Tail, Usage, Verdict, Warning, json_rpc,
};
use serde_json::{Value, json};

use crate::{
    advice::{FAILURES, LOGIN},
    choices::{Choice, SessionSetting, choice, mode_in},
    permission,
    requests::{Request, VERSION},
    updates::Updates,
};

/// The error code of an agent that is not logged in.
const AUTH_REQUIRED: i64 = -32000;

/// The state of one run.
#[derive(Debug)]
pub(crate) struct AcpSession {
    reader: JsonReader,
    request: AgentRequest,
    /// The modes that enforce the sandbox. The first one that the agent has is set; if this is empty, the mode is not
    /// changed.
    modes: Vec<String>,
    /// The model to set in the session, if the command line does not.
    model: Option<String>,
    /// The way to set the mode, known once the session is open. `None` if it need not be set.
    mode_choice: Option<Choice>,
    /// The mode that the session must be in.
    mode: Option<String>,
    /// The mode that the agent last reported since a mode was requested.
    reported_mode: Option<String>,
    answer_timeout: Duration,
    /// At most one request is pending; none after the turn.
    rpc: JsonRpc<Request>,
    session_id: Option<String>,
    updates: Updates,
    /// The last action that was denied, until the agent does something else.
    denied: Option<String>,
    outcome: Option<Outcome>,
    usage: Option<Usage>,
    stderr: Tail,
}

impl AcpSession {
    /// A run of `request`, in the first of `modes` that the agent has, and with `model`, if given. The agent must
    /// answer every request but the prompt within `answer_timeout`.
    pub(crate) fn new(
        request: AgentRequest,
        modes: Vec<String>,
        model: Option<String>,
        answer_timeout: Duration,
    ) -> Self {
        Self {
            reader: JsonReader::default(),
            request,
            modes,
            model,
            mode_choice: None,
            mode: None,
            reported_mode: None,
            answer_timeout,
            rpc: JsonRpc::default(),
            session_id: None,
            updates: Updates::default(),
            denied: None,
            outcome: None,
            usage: None,
            stderr: Tail::for_failures(),
        }
    }

    /// Sends a request and waits for its answer, without a time limit if it is the prompt.
    fn send_request(&mut self, request: Request, params: Value) -> Vec<Step> {
        let deadline = if request == Request::Prompt { None } else { Some(self.answer_timeout) };
        let method = request.method(self.resumes());
        vec![Step::Send(self.rpc.request(request, method, params)), Step::Deadline(deadline)]
    }

    /// The request that has no answer yet.
    fn pending_request(&self) -> Option<Request> {
        self.rpc.pending_request().copied()
    }

    fn resumes(&self) -> bool {
        self.request.resume.is_some()
    }

    fn on_response(&mut self, to: Request, outcome: Result<Value, RpcError>) -> Vec<Step> {
        let result = match outcome {
            Ok(result) => result,
            Err(error) => return self.on_error_response(to, &error),
        };
        match to {
            Request::Initialize => self.on_initialized(&result),
            Request::Session => self.on_session_opened(&result),
            Request::SetModel | Request::SetModelOption => {
                self.update_mode(&result);
                self.choose_mode()
            }
            Request::SetMode | Request::SetModeOption => {
                self.update_mode(&result);
                self.prompt()
            }
            Request::Prompt => self.on_turn_ended(&result),
        }
    }

    fn on_initialized(&mut self, result: &Value) -> Vec<Step> {
        let version = result["protocolVersion"].as_u64();
        if version != Some(VERSION) {
            let spoken = version.map_or("none".to_owned(), |version| version.to_string());
            return self.fail(AgentFailure::new(format!(
                "it speaks version {spoken} of ACP, but version {VERSION} is required"
            )));
        }
        let directory = self.request.working_directory.display().to_string();
        let mut params = json!({"cwd": directory, "mcpServers": []});
        if let Some(session) = self.request.resume.clone() {
            if result["agentCapabilities"]["loadSession"] != true {
                return self.fail(AgentFailure::new("it cannot resume sessions (it does not report `loadSession`)"));
            }
            params["sessionId"] = session.into();
        }
        self.send_request(Request::Session, params)
    }

    fn on_session_opened(&mut self, result: &Value) -> Vec<Step> {
        let id = self.request.resume.clone().or_else(|| result["sessionId"].as_str().map(str::to_owned));
        let Some(id) = id else { return self.fail(AgentFailure::new("it opened a session without an ID")) };
        self.session_id = Some(id.clone());
        // Until now, the agent repeated the history of the earlier session.
        self.updates = Updates::default();
        let mut steps = vec![Step::Event(AgentEvent::SessionStarted { id: id.clone() })];
        let modes: Vec<&str> = self.modes.iter().map(String::as_str).collect();
        self.mode_choice = (!modes.is_empty()).then(|| choice(SessionSetting::Mode, &modes, result));
        self.mode = self.mode_choice.as_ref().and_then(Choice::value).map(str::to_owned);
        let model = self.model.as_deref().map(|model| choice(SessionSetting::Model, &[model], result));
        steps.extend(match model {
            None | Some(Choice::AlreadySet { .. }) => self.choose_mode(),
            Some(Choice::Method { value }) => {
                self.send_request(Request::SetModel, json!({"sessionId": id, "modelId": value}))
            }
            Some(Choice::Option { id: option, value }) => {
                self.send_request(Request::SetModelOption, json!({"sessionId": id, "configId": option, "value": value}))
            }
            Some(Choice::None { said }) => {
                let advice = Some("leave `model` out, or name one of its models".to_owned());
                self.fail(AgentFailure { advice, ..AgentFailure::new(said) })
            }
        });
        steps
    }

    /// Sets the mode. This comes after the model, because an agent may change the mode if the model does not support
    /// it.
    fn choose_mode(&mut self) -> Vec<Step> {
        let id = self.session_id.clone();
        match self.mode_choice.take() {
            None | Some(Choice::AlreadySet { .. }) => self.prompt(),
            Some(Choice::Method { value }) => {
                self.reported_mode = None;
                self.send_request(Request::SetMode, json!({"sessionId": id, "modeId": value}))
            }
            Some(Choice::Option { id: option, value }) => {
                self.reported_mode = None;
                self.send_request(Request::SetModeOption, json!({"sessionId": id, "configId": option, "value": value}))
            }
            Some(Choice::None { said }) => {
                let said = format!("{said}; sandbox `{}` needs it", self.request.sandbox);
                let advice = Some("set `modes` of this backend to modes that the agent has".to_owned());
                self.fail(AgentFailure { advice, ..AgentFailure::new(said) })
            }
        }
    }

    /// Records the agent's current mode, if it is in this message.
    fn update_mode(&mut self, reported: &Value) {
        if let Some(mode) = reported["currentModeId"].as_str().or_else(|| mode_in(&reported["configOptions"])) {
            self.reported_mode = Some(mode.to_owned());
        }
    }

    /// Ends the run if the agent reports a mode other than the one that must enforce the sandbox.
    fn stop_if_mode_changed(&mut self) -> Option<Vec<Step>> {
        let (mode, reported) = (self.mode.as_ref()?, self.reported_mode.as_ref()?);
        if mode == reported || self.request.sandbox == Sandbox::DangerFullAccess {
            return None;
        }
        let sandbox = self.request.sandbox;
        let said =
            format!("it is in mode `{reported}`, but sandbox `{sandbox}` needs mode `{mode}`, so it was stopped");
        Some(self.fail(AgentFailure::new(said)))
    }

    fn prompt(&mut self) -> Vec<Step> {
        if let Some(end) = self.stop_if_mode_changed() {
            return end;
        }
        let prompt = json!([{"type": "text", "text": self.request.prompt}]);
        self.send_request(Request::Prompt, json!({"sessionId": self.session_id, "prompt": prompt}))
    }

    fn on_turn_ended(&mut self, result: &Value) -> Vec<Step> {
        let mut steps: Vec<_> = self.updates.finish().map(Step::Event).into_iter().collect();
        self.usage = usage(&result["usage"]);
        steps.extend(self.usage.map(|usage| Step::Event(AgentEvent::Usage(usage))));
        self.outcome = Some(match result["stopReason"].as_str() {
            Some("end_turn") => {
                self.updates.failure().map_or(Outcome::Completed, |said| Outcome::Failed(FAILURES.failure(said)))
            }
            Some("cancelled") if let Some(denied) = &self.denied => {
                let said = format!("it gave up because sandbox `{}` does not allow: {denied}", self.request.sandbox);
                let advice = Some("ask for a less strict sandbox, or change the task".to_owned());
                Outcome::Failed(AgentFailure { advice, ..AgentFailure::new(said) })
            }
            Some(reason) => Outcome::Failed(AgentFailure::new(format!("the turn ended early: {reason}"))),
            None => Outcome::Failed(AgentFailure::new("the turn ended without a reason")),
        });
        steps.push(Step::Finished);
        steps
    }

    fn on_error_response(&mut self, to: Request, error: &RpcError) -> Vec<Step> {
        let said = format!("`{}` was refused: {}", to.method(self.resumes()), error.message);
        // Some agents use this code for all errors, so the message takes precedence.
        let by_code = (error.code == Some(AUTH_REQUIRED)).then_some(&LOGIN);
        let row = FAILURES.find(&said).or(by_code);
        let failure = row.map_or_else(|| AgentFailure::new(said.as_str()), |row| row.failure(said.as_str()));
        self.fail(failure)
    }

    /// Ends the run with a failure.
    fn fail(&mut self, failure: AgentFailure) -> Vec<Step> {
        self.rpc.stop_waiting();
        let event = Step::Event(AgentEvent::FatalError { message: failure.message.clone() });
        self.outcome.get_or_insert(Outcome::Failed(failure));
        vec![Step::Deadline(None), event, Step::Finished]
    }

    fn on_notification(&mut self, method: String, params: &Value, surrogates: SplitSurrogates) -> Vec<Step> {
        // An agent may have other sessions, for its subagents.
        let is_ours = method == "session/update"
            && params["sessionId"].as_str().is_none_or(|id| self.session_id.as_deref() == Some(id));
        let update = &params["update"];
        if is_ours {
            self.update_mode(update);
        }
        if !is_ours || self.pending_request() != Some(Request::Prompt) {
            return vec![Step::Event(AgentEvent::Other { kind: method, raw: params.to_string() })];
        }
        if let Some(end) = self.stop_if_mode_changed() {
            return end;
        }
        if update["sessionUpdate"] == "tool_call" {
            // The agent does something else, so it has not given up.
            self.denied = None;
        }
        let Some(events) = self.updates.read(update, surrogates) else { return vec![] };
        if events.is_empty() {
            // A chunk of a text, which becomes one event when it is complete. This step marks the line as understood.
            return vec![Step::Deadline(None)];
        }
        events.into_iter().map(Step::Event).collect()
    }
}

impl AcpSession {
    fn on_message(&mut self, JsonObject { value, surrogates, .. }: JsonObject<'_>) -> Vec<Step> {
        match self.rpc.read(value) {
            Some(RpcMessage::Answer { to, outcome }) => self.on_response(to, outcome),
            Some(RpcMessage::Request { id, method, params }) if method == "session/request_permission" => {
                let is_allowed = permission::is_allowed(&self.request, &params["toolCall"]);
                self.denied = (!is_allowed).then(|| permission::describe(&params["toolCall"]));
                if !is_allowed {
                    self.updates.deny(params["toolCall"]["toolCallId"].as_str().unwrap_or_default());
                }
                let answer = if is_allowed { permission::allow(&params) } else { permission::deny(&params) };
                let event =
                    AgentEvent::Other { kind: format!("{method} {}", answer["outcome"]), raw: params.to_string() };
                vec![Step::Send(json_rpc::answer(&id, answer)), Step::Event(event)]
            }
            Some(RpcMessage::Request { id, method, params }) => {
                let event = AgentEvent::Other { kind: method.clone(), raw: params.to_string() };
                vec![Step::Send(json_rpc::refuse(&id, &method)), Step::Event(event)]
            }
            Some(RpcMessage::Notification { method, params }) => self.on_notification(method, &params, surrogates),
            None => vec![],
        }
    }
}

impl AgentSession for AcpSession {
    fn start(&mut self) -> Vec<Step> {
        let ours = json!({
            "protocolVersion": VERSION,
            "clientCapabilities": {"fs": {"readTextFile": false, "writeTextFile": false}, "terminal": false},
            "clientInfo": {"name": "codex-connector", "title": "codex-connector", "version": env!("CARGO_PKG_VERSION")},
        });
        self.send_request(Request::Initialize, ours)
    }

    fn stdout(&mut self, line: Line<'_>) -> Vec<Step> {
        let bytes = match line {
            Line::Whole(bytes) => bytes,
            Line::TooLong { head, length } => {
                let is_update = String::from_utf8_lossy(head).contains("session/update");
                // It may have been the pending answer, which the agent will not repeat.
                return match self.pending_request() {
                    Some(_) if !is_update => {
                        self.fail(AgentFailure::new(format!("it sent a message of {length} bytes")))
                    }
                    Some(_) | None => {
                        self.reader.too_long(head);
                        vec![]
                    }
                };
            }
        };
        let line = self.reader.read(bytes);
        let problem_events = line.problem_events().into_iter().map(Step::Event);
        let is_broken = line.problem.is_some();
        let mut steps: Vec<_> =
            line.objects.into_iter().flat_map(|object| self.on_message(object)).chain(problem_events).collect();
        if is_broken && self.rpc.is_lost_answer(bytes) {
            steps.extend(self.fail(AgentFailure::new("it sent an answer that could not be read")));
        }
        steps
    }

    fn stderr(&mut self, line: Line<'_>) -> Vec<Step> {
        self.stderr.push(line);
        vec![]
    }

    fn overdue(&mut self) -> Vec<Step> {
        let Some(request) = self.pending_request() else { return vec![] };
        let (method, answer_timeout) = (request.method(self.resumes()), self.answer_timeout.as_secs());
        let words = self.stderr.text().map(|words| format!("; its stderr: {words}")).unwrap_or_default();
        self.fail(AgentFailure::new(format!("it did not answer `{method}` within {answer_timeout} s{words}")))
    }

    fn interrupt(&mut self) -> Interrupt {
        match (self.pending_request(), &self.session_id) {
            (Some(Request::Prompt), Some(id)) => {
                Interrupt::Steps(vec![Step::Send(json_rpc::notify("session/cancel", json!({"sessionId": id})))])
            }
            (Some(_) | None, _) => Interrupt::Signal,
        }
    }

    fn has_completed(&self) -> bool {
        self.outcome == Some(Outcome::Completed)
    }

    fn warnings(&self) -> Vec<Warning> {
        let of_turn = self.updates.warning().into_iter().chain(self.updates.unfinished());
        of_turn.filter(|_| self.has_completed()).chain(self.reader.warning()).collect()
    }

    fn finish(mut self: Box<Self>, exit: Exit) -> Verdict {
        // Keep an incomplete message.
        let _ = self.updates.finish();
        let outcome = self.outcome.unwrap_or_else(|| {
            let silent = || AgentFailure::unexplained(format!("it ended with {exit} before its turn was over"));
            Outcome::Failed(self.stderr.text().map_or_else(silent, AgentFailure::new))
        });
        Verdict { outcome, answer: self.updates.answer(), session_id: self.session_id, usage: self.usage }
    }
}

/// The tokens used, if the agent reports them.
fn usage(usage: &Value) -> Option<Usage> {
    let count = |key: &str| usage[key].as_u64();
    let input = count("inputTokens")?;
    Some(Usage {
        input_tokens: input,
        cached_input_tokens: count("cachedReadTokens").unwrap_or(0),
        output_tokens: count("outputTokens").unwrap_or(0),
        reasoning_output_tokens: count("thoughtTokens").unwrap_or(0),
    })
}
