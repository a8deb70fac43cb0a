//! A conversation in the Agent Client Protocol, over stdin and stdout.
//!
//! Turns are played on a separate thread, so that a cancel is answered at any time. A cancel leaves a running command
//! behind, as in codex-acp 0.16.0. This agent differs from codex-acp in two ways: it has one session at a time, and it
//! exits when stdin ends, unless `FAKE_ACP_LINGERS` is set.

use std::{
    env,
    io::{self, BufRead, Write},
    process::{self, ExitCode},
    thread,
};

use serde_json::{Value, json};

use super::{
    EXIT_BROKEN, FakeAgentError,
    call::{Invocation, SandboxLevel, has, value_of},
    dialect::{ACP_MODES, ACP_REFUSED, AcpEvents, TokenCounts, UsageError, refused},
    interrupt::{self, Children, SignalBehaviour},
    output::{self, Output, OutputLine},
    play::{HANG_TIME, PlayResult, Player},
    sessions::{self, SessionLookup, SessionMemory, new_uuid},
};

/// The error codes of JSON-RPC and ACP.
const INVALID_REQUEST: i64 = -32600;
const UNKNOWN_METHOD: i64 = -32601;
const INVALID_PARAMS: i64 = -32602;
const NOT_FOUND: i64 = -32002;

const VERSION: &str = "0.16.0";

/// Talks until stdin ends.
pub(crate) fn hold(args: &[&str]) -> Result<ExitCode, FakeAgentError> {
    if has(args, "--version") {
        writeln!(io::stdout(), "codex-acp {VERSION}")?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(flag) = refused(args) {
        return Ok(UsageError::new(format!("error: unexpected argument '{flag}' found"), 2).exit_with_message());
    }
    let configured = value_of(args, &["-c", "--config"]).and_then(|pair| pair.strip_prefix("model="));
    let model = value_of(args, &["-m", "--model"]).or(configured).map(|model| model.trim_matches('"').to_owned());
    let children = interrupt::watch(SignalBehaviour::Default)?;
    let mut conversation = AcpConversation { model, children, session: None, turn: None };
    for line in io::stdin().lock().split(b'\n') {
        if let Ok(message) = serde_json::from_slice(&line?) {
            conversation.on_message(&message)?;
        }
    }
    if env::var_os("FAKE_ACP_LINGERS").is_some() {
        thread::sleep(HANG_TIME);
    }
    Ok(ExitCode::SUCCESS)
}

/// The state of the conversation.
struct AcpConversation {
    model: Option<String>,
    children: Children,
    session: Option<AcpSessionState>,
    turn: Option<AcpTurn>,
}

struct AcpSessionState {
    id: String,
    mode: &'static str,
}

/// The latest turn. It is over when its output is closed.
struct AcpTurn {
    request: Value,
    output: Output,
}

/// The reason why a request is refused.
struct RequestError {
    code: i64,
    message: String,
}

impl RequestError {
    fn new(code: i64, message: impl Into<String>) -> RequestError {
        RequestError { code, message: message.into() }
    }
}

impl From<FakeAgentError> for RequestError {
    fn from(problem: FakeAgentError) -> RequestError {
        RequestError::new(ACP_REFUSED, problem.to_string())
    }
}

impl AcpConversation {
    fn on_message(&mut self, message: &Value) -> Result<(), FakeAgentError> {
        let (Some(method), params) = (message["method"].as_str(), &message["params"]) else {
            // The answer to a request that a script sent.
            return Ok(());
        };
        let id = &message["id"];
        if id.is_null() {
            return if method == "session/cancel" { self.cancel(params) } else { Ok(()) };
        }
        let answer = match self.answer(method, params, id) {
            Ok(None) => return Ok(()),
            Ok(Some(result)) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
            Err(RequestError { code, message }) => {
                json!({"jsonrpc": "2.0", "id": id, "error": {"code": code, "message": message}})
            }
        };
        Ok(Output::default().lines(&[OutputLine::Out(answer.to_string())])?)
    }

    /// The answer to a request, or `None` if it comes later.
    fn answer(&mut self, method: &str, params: &Value, id: &Value) -> Result<Option<Value>, RequestError> {
        match method {
            "initialize" => Ok(Some(json!({
                "protocolVersion": 1,
                "agentCapabilities": {
                    "loadSession": true,
                    "promptCapabilities": {"image": false, "audio": false, "embeddedContext": false},
                },
                "authMethods": [],
                "agentInfo": {"name": "codex-acp", "version": VERSION},
            }))),
            "session/new" => {
                let session = new_uuid();
                let mut result = self.open(&session, params)?;
                result["sessionId"] = session.into();
                Ok(Some(result))
            }
            "session/load" => {
                let session = params["sessionId"].as_str().unwrap_or_default();
                if sessions::is_known(session) != SessionLookup::Yes {
                    return Err(RequestError::new(NOT_FOUND, format!("Resource not found: {session}")));
                }
                let result = self.open(session, params)?;
                if let Some(word) = SessionMemory::of(session)?.word() {
                    let said = AcpEvents::new(session, Value::Null).said_before(word);
                    Output::default().lines(&[said]).map_err(FakeAgentError::from)?;
                }
                Ok(Some(result))
            }
            "session/set_mode" => {
                let session = self.session(params)?;
                let mode = params["modeId"].as_str().unwrap_or_default();
                let known = ACP_MODES.iter().find(|(id, _)| *id == mode);
                session.mode =
                    known.ok_or_else(|| RequestError::new(INVALID_PARAMS, format!("unknown mode {mode}")))?.0;
                Ok(Some(json!({})))
            }
            "session/prompt" => self.prompt(params, id).map(|()| None),
            _ => Err(RequestError::new(UNKNOWN_METHOD, format!("Method not found: {method}"))),
        }
    }

    /// Changes to the session's directory and enters the first mode.
    fn open(&mut self, id: &str, params: &Value) -> Result<Value, RequestError> {
        let directory = params["cwd"].as_str().ok_or_else(|| RequestError::new(INVALID_PARAMS, "`cwd` is missing"))?;
        env::set_current_dir(directory).map_err(|problem| RequestError::new(INVALID_PARAMS, problem.to_string()))?;
        let mode = ACP_MODES[0].0;
        self.session = Some(AcpSessionState { id: id.to_owned(), mode });
        SessionMemory::of(id)?;
        let modes: Vec<_> = ACP_MODES.iter().map(|(id, name)| json!({"id": id, "name": name})).collect();
        Ok(json!({"modes": {"currentModeId": mode, "availableModes": modes}}))
    }

    fn session(&mut self, params: &Value) -> Result<&mut AcpSessionState, RequestError> {
        let session = self.session.as_mut().filter(|session| params["sessionId"] == *session.id);
        session.ok_or_else(|| RequestError::new(INVALID_PARAMS, format!("unknown session {}", params["sessionId"])))
    }

    /// Begins a turn. Its end will be the answer.
    fn prompt(&mut self, params: &Value, id: &Value) -> Result<(), RequestError> {
        if self.turn.as_ref().is_some_and(|turn| !turn.output.is_closed()) {
            return Err(RequestError::new(INVALID_REQUEST, "a turn is already running"));
        }
        let model = self.model.clone();
        let children = self.children.clone();
        let session = self.session(params)?;
        let sandbox = match session.mode {
            "read-only" => SandboxLevel::ReadOnly,
            "auto" => SandboxLevel::WorkspaceWrite,
            _ => SandboxLevel::Full,
        };
        let output = Output::default();
        let player = Player {
            dialect: Box::new(AcpEvents::new(&session.id, id.clone())),
            output: output.clone(),
            children,
            memory: SessionMemory::of(&session.id)?,
            call: Invocation { model, sandbox, ..Invocation::default() },
            usage: TokenCounts::default(),
        };
        let blocks = params["prompt"].as_array().map_or(&[][..], Vec::as_slice).iter();
        let prompt = blocks.filter_map(|block| block["text"].as_str()).collect::<Vec<_>>().join("\n");
        self.turn = Some(AcpTurn { request: id.clone(), output });
        thread::spawn(move || match player.play(&prompt) {
            Ok(PlayResult::Completed | PlayResult::Failed(_)) => {}
            Ok(PlayResult::Exit(code)) => process::exit(code.into()),
            Err(problem) => {
                output::print_error(&format!("fake agent: {problem}"));
                process::exit(EXIT_BROKEN.into());
            }
        });
        Ok(())
    }

    /// Ends the turn, but not the processes that it started.
    fn cancel(&self, params: &Value) -> Result<(), FakeAgentError> {
        let (Some(session), Some(turn)) = (&self.session, &self.turn) else { return Ok(()) };
        if params["sessionId"] != *session.id {
            return Ok(());
        }
        let stopped = AcpEvents::new(&session.id, turn.request.clone()).stopped("cancelled", None);
        Ok(turn.output.close_with(&[stopped])?)
    }
}
