//! Plays Claude Code: starts the server, calls its tools, and exits.

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

/// Time limit for the server, and everything that it started, to exit.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// An environment variable that the server's supervisors and agents inherit, and pass on to the processes that they
/// start.
const SESSION_VARIABLE: &str = "DELEGATE_EXAMPLE_SESSION";

/// One session of Claude Code with one server.
pub(crate) struct ClaudeClient {
    pub(crate) server: McpServer,
    /// The value of [`SESSION_VARIABLE`].
    session: String,
}

impl ClaudeClient {
    /// Starts this same program as the server of `project`.
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

    /// Stops the server with SIGINT, as Claude Code does. Also waits for everything that the server started, because a
    /// supervisor writes to the data directory as long as it runs.
    ///
    /// # Panics
    ///
    /// Panics if one of these processes does not exit.
    pub(crate) fn exit(&mut self) {
        self.server.signal(Signal::INT);
        self.server.wait(EXIT_TIMEOUT);
        eventually("the exit of everything that the server started", EXIT_TIMEOUT, || {
            is_over(&self.session).then_some(())
        });
    }
}

impl Drop for ClaudeClient {
    fn drop(&mut self) {
        // The problem has already been printed, and a panic may be in progress.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| self.exit()));
    }
}

/// Whether no process that was started in this session is still running.
#[cfg(target_os = "linux")]
fn is_over(session: &str) -> bool {
    connector_testing::processes::processes_with_env(SESSION_VARIABLE, session).is_empty()
}

/// On other systems, processes cannot be found by their environment.
#[cfg(not(target_os = "linux"))]
fn is_over(_session: &str) -> bool {
    true
}

/// The name and version of the server, and its tools.
pub(crate) fn names(server: &Value, tools: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    let tools: Vec<String> = tools["tools"].as_array().into_iter().flatten().map(|tool| word(&tool["name"])).collect();
    let server = &server["serverInfo"];
    format!("{} {}\ntools: {}", word(&server["name"]), word(&server["version"]), tools.join(", "))
}
