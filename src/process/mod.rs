//! Processes: the only code that starts or signals agents and tools such as git.
//!
//! An agent is a tree of processes, not a single one. Codex runs each command in a separate session, so neither a
//! process group nor a session contains the whole tree. On Linux, the supervisor is a child subreaper: it adopts every
//! process that an agent leaves behind, so the [`ProcessTree`] below it contains everything the agent ever started.

mod agent;
mod browser;
mod identity;
mod init;
mod lines;
mod pager;
mod peer;
mod probe;
mod program;
mod proof;
mod session;
mod signals;
#[cfg(target_os = "linux")]
mod stat;
mod system;
mod tool;
mod tree;

use rustix::process::{Resource, Rlimit, Signal, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};

pub use agent::{AgentCommand, AgentProcess, RunningAgent, SpawnError, StdinKind, errno_of};
pub use browser::open_in_browser;
pub use identity::{boot_id, identity_of, is_alive};
pub use init::run_as_init;
#[cfg(feature = "fuzzing")]
pub(crate) use lines::LineLimits;
pub use lines::{LineChunk, LineReader, MAX_LINE_BYTES};
pub use pager::page;
pub use peer::user_of_peer;
pub use probe::{ProbeError, probe, run_within};
pub use program::{ProgramProblem, find_program};
pub use session::{claude_session, claude_window};
pub use signals::reset_signals;
pub use system::{ProcUnavailable, check_proc};
pub use tool::{Deadline, Tool, ToolEnd, ToolError, kill_abandoned_tools, run_tool};
pub use tree::{
    Cgroup, Member, NUDGE, ProcessTree, has_processes, kill_agent, kill_left_behind, kill_supervisor, left_behind,
    not_ended, nudge, parent_cgroup, sweep_cgroups,
};

/// Makes writes beyond the user's file size limit fail, instead of ending this process with SIGXFSZ. Does not affect
/// children. Must be called inside a runtime.
pub fn heed_file_limit() {
    // The handler remains after its stream is dropped, and children do not inherit it.
    let _ = signal(SignalKind::from_raw(Signal::XFSZ.as_raw()));
}

/// Raises the limit on open files to `wanted`, as far as this user may, and returns the new limit.
///
/// Children inherit the limit. Do not raise it further than needed, because some programs close every descriptor up to
/// the limit when they start.
pub fn raise_open_files(wanted: u64) -> u64 {
    let limit = getrlimit(Resource::Nofile);
    let Some(current) = limit.current.filter(|current| *current < wanted) else { return wanted };
    let raised = limit.maximum.map_or(wanted, |maximum| wanted.min(maximum));
    match setrlimit(Resource::Nofile, Rlimit { current: Some(raised), ..limit }) {
        Ok(()) => raised,
        Err(_) => current,
    }
}

/// The environment variable that marks every agent and its children. Its value is the IDs of the tasks that they work
/// for, outermost first, separated by commas. With it, a later server finds processes that a killed supervisor left
/// behind.
pub const TASK_MARKER: &str = "CONNECTOR_TASK_IDS";
