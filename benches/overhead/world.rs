//! A home directory whose configuration uses the fake agent, and servers of one build that use this home.

use std::{
    fs, io,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use connector_testing::{
    GitProject, McpServer, ToolAnswer, eventually,
    processes::{descendants, zombies},
};
use serde_json::{Value, json};

use crate::sides::Build;

/// Deadline for everything that the benchmark waits for, longer than any of it takes.
pub(crate) const WAIT_TIMEOUT: Duration = Duration::from_secs(240);

/// The fake agent's program.
pub(crate) const FAKE_AGENT: &str = env!("CARGO_BIN_EXE_fake-agent");

/// The home directory and the project of one part of the benchmark; no other part uses them.
#[derive(Debug)]
pub(crate) struct World {
    build: Build,
    home: tempfile::TempDir,
    pub(crate) project: GitProject,
}

impl World {
    /// A world in the system's temporary directory.
    pub(crate) fn new(build: &Build) -> io::Result<Self> {
        Self::below(build, &std::env::temp_dir())
    }

    /// A world whose data is in `dir`, and therefore on the disk of `dir`.
    pub(crate) fn below(build: &Build, dir: &Path) -> io::Result<Self> {
        let home = tempfile::Builder::new().prefix("overhead-").tempdir_in(dir)?;
        let world = Self { build: build.clone(), home, project: GitProject::new() };
        fs::create_dir_all(world.data_dir())?;
        fs::write(world.data_dir().join("config.toml"), format!("[backends.codex]\nprogram = \"{FAKE_AGENT}\"\n"))?;
        Ok(world)
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.path().join(".codex-connector")
    }

    /// One of a task's files in the log directory, such as the one with the extension `debug.json`.
    pub(crate) fn log_file(&self, id: &str, extension: &str) -> PathBuf {
        self.data_dir().join("logs").join(format!("{id}.{extension}"))
    }

    fn with_home(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home.path());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command
    }

    /// The server's command line.
    pub(crate) fn server_command(&self) -> Command {
        self.with_home(&self.build.program)
    }

    /// A server, ready for calls.
    pub(crate) fn server(&self) -> McpServer {
        let mut server = McpServer::spawn(self.server_command());
        server.set_answer_timeout(WAIT_TIMEOUT);
        server.initialize();
        server.request("tools/list", json!({}));
        server
    }

    /// A command that runs the fake agent without codex-connector, in the same project.
    pub(crate) fn agent_command(&self) -> Command {
        let mut command = self.with_home(FAKE_AGENT);
        command.args(["exec", "--json", "-"]).current_dir(self.project.path()).stdin(Stdio::piped());
        command
    }

    /// Runs a task to its end.
    pub(crate) fn run(&self, server: &mut McpServer, prompt: &str) -> ToolAnswer {
        let arguments = json!({"task": prompt, "workingDirectory": self.project.path()});
        let answer = server.call("codex_agent", arguments, |_| {});
        assert!(answer.text.contains("completed successfully"), "{}", answer.text);
        answer
    }

    /// Starts a task, and returns its ID and the PID of its supervisor once its agent is running.
    pub(crate) fn begin(&self, server: &mut McpServer, prompt: &str) -> (String, u32) {
        let arguments = json!({"task": prompt, "workingDirectory": self.project.path(), "async": true});
        let id = task_id(&server.call("codex_agent", arguments, |_| {}));
        let supervisor = eventually("the start of an agent", WAIT_TIMEOUT, || {
            let record: Value = serde_json::from_slice(&fs::read(self.log_file(&id, "debug.json")).ok()?).ok()?;
            record["pid"].as_u64()?;
            u32::try_from(record["supervisor"]["pid"].as_u64()?).ok()
        });
        (id, supervisor)
    }

    /// Runs the agent without codex-connector, and returns how long it took.
    pub(crate) fn run_directly(&self, prompt: &str) -> io::Result<Duration> {
        let began = Instant::now();
        let mut child = self.agent_command().stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        child.stdin.take().map_or(Ok(()), |mut stdin| stdin.write_all(prompt.as_bytes()))?;
        let mut said = String::new();
        child.stdout.take().map_or(Ok(0), |mut stdout| stdout.read_to_string(&mut said))?;
        assert!(child.wait()?.success() && said.contains("ok: hello"), "the agent said {said}");
        Ok(began.elapsed())
    }
}

/// Waits until all supervisors of a server have exited, so that their last writes are done.
pub(crate) fn wait_for_supervisors(server: &McpServer) {
    let pid = server.pid();
    eventually("the end of all supervisors", WAIT_TIMEOUT, || {
        (descendants(pid).is_empty() && zombies(pid).is_empty()).then_some(())
    });
}

/// The task ID in an answer.
pub(crate) fn task_id(answer: &ToolAnswer) -> String {
    let id = answer.text.split_once("**Task ID:**").and_then(|(_, after)| after.split_whitespace().next());
    id.unwrap_or_else(|| panic!("no task ID in {}", answer.text)).trim_matches('`').to_owned()
}
