//! A sleeping child process: this program in another role, so no shell is needed.
//!
//! Its description says how it hides. A child that forks is the first member of a [`swarm`].

use std::{
    fs,
    path::Path,
    process::{Command, ExitCode, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Signal, getpid, kill_process, setpgid, setsid};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};

use super::{
    FakeAgentError,
    interrupt::{self, Children},
    swarm::{self, Swarm},
};

/// The first argument of the role; the second is the child's description.
pub(crate) const ROLE: &str = "__sleeping-child";

/// Maximum lifetime, so that no child outlives its test for long.
const MAX_SECONDS: f64 = 600.0;
/// Time limit for a child to become ready.
const READY_DEADLINE: Duration = Duration::from_secs(10);

/// Starts the child that `spec` describes. If it has a `pid_file`, waits until the child has written it.
pub(crate) fn start(spec: &Value, children: &Children) -> Result<(), FakeAgentError> {
    let mut child = role(spec)?.spawn()?;
    if is_set(spec, "double_fork") {
        child.wait()?;
    } else if !is_set(spec, "setsid") {
        children.add(child);
    }
    match spec["pid_file"].as_str() {
        Some(file) => wait_for(Path::new(file)),
        None => Ok(()),
    }
}

/// Runs this program in the role of the child.
pub(crate) fn run_role(spec: &str) -> Result<ExitCode, FakeAgentError> {
    let mut spec: Value = serde_json::from_str(spec).map_err(|problem| FakeAgentError::Script(problem.to_string()))?;
    if is_set(&spec, "setsid") {
        setsid()?;
        spec["setsid"] = json!(false);
        spec["has_session"] = json!(true);
    }
    if is_set(&spec, "double_fork") {
        spec["double_fork"] = json!(false);
        // No process waits for this one; that is the purpose of a double fork.
        role(&spec)?.spawn()?;
        return Ok(ExitCode::SUCCESS);
    }
    if is_set(&spec, "own_group") {
        setpgid(None, None)?;
    }
    if is_set(&spec, "ignore_term") {
        interrupt::ignore(SIGTERM)?;
    }
    if is_set(&spec, "ignore_int") {
        interrupt::ignore(SIGINT)?;
    }
    if let Some(file) = spec["pid_file"].as_str() {
        let unfinished = format!("{file}.unfinished");
        fs::write(&unfinished, std::process::id().to_string())?;
        fs::rename(&unfinished, file)?;
    }
    if is_set(&spec, "stopped") {
        kill_process(getpid(), Signal::STOP)?;
    }
    let lifetime = Duration::from_secs_f64(spec["seconds"].as_f64().unwrap_or(60.0).clamp(0.0, MAX_SECONDS));
    let _members = swarm_of(&spec, lifetime)?.map_or_else(|| Ok(Vec::new()), |swarm| swarm.begin())?;
    if !is_set(&spec, "fork_chain") {
        thread::sleep(lifetime);
    }
    Ok(ExitCode::SUCCESS)
}

/// The swarm that begins with this child, if any.
fn swarm_of(spec: &Value, lifetime: Duration) -> Result<Option<Swarm>, FakeAgentError> {
    let kind = match (is_set(spec, "fork_chain"), is_set(spec, "fork_storm")) {
        (false, false) => return Ok(None),
        (true, false) => swarm::SwarmShape::Chain,
        (false, true) => swarm::SwarmShape::Storm,
        (true, true) => return Err(FakeAgentError::Script("a child forks a chain or a storm, not both".to_owned())),
    };
    let Some(mark) = spec["mark"].as_str() else {
        return Err(FakeAgentError::Script(
            "a child that forks needs a `mark`, so that its members can be found".to_owned(),
        ));
    };
    let hiding = swarm::Hiding {
        setsid: is_set(spec, "has_session"),
        ignore_term: is_set(spec, "ignore_term"),
        ignore_int: is_set(spec, "ignore_int"),
    };
    Ok(Some(Swarm::new(kind, hiding, mark, lifetime, spec["count"].as_u64())))
}

fn role(spec: &Value) -> Result<Command, FakeAgentError> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg(ROLE).arg(spec.to_string()).stdin(Stdio::null());
    if !is_set(spec, "hold_pipe") {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    if is_set(spec, "clear_env") {
        command.env_clear();
    }
    Ok(command)
}

fn wait_for(file: &Path) -> Result<(), FakeAgentError> {
    let end = Instant::now() + READY_DEADLINE;
    while !file.exists() {
        if Instant::now() > end {
            return Err(FakeAgentError::Script(format!("the child did not write {}", file.display())));
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn is_set(spec: &Value, key: &str) -> bool {
    spec[key] == true
}
