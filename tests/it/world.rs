//! A home with a configuration and a project, and the servers in it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use connector_testing::{GitProject, McpServer, ToolAnswer, eventually, signals::restore_for_children};
use rustix::process::Pid;
use serde_json::{Value, json};

/// Long enough for any expected event on a busy machine.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// A time limit that must expire while the agent is at work, not while it starts, which takes a second or two on a
/// busy machine.
pub(crate) const TIME_SLACK: Duration = Duration::from_secs(4);

/// The environment of one test, not shared with others.
pub(crate) struct World {
    home: tempfile::TempDir,
    pub(crate) project: GitProject,
    variables: Vec<(String, String)>,
}

impl World {
    /// A home whose `codex` is the fake agent.
    pub(crate) fn with_fake_agent() -> Self {
        Self::with_codex(Path::new(env!("CARGO_BIN_EXE_fake-agent")))
    }

    /// A home whose `codex` is this program.
    pub(crate) fn with_codex(program: &Path) -> Self {
        restore_for_children();
        // Not in the system's temporary directory, because Codex's `workspace-write` could write to a data directory
        // there.
        let home = tempfile::Builder::new().prefix("connector-").tempdir_in(env!("CARGO_TARGET_TMPDIR"));
        let home = home.expect("cargo's directory is writable");
        let world = Self { home, project: GitProject::new(), variables: vec![] };
        world.configure(&format!("[backends.codex]\nprogram = \"{}\"\n", program.display()))
    }

    /// Adds to the configuration file.
    pub(crate) fn configure(self, toml: &str) -> Self {
        let file = self.data_dir().join("config.toml");
        fs::create_dir_all(self.data_dir()).expect("the home is writable");
        let before = fs::read_to_string(&file).unwrap_or_default();
        fs::write(file, format!("{toml}{before}")).expect("the home is writable");
        self
    }

    /// Sets an environment variable for every process that is started from now on.
    pub(crate) fn variable(mut self, name: &str, value: impl Into<String>) -> Self {
        self.variables.push((name.to_owned(), value.into()));
        self
    }

    /// Removes a variable.
    pub(crate) fn without(mut self, name: &str) -> Self {
        self.variables.retain(|(known, _)| known != name);
        self
    }

    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.home.path().join(".codex-connector")
    }

    pub(crate) fn log(&self, id: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.log_file(id, "log")).unwrap_or_default()).into_owned()
    }

    pub(crate) fn log_file(&self, id: &str, ending: &str) -> PathBuf {
        self.data_dir().join("logs").join(format!("{id}.{ending}"))
    }

    /// The task's record.
    pub(crate) fn record(&self, id: &str) -> Value {
        let content = fs::read(self.log_file(id, "debug.json")).expect("the task has a record");
        serde_json::from_slice(&content).expect("a record is JSON")
    }

    /// The PID of the task's supervisor.
    pub(crate) fn supervisor_of(&self, id: &str) -> Pid {
        let pid = self.record(id)["supervisor"]["pid"].as_i64().and_then(|pid| pid.try_into().ok());
        pid.and_then(Pid::from_raw).expect("a record names its supervisor")
    }

    /// The index, once no task is running: it is written a moment after a task has ended.
    pub(crate) fn index(&self) -> Value {
        eventually("empty run directories", ANSWER_TIMEOUT, || {
            fs::read_dir(self.data_dir().join("run")).ok()?.next().is_none().then_some(())
        });
        let content = fs::read(self.data_dir().join("tasks.json")).expect("there is an index");
        serde_json::from_slice(&content).expect("the index is JSON")
    }

    /// The program with these arguments, in this home, with a minimal environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_codex-connector"));
        command.args(args).env_clear().env("HOME", self.home());
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A server without a handshake.
    pub(crate) fn silent_server(&self) -> McpServer {
        McpServer::spawn(self.command(&[]))
    }

    /// A server that is ready for calls.
    pub(crate) fn server(&self) -> McpServer {
        let mut server = self.silent_server();
        server.initialize();
        server
    }

    /// Arguments for `codex_agent`: this task, in this world's project.
    pub(crate) fn task(&self, task: &str) -> Value {
        json!({"task": task, "workingDirectory": self.project.path()})
    }

    /// Arguments for `codex_agent` that make the fake agent play these steps.
    pub(crate) fn fake(&self, steps: Value) -> Value {
        self.task(&format!("FAKE{steps}"))
    }
}

/// `arguments` extended with `more`.
pub(crate) fn and(mut arguments: Value, more: Value) -> Value {
    let more = more.as_object().expect("arguments are an object").clone();
    arguments.as_object_mut().expect("arguments are an object").extend(more);
    arguments
}

/// The text after `**Name:**` in an answer.
pub(crate) fn field<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = answer.split_once(&format!("**{name}:**"))?;
    after.lines().next().map(str::trim)
}

/// The task ID in an answer.
pub(crate) fn task_id(answer: &ToolAnswer) -> String {
    let id = field(&answer.text, "Task ID").unwrap_or_else(|| panic!("no task ID in {}", answer.text));
    id.trim_matches('`').to_owned()
}

/// Starts a task, and returns its ID while it runs.
pub(crate) fn start(server: &mut McpServer, arguments: Value) -> String {
    let answer = server.call("codex_agent", and(arguments, json!({"async": true})), |_| {});
    assert!(!answer.is_error, "{}", answer.text);
    assert_eq!(field(&answer.text, "Status"), Some("running"), "{}", answer.text);
    task_id(&answer)
}

/// Waits until `codex_status` reports that a task has ended, and returns that answer.
pub(crate) fn wait_for_end(server: &mut McpServer, id: &str) -> String {
    eventually("the end of the task", ANSWER_TIMEOUT, || {
        let answer = server.call("codex_status", json!({"taskId": id}), |_| {});
        assert!(!answer.is_error, "{}", answer.text);
        (field(&answer.text, "Status") != Some("running")).then_some(answer.text)
    })
}

/// Waits until the task's log contains `words`.
pub(crate) fn wait_for_log(world: &World, id: &str, words: &str) {
    eventually(&format!("`{words}` in the log"), ANSWER_TIMEOUT, || world.log(id).contains(words).then_some(()));
}

/// The PID that a child of the fake agent wrote to its PID file.
pub(crate) fn pid_in(file: &Path) -> u32 {
    eventually("a PID file", ANSWER_TIMEOUT, || fs::read_to_string(file).ok()?.trim().parse().ok())
}
