//! Claude Code's part: it starts the server, calls its tools, and goes.

use std::{
    env,
    panic::{self, AssertUnwindSafe},
    path::Path,
    process::{self, Command},
    time::Duration,
};

use connector_testing::{McpServer, eventually};
use rustix::process::Signal;
use serde_json::Value;

use crate::{TIME_LIMIT, scene::Scene};

/// The longest that the server, and what it started, may take to go.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// A variable that the server hands on to all that it starts, supervisors and agents, and those to what they start.
const SESSION_VARIABLE: &str = "DELEGATE_EXAMPLE_SESSION";

/// One session of Claude Code with one server.
pub(crate) struct ClaudeClient {
    pub(crate) server: McpServer,
    /// The value of [`SESSION_VARIABLE`].
    session: String,
}

impl ClaudeClient {
    /// Starts this very program as server of `project`.
    pub(crate) fn start(scene: &Scene, project: &Path, data: &Path) -> ClaudeClient {
        let session = format!("delegate-{}", process::id());
        let mut command = Command::new(env::current_exe().expect("a running program has a path"));
        command.arg("--data-dir").arg(data).args(&scene.arguments).current_dir(project);
        if let Some(home) = &scene.home {
            command.env_clear().envs(home.variables());
        }
        command.envs([("CLAUDECODE", "1"), ("CLAUDE_CODE_ENTRYPOINT", "cli"), ("CLAUDE_CODE_SESSION_ID", &session)]);
        command.env("CLAUDE_PROJECT_DIR", project).env(SESSION_VARIABLE, &session);
        let mut server = McpServer::spawn(command);
        server.set_answer_timeout(TIME_LIMIT + EXIT_TIMEOUT);
        ClaudeClient { server, session }
    }

    /// Ends the server as Claude Code does, by SIGINT, and waits for all that it started too: a supervisor writes into
    /// the data directory as long as it lives.
    ///
    /// # Panics
    ///
    /// When one of them does not go.
    pub(crate) fn exit(&mut self) {
        self.server.signal(Signal::INT);
        self.server.wait(EXIT_TIMEOUT);
        eventually("the end of all that the server started", EXIT_TIMEOUT, || is_over(&self.session).then_some(()));
    }
}

impl Drop for ClaudeClient {
    fn drop(&mut self) {
        // What is wrong has been printed, and there may be a panic on its way already.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| self.exit()));
    }
}

/// Whether nothing that was started in this session still runs.
#[cfg(target_os = "linux")]
fn is_over(session: &str) -> bool {
    connector_testing::processes::processes_with_env(SESSION_VARIABLE, session).is_empty()
}

/// Nothing tells elsewhere.
#[cfg(not(target_os = "linux"))]
fn is_over(_session: &str) -> bool {
    true
}

/// What the server says that it is and has.
pub(crate) fn names(server: &Value, tools: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let tools: Vec<String> = tools["tools"].as_array().into_iter().flatten().map(|tool| word(&tool["name"])).collect();
    let server = &server["serverInfo"];
    format!("{} {}\ntools: {}", word(&server["name"]), word(&server["version"]), tools.join(", "))
}
