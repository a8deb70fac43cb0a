//! The home of one round: a data directory, its servers, and marks by which all started processes are found.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::{Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use connector_testing::McpServer;
use serde_json::{Value, json};

use super::{
    plan::Plan,
    process_scan::{self, ProcessSnapshot},
};

/// Long enough for any expected event on a busy machine.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often files are checked.
pub(crate) const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// The settings with which the servers of a world are started.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    /// The program of the `codex` backend.
    pub(crate) codex: PathBuf,
    /// Additional settings in the form of `--set`.
    pub(crate) settings: Vec<String>,
    /// Additional environment variables.
    pub(crate) variables: Vec<(String, String)>,
    /// The agents' working directory.
    pub(crate) project: PathBuf,
}

/// A separate home. Every process started in it has its path in the environment or the arguments.
#[derive(Debug)]
pub(crate) struct World {
    dir: PathBuf,
    setup: Setup,
}

impl World {
    /// Creates the home `dir`.
    pub(crate) fn new(dir: PathBuf, setup: Setup) -> World {
        for part in ["home", "marks"] {
            fs::create_dir_all(dir.join(part)).expect("the temporary directory is writable");
        }
        World { dir, setup }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.dir.join("data")
    }

    pub(crate) fn marks(&self) -> PathBuf {
        self.dir.join("marks")
    }

    /// Text in the arguments of every hiding child of task `number`.
    pub(crate) fn mark(&self, number: usize) -> String {
        format!("{}/t{number}.", self.marks().display())
    }

    /// This program as codex-connector, in this world, with a minimal environment.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(this_program());
        command.arg("--data-dir").arg(self.data()).args(args);
        command.args(["--set".to_owned(), format!("backends.codex.program={}", self.setup.codex.display())]);
        for setting in &self.setup.settings {
            command.args(["--set", setting]);
        }
        command.current_dir(&self.setup.project).env_clear().env("HOME", self.dir.join("home"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.envs(self.setup.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// A server that is ready for calls.
    pub(crate) fn server(&self) -> McpServer {
        self.server_with(&[])
    }

    /// A server with additional arguments.
    pub(crate) fn server_with(&self, args: &[&str]) -> McpServer {
        let mut server = {
            let is_over = IS_OVER.lock().unwrap_or_else(PoisonError::into_inner);
            if *is_over {
                // This thread keeps the lock, so that all other threads wait too.
                loop {
                    thread::park();
                }
            }
            McpServer::spawn(self.command(args))
        };
        server.initialize();
        server
    }

    /// The arguments of a `codex_agent` call that starts this plan.
    pub(crate) fn arguments(&self, plan: &Plan) -> Value {
        let mut arguments = json!({"task": plan.prompt(), "workingDirectory": self.setup.project, "async": true});
        if let Some(limit) = plan.timeout {
            arguments["timeoutMs"] = json!(u64::try_from(limit.as_millis()).unwrap_or(u64::MAX));
        }
        arguments
    }

    pub(crate) fn log(&self, id: &str) -> String {
        let log = fs::read(self.data().join("logs").join(format!("{id}.log")));
        String::from_utf8_lossy(&log.unwrap_or_default()).into_owned()
    }

    /// The task's record, if there is one. A record is replaced in one step, so an incomplete one is a violation.
    pub(crate) fn record(&self, id: &str) -> Option<Result<Value, String>> {
        let content = fs::read(self.data().join("logs").join(format!("{id}.debug.json"))).ok()?;
        Some(serde_json::from_slice(&content).map_err(|problem| format!("the record of {id} is not JSON: {problem}")))
    }

    /// The IDs of the tasks that have a record.
    pub(crate) fn recorded(&self) -> Vec<String> {
        names_in(&self.data().join("logs"))
            .iter()
            .filter_map(|name| Some(name.strip_suffix(".debug.json")?.into()))
            .collect()
    }

    /// The IDs of the tasks that have a run directory.
    pub(crate) fn running(&self) -> Vec<String> {
        names_in(&self.data().join("run"))
    }

    /// Every process that runs in this world, including servers.
    pub(crate) fn processes(&self) -> Vec<ProcessSnapshot> {
        let path = format!("{}/", self.dir.display());
        process_scan::live_processes().into_iter().filter(|seen| seen.mentions(&path)).collect()
    }

    /// The supervisors that run in this world, with the IDs of their tasks.
    pub(crate) fn supervisors(&self) -> Vec<(String, ProcessSnapshot)> {
        let supervisors = self.processes().into_iter().filter_map(|seen| {
            let id = seen.args.split(' ').skip_while(|word| *word != "supervise").nth(1)?.to_owned();
            Some((id, seen))
        });
        let mut supervisors: Vec<_> = supervisors.collect();
        // A process that a supervisor has forked has its arguments until it executes another program.
        let pids: BTreeSet<u32> = supervisors.iter().map(|(_, seen)| seen.process.pid).collect();
        supervisors.retain(|(_, seen)| !pids.contains(&seen.parent));
        supervisors
    }
}

/// Whether this program is about to exit. Locked while a server is started.
static IS_OVER: Mutex<bool> = Mutex::new(false);

/// Blocks every thread that tries to start a server from now on, because this program is about to exit.
pub(crate) fn stop_starting_tasks() {
    *IS_OVER.lock().unwrap_or_else(PoisonError::into_inner) = true;
}

/// The names of the files in a directory; empty if it does not exist.
pub(crate) fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// The path of this program, which plays every part.
pub(crate) fn this_program() -> PathBuf {
    std::env::current_exe().expect("a running program has a path")
}

/// Calls `find` repeatedly until it returns a value; `None` if it returned none within `timeout`.
pub(crate) fn within<T>(timeout: Duration, mut find: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + timeout;
    loop {
        let is_over = Instant::now() >= deadline;
        let found = find();
        if found.is_some() || is_over {
            return found;
        }
        thread::sleep(POLL_INTERVAL);
    }
}
