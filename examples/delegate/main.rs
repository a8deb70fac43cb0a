//! Shows a task that Claude Code delegates, from the start of the server to the diff that Codex leaves.
//!
//!     cargo run --release --example delegate                               Codex from npm, a scripted model
//!     cargo run --release --example delegate -- --live                     your Codex, your account, a real model
//!     cargo run --release --example delegate -- --live --task "Add a test"
//!
//! It needs Rust, git, and Node.js with npm. Codex itself is real in both cases; without `--live`, only its model is
//! scripted.
//!
//! This one program plays three parts. Started by you, it plays Claude Code and starts itself again as the MCP server,
//! which starts it a third time as the task's supervisor. In the last two parts, it runs the actual program,
//! `src/main.rs`.

mod claude;
#[path = "../../src/main.rs"]
mod program;
mod scene;
mod show;

use std::{
    env, fs, panic,
    path::Path,
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use connector_testing::{GitProject, ToolAnswer, codex::InstallProblem};
use serde_json::json;

use claude::ClaudeClient;
use scene::Scene;
use show::{say, show};

/// Time limit for Codex to complete the task.
const TIME_LIMIT: Duration = Duration::from_secs(600);

/// Shows codex-connector at work, end to end.
#[derive(Debug, Parser)]
struct DelegateOptions {
    /// Use your own Codex and login: a real model works on the task (uses your account's quota)
    #[arg(long)]
    live: bool,
    /// Task for a live Codex in the example's small repository, instead of the example's own task
    #[arg(long, requires = "live", value_name = "TEXT")]
    task: Option<String>,
}

/// The reason for exit code 1.
#[derive(Debug, thiserror::Error)]
enum DelegateError {
    #[error("cannot run `{program}`: {source}\nnext: {next}")]
    Missing { program: &'static str, next: &'static str, source: std::io::Error },
    #[error(transparent)]
    NotInstalled(#[from] InstallProblem),
    #[error("cannot create a temporary directory: {0}")]
    NoDirectory(std::io::Error),
    #[error("{0}")]
    NotAsExpected(&'static str),
}

fn main() -> ExitCode {
    // The server's first argument is --data-dir, and a supervisor's first argument is its role.
    if env::args().nth(1).is_some_and(|first| first == "--data-dir" || first == "supervise") {
        return program::main();
    }
    let options = DelegateOptions::parse();
    // The test support panics with a message if something fails. Everything is removed before the panic reaches this
    // line.
    match panic::catch_unwind(|| delegate(&options)) {
        Ok(Ok(())) => return ExitCode::SUCCESS,
        Ok(Err(failure)) => say(format_args!("\nThe example failed: {failure}")),
        Err(_) => say("\nThe example failed: see the message above."),
    }
    ExitCode::FAILURE
}

/// Runs the whole example. Everything that it creates is removed at the end, even after a failure.
fn delegate(options: &DelegateOptions) -> Result<(), DelegateError> {
    scene::must_run("git", "install git and put it on PATH")?;
    let scene = if options.live { Scene::live()? } else { Scene::scripted()? };

    say("\n3. A small git repository to work in");
    let project = scene::project();
    show(format_args!("{}\n{}: {}", project.path().display(), scene::FILE, scene::BEFORE));

    say("\n4. The server, started as Claude Code starts it, with its own data directory");
    let data = tempfile::Builder::new().prefix("connector-data-").tempdir().map_err(DelegateError::NoDirectory)?;
    let mut claude = ClaudeClient::start(&scene, project.path(), data.path());
    let server = claude.server.initialize();
    let tools = claude.server.request("tools/list", json!({}));
    show(claude::names(&server, &tools));

    say("\n5. Claude calls codex_agent, and receives progress messages");
    let task = options.task.as_deref().unwrap_or(scene::TASK);
    let sandbox = scene.sandbox();
    show(format_args!("task: {task}\nsandbox: {sandbox}"));
    let limit = u64::try_from(TIME_LIMIT.as_millis()).expect("ten minutes fit");
    let call = json!({"task": task, "workingDirectory": project.path(), "sandbox": sandbox, "timeoutMs": limit});
    let started = Instant::now();
    let answer = claude.server.call("codex_agent", call, |progress| {
        show(format_args!("{:>5.1}s  {progress}", started.elapsed().as_secs_f32()));
    });

    say("\n6. The answer that Claude gets");
    show(answer.error.as_ref().map_or_else(|| answer.text.clone(), ToString::to_string));
    let id = task_id(&answer).ok_or(DelegateError::NotAsExpected("the call was refused; the answer above says why"))?;

    say("\n7. The changes that Codex made");
    show(project.diff());

    say("\n8. The task's files in the data directory");
    show(show::files_below(data.path()));

    say("\n9. Claude Code exits, and leaves no process behind");
    claude.exit();
    show("no server, supervisor or agent is running");

    check(options, &answer, &project, &data.path().join(format!("logs/{id}.result")))?;
    say("\nEverything worked, and all temporary files have been removed.");
    Ok(())
}

/// The task's ID in an answer. If there is none, the call was refused.
fn task_id(answer: &ToolAnswer) -> Option<&str> {
    answer.text.split_once("**Task ID:** ")?.1.split_whitespace().next()
}

/// Compares the outcome with the expectation. A real model's answer and changes are up to the model.
fn check(
    options: &DelegateOptions,
    answer: &ToolAnswer,
    project: &GitProject,
    result: &Path,
) -> Result<(), DelegateError> {
    let text = project.read(scene::FILE);
    let result = fs::read_to_string(result).unwrap_or_default();
    let problem = if answer.is_error || !answer.text.contains("completed successfully") {
        "Codex did not complete its task; the answer above says why"
    } else if !options.live && !answer.text.contains(scene::FINAL_ANSWER) {
        "the answer does not contain the model's answer"
    } else if !options.live && result.trim_end() != scene::FINAL_ANSWER {
        "the result file does not contain the model's answer"
    } else if !options.live && text.as_deref() != Some(scene::AFTER) {
        "greet.sh does not have the content that the model wrote"
    } else if options.task.is_none() && text.as_deref() == Some(scene::BEFORE) {
        "greet.sh was not changed"
    } else {
        return Ok(());
    };
    Err(DelegateError::NotAsExpected(problem))
}
