//! The server under test: a child process, and the messages sent to it.

use std::{
    io::{self, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::{LEGACY_VERSION, McpError, PendingCall, STATELESS_VERSION, ToolAnswer, answer::outcome, inbox::Inbox};
use crate::{eventually, signals::restore_for_children};

/// Time limit for an answer, unless [`McpServer::set_answer_timeout`] changes it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// Number of bytes kept of the server's stderr.
const MAX_STDERR_BYTES: usize = 1024 * 1024;

/// An MCP server that runs as our child process. Dropping it kills and reaps it.
///
/// Two threads read its stdout and stderr. They end when the last process that holds those pipes ends.
#[derive(Debug)]
pub struct McpServer {
    child: Child,
    stdin: Option<ChildStdin>,
    inbox: Inbox,
    stderr: Arc<Mutex<Vec<u8>>>,
    era: Era,
    capabilities: Value,
    last_id: i64,
    answer_timeout: Duration,
}

/// The version of the protocol that the client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    /// After `initialize`, or before any handshake.
    Legacy,
    /// Each request carries the version and the client's capabilities.
    Stateless,
}

impl McpServer {
    /// Starts `command` with pipes for stdin, stdout and stderr.
    ///
    /// # Panics
    ///
    /// Panics if it cannot be started.
    pub fn spawn(mut command: Command) -> McpServer {
        restore_for_children();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|problem| panic!("cannot start {command:?}: {problem}"));
        let (inbox, stderr) = (Inbox::default(), Arc::default());
        let stdin = child.stdin.take();
        if let Some(stdout) = child.stdout.take() {
            let inbox = inbox.clone();
            thread::spawn(move || inbox.read(stdout));
        }
        if let Some(pipe) = child.stderr.take() {
            let kept = Arc::clone(&stderr);
            thread::spawn(move || keep(pipe, &kept));
        }
        let (era, capabilities) = (Era::Legacy, json!({}));
        McpServer { child, stdin, inbox, stderr, era, capabilities, last_id: 0, answer_timeout: ANSWER_TIMEOUT }
    }

    /// Declares the client's capabilities for later handshakes. By default, it has none.
    pub fn declare(&mut self, capabilities: Value) {
        self.capabilities = capabilities;
    }

    /// Sets how long [`request`](Self::request) and [`call`](Self::call) wait for an answer from now on.
    pub fn set_answer_timeout(&mut self, answer_timeout: Duration) {
        self.answer_timeout = answer_timeout;
    }

    /// Performs the handshake of version 2025-11-25. Returns the server's result.
    pub fn initialize(&mut self) -> Value {
        self.initialize_with(LEGACY_VERSION)
    }

    /// Performs the handshake of any version that has one. Returns the server's result.
    pub fn initialize_with(&mut self, version: &str) -> Value {
        self.era = Era::Legacy;
        let capabilities = self.capabilities.clone();
        let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": client_info()});
        let result = self.request("initialize", params);
        self.notify("notifications/initialized", json!({}));
        result
    }

    /// Sends `server/discover` of the stateless version 2026-07-28, which has no handshake. Every later request
    /// carries that version's three `_meta` keys. Returns the server's result.
    pub fn discover(&mut self) -> Value {
        self.era = Era::Stateless;
        self.request("server/discover", json!({}))
    }

    /// Sends a request and returns its result.
    ///
    /// # Panics
    ///
    /// Panics if the answer is an error, or does not arrive in time.
    pub fn request(&mut self, method: &str, params: Value) -> Value {
        self.try_request(method, params).unwrap_or_else(|error| panic!("{method} was refused: {error}"))
    }

    /// Sends a request and returns its result or its error.
    ///
    /// # Errors
    ///
    /// Returns the error with which the server answers.
    ///
    /// # Panics
    ///
    /// Panics if no answer arrives in time.
    pub fn try_request(&mut self, method: &str, params: Value) -> Result<Value, McpError> {
        let id = self.next_id();
        self.send_request(id, method, params);
        let deadline = Instant::now() + self.answer_timeout;
        let answer = self.inbox.wait_for(deadline, |received| received.answers.remove(&id));
        match answer {
            Some(message) => outcome(&message),
            None => {
                panic!("{method} was not answered: {}; stderr:\n{}", self.inbox.lock().silence_reason(), self.stderr())
            }
        }
    }

    /// Sends a request without waiting for its answer.
    pub fn begin_request(&mut self, method: &str, params: Value) {
        let id = self.next_id();
        self.send_request(id, method, params);
    }

    /// Calls a tool and waits for its answer. Each progress message is passed to `on_progress` as it arrives.
    ///
    /// # Panics
    ///
    /// Panics if no answer arrives in time.
    pub fn call(&mut self, tool: &str, arguments: Value, on_progress: impl FnMut(&str)) -> ToolAnswer {
        let answer_timeout = self.answer_timeout;
        self.start_call(tool, arguments).wait(answer_timeout, on_progress)
    }

    /// Calls a tool without waiting.
    pub fn start_call(&mut self, tool: &str, arguments: Value) -> PendingCall {
        let id = self.next_id();
        let meta = json!({"claudecode/toolUseId": format!("toolu_{id}"), "progressToken": id});
        self.send_request(id, "tools/call", json!({"name": tool, "arguments": arguments, "_meta": meta}));
        PendingCall { id, tool: tool.to_owned(), inbox: self.inbox.clone() }
    }

    /// Cancels `call`.
    pub fn cancel(&mut self, call: &PendingCall) {
        self.cancel_because(call, "cancelled by the test");
    }

    /// Cancels `call` for this reason.
    pub fn cancel_because(&mut self, call: &PendingCall, reason: &str) {
        self.notify("notifications/cancelled", json!({"requestId": call.id(), "reason": reason}));
    }

    /// Sends a notification.
    pub fn notify(&mut self, method: &str, params: Value) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    /// Writes these bytes to the server's stdin unchanged.
    ///
    /// # Errors
    ///
    /// Fails if either side has closed stdin.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stdin = self.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        stdin.write_all(bytes)?;
        stdin.flush()
    }

    /// Closes the server's stdin.
    pub fn close_stdin(&mut self) {
        self.stdin = None;
    }

    /// The server's process ID.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the server alone. Does nothing if it has ended.
    pub fn signal(&mut self, signal: Signal) {
        // Its PID cannot belong to another process until the child is reaped, and only we reap it.
        if self.child.try_wait().expect("the server is our child").is_none() {
            kill_process(Pid::from_child(&self.child), signal).expect("a child that was not reaped can be signalled");
        }
    }

    /// Kills the server alone, and reaps it.
    pub fn kill(&mut self) -> ExitStatus {
        self.child.kill().expect("the server is our child");
        self.child.wait().expect("the server is our child")
    }

    /// The server's exit status, if it has ended.
    pub fn try_wait(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("the server is our child")
    }

    /// Waits until the server ends.
    ///
    /// # Panics
    ///
    /// Panics if it has not ended within `deadline`.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        eventually("the end of the server", deadline, || self.try_wait())
    }

    /// Messages that are neither answers nor progress: other notifications, requests, errors without an ID.
    pub fn other_messages(&self) -> Vec<Value> {
        self.inbox.lock().others.clone()
    }

    /// The lines on stdout that were not JSON objects.
    pub fn unexpected_lines(&self) -> Vec<String> {
        self.inbox.lock().unexpected_lines.clone()
    }

    /// # Panics
    ///
    /// Panics if stdout has had anything other than one JSON object per line.
    pub fn assert_stdout_was_only_json(&self) {
        let unexpected_lines = self.unexpected_lines();
        assert!(
            unexpected_lines.is_empty(),
            "the server printed lines on stdout that are not JSON: {unexpected_lines:?}"
        );
    }

    /// The first mebibyte of the server's stderr.
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.stderr.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }

    fn next_id(&mut self) -> i64 {
        self.last_id += 1;
        self.last_id
    }

    fn send_request(&mut self, id: i64, method: &str, mut params: Value) {
        if self.era == Era::Stateless {
            params["_meta"]["io.modelcontextprotocol/protocolVersion"] = STATELESS_VERSION.into();
            params["_meta"]["io.modelcontextprotocol/clientInfo"] = client_info();
            params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = self.capabilities.clone();
        }
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
    }

    fn send(&mut self, message: &Value) {
        let sent = self.send_raw(format!("{message}\n").as_bytes());
        sent.unwrap_or_else(|problem| panic!("cannot write to the server: {problem}; its stderr:\n{}", self.stderr()));
    }
}

impl Drop for McpServer {
    fn drop(&mut self) {
        // Both fail only if the child is already gone.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn client_info() -> Value {
    json!({"name": "connector-testing", "version": env!("CARGO_PKG_VERSION")})
}

fn keep(mut pipe: impl Read, kept: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 8192];
    while let Ok(length @ 1..) = pipe.read(&mut buffer) {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        let room = MAX_STDERR_BYTES.saturating_sub(kept.len());
        kept.extend_from_slice(&buffer[..length.min(room)]);
    }
}
