//! Runs the program's own conformance kit, `check --deep NAME --whole`, with one of our agents.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde::Deserialize;

use crate::agents::TestAgent;

/// The kit's report.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KitReport {
    /// The version that the agent reported.
    pub version: String,
    /// The directory with the tasks' logs, kept if a promise was broken or the agent did not answer.
    pub kept: Option<PathBuf>,
    /// Everything that was tested, in order.
    pub findings: Vec<KitFinding>,
}

/// One thing that was tested.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct KitFinding {
    /// The name of the case, such as `cancel_command`.
    pub case: String,
    /// `yes`, `no`, `broken` or `unknown`.
    pub verdict: String,
    /// How the verdict was reached, or why it could not be.
    pub words: String,
}

/// Runs the kit of `program`, a codex-connector binary, with `agent`, in a new directory inside `scratch`. Do not use
/// the system's temporary directory: Codex's `workspace-write` leaves it writable, so that sandbox would be reported
/// as `unknown`.
///
/// # Panics
///
/// Panics if the kit prints no report, or its exit code does not match the report; the message contains its output.
pub fn run(program: &Path, agent: &TestAgent, scratch: &Path) -> KitReport {
    fs::create_dir_all(scratch).expect("cargo's directory is writable");
    let dir = tempfile::Builder::new().prefix("kit-").tempdir_in(scratch).expect("cargo's directory is writable");
    let config = dir.path().join("config.toml");
    fs::write(&config, format!("[backends.subject]\n{}", agent.settings)).expect("our own directory is writable");
    let mut command = Command::new(program);
    command.arg("--config").arg(&config).arg("--data-dir").arg(dir.path().join("data"));
    command.args(["check", "--deep", "subject", "--whole", "--json", "--keep"]).stdin(Stdio::null());
    let path: OsString = std::env::var_os("PATH").unwrap_or_default();
    command.env_clear().env("PATH", path).env("HOME", agent.home());
    command.envs(agent.variables.iter().map(|(name, value)| (name, value)));
    crate::signals::restore_for_children();
    let output = command.output().expect("the program is built");
    let report: KitReport = serde_json::from_slice(&output.stdout).unwrap_or_else(|problem| {
        let printed = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        panic!("{}: {problem}: {}", agent.title, printed.concat())
    });
    let has_logs = report.kept.as_ref().is_none_or(|kept| kept.join("data/logs").is_dir());
    assert!(has_logs, "{}: the directory that the report calls kept does not exist", agent.title);
    assert_eq!(output.status.success(), report.kept.is_none(), "{}: {} and {report:#?}", agent.title, output.status);
    report
}
