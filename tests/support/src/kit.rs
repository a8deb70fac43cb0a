//! The program's own conformance kit, `check --deep NAME --whole`, run for an agent of ours.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::agents::TestAgent;

/// What the kit found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KitReport {
    /// The version that the agent gave.
    pub version: String,
    /// Where the logs of the tasks are, where a promise was broken or there was no answer.
    pub kept: Option<PathBuf>,
    /// Everything that was tried, in order.
    pub findings: Vec<KitFinding>,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KitFinding {
    /// What, such as `cancel_command`.
    pub case: String,
    /// `yes`, `no`, `broken` or `unknown`.
    pub verdict: String,
    /// How that was seen, or why not.
    pub words: String,
}

/// Runs the kit of `program`, a codex-connector, over `agent`, in a directory of its own in `scratch`. In the system's temporary
/// directory, which Codex's `workspace-write` leaves open, that sandbox is found `unknown`.
///
/// # Panics
///
/// When the kit gives no report, or ends with an exit code that does not fit it; the message has what it printed.
pub fn run(program: &Path, agent: &TestAgent, scratch: &Path) -> KitReport {
    fs::create_dir_all(scratch).expect("cargo's directory is writable");
    let dir = tempfile::Builder::new().prefix("kit-").tempdir_in(scratch).expect("cargo's directory is writable");
    let config = dir.path().join("config.toml");
    fs::write(&config, format!("[backends.subject]\n{}", agent.settings)).expect("a directory of our own");
    let mut command = Command::new(program);
    command.arg("--config").arg(&config).arg("--data-dir").arg(dir.path().join("data"));
    command.args(["check", "--deep", "subject", "--whole", "--json"]).stdin(Stdio::null());
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", agent.home());
    command.envs(agent.variables.iter().map(|(name, value)| (name, value)));
    crate::signals::restore_for_children();
    let output = command.output().expect("the program is built");
    let report: KitReport = serde_json::from_slice(&output.stdout).unwrap_or_else(|problem| {
        let told = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        panic!("{}: {problem}: {}", agent.title, told.concat())
    });
    let has_logs = report.kept.as_ref().is_none_or(|kept| kept.join("data/logs").is_dir());
    assert!(has_logs, "{}: what it says is kept is not there", agent.title);
    assert_eq!(output.status.success(), report.kept.is_none(), "{}: {} and {report:#?}", agent.title, output.status);
    report
}
