//! Processes: the only code that spawns or signals.
//!
//! An agent is a tree, not a process. Codex runs each command in a session of its own, so that neither a process group
//! nor a session holds all of it. On Linux the supervisor is a child subreaper: whatever an agent leaves behind
//! becomes its child, and the [`ProcessTree`] below it is everything the agent ever started.

mod agent;
mod identity;
mod init;
mod lines;
mod probe;
mod program;
mod proof;
mod signals;
#[cfg(target_os = "linux")]
mod stat;
mod system;
mod tree;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

pub use agent::{AgentCommand, AgentProcess, RunningAgent, SpawnError, StdinKind, errno_of};
pub use identity::{boot_id, identity_of, is_alive};
pub use init::run_as_init;
#[cfg(feature = "fuzzing")]
pub(crate) use lines::LineLimits;
pub use lines::{LineChunk, LineReader, MAX_LINE_BYTES};
pub use probe::{ProbeError, probe};
pub use program::{ProgramProblem, find_program};
pub use signals::reset_signals;
pub use system::{ProcUnavailable, check_proc};
pub use tree::{
    Cgroup, Member, NUDGE, ProcessTree, kill_agent, kill_left_behind, kill_supervisor, left_behind, not_ended, nudge,
    parent_cgroup, sweep_cgroups,
};

/// Makes a write beyond the user's limit of file sizes an error, where it would end this process. What this process starts
/// is not affected. Called inside a runtime.
pub fn heed_file_limit() {
    // The handler stays when its stream is dropped, and a child begins without it.
    let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
}

/// Raises the limit of open files to `wanted`, as far as this user may, and returns what it is then.
///
/// What this process starts has the same limit. It is not raised further than needed: some programs close every number up
/// to the limit before they begin.
pub fn raise_open_files(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else { return wanted };
    let raised = limit.maximum.map_or(wanted, |maximum| wanted.min(maximum));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => raised,
        Err(_) => current,
    }
}

/// The environment variable that every agent and its children carry: the ids of the tasks that they work for, outermost
/// first, separated by commas. By it a later server finds what a killed supervisor left behind.
pub const TASK_MARKER: &str = "CONNECTOR_TASK_IDS";
