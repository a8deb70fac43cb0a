//! A child that sleeps: this program again, in another role, so that no shell has to be there.

use std::{
    env, fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::setsid;
use serde_json::{Value, json};
use signal_hook::consts::SIGTERM;

use crate::{
    Problem,
    interrupt::{self, Children},
};

/// The first argument of the role; the second is the child's description.
pub(crate) const ROLE: &str = "__sleeping-child";

/// No child outlives its test by more than this.
const MAX_SECONDS: f64 = 600.0;
/// How long a child may take to be ready.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// Starts the child that `spec` describes, and waits until it has written its `pid_file`, if it has one.
pub(crate) fn start(spec: &Value, children: &Children) -> Result<(), Problem> {
    let mut child = role(spec)?.spawn()?;
    if says(spec, "double_fork") {
        child.wait()?;
    } else if !says(spec, "setsid") {
        children.add(child);
    }
    match spec["pid_file"].as_str() {
        Some(file) => wait_for(Path::new(file)),
        None => Ok(()),
    }
}

/// What this program does in the role.
pub(crate) fn play_role(spec: &str) -> Result<ExitCode, Problem> {
    let mut spec: Value = serde_json::from_str(spec).map_err(|problem| Problem::Script(problem.to_string()))?;
    if says(&spec, "setsid") {
        setsid()?;
        spec["setsid"] = json!(false);
    }
    if says(&spec, "double_fork") {
        spec["double_fork"] = json!(false);
        // Nobody waits for it: that is what it is for.
        role(&spec)?.spawn()?;
        return Ok(ExitCode::SUCCESS);
    }
    if says(&spec, "ignore_term") {
        interrupt::ignore(SIGTERM)?;
    }
    if let Some(file) = spec["pid_file"].as_str() {
        let unfinished = format!("{file}.unfinished");
        fs::write(&unfinished, std::process::id().to_string())?;
        fs::rename(&unfinished, file)?;
    }
    let seconds = spec["seconds"].as_f64().unwrap_or(60.0).clamp(0.0, MAX_SECONDS);
    thread::sleep(Duration::from_secs_f64(seconds));
    Ok(ExitCode::SUCCESS)
}

fn role(spec: &Value) -> Result<Command, Problem> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(ROLE).arg(spec.to_string()).stdin(Stdio::null());
    if !says(spec, "hold_pipe") {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    if says(spec, "clear_env") {
        command.env_clear();
    }
    Ok(command)
}

fn wait_for(file: &Path) -> Result<(), Problem> {
    let end = Instant::now() + READY_DEADLINE;
    while !file.exists() {
        if Instant::now() > end {
            return Err(Problem::Script(format!("the child did not write {}", file.display())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn says(spec: &Value, key: &str) -> bool {
    spec[key] == true
}
