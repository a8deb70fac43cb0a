//! The process tree of an agent: finding everything that it started, and stopping it.
//!
//! On Linux, processes are found in three ways:
//!
//! - While the supervisor lives, everything is below it: as a child subreaper, it adopts orphans.
//! - The task's cgroup, if one could be created, contains everything that has not moved to another cgroup, even after the
//!   supervisor's death.
//! - The [marker](super::TASK_MARKER) identifies processes that kept their environment, after the supervisor's death.
//!
//! On other systems, only the agent's process group is known, and a process that leaves it is lost.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use super::{is_alive, proof};
use crate::task::{ProcessIdentity, TaskId};

#[cfg(target_os = "linux")]
mod cgroup;
#[cfg(not(target_os = "linux"))]
mod group;
#[cfg(target_os = "linux")]
mod linux;
mod member;

use member::pid;
pub use member::{Member, not_ended};

#[cfg(not(target_os = "linux"))]
use group as platform;
#[cfg(target_os = "linux")]
use linux as platform;

#[cfg(not(target_os = "linux"))]
pub use group::{Cgroup, parent_cgroup};

#[cfg(target_os = "linux")]
pub use cgroup::{Cgroup, parent_cgroup};

/// The processes below this one and in the task's cgroup (Linux), or in the agent's process group (elsewhere).
///
/// Belongs in a supervisor: it serves one agent only, so all its descendants are that agent's.
#[derive(Debug, Clone)]
pub struct ProcessTree {
    agent: u32,
    group: Option<Cgroup>,
}

impl ProcessTree {
    /// Makes this process adopt every orphan below it. Must be called before the agent is started.
    pub fn adopt_orphans() {
        platform::adopt_orphans();
    }

    /// The tree whose first process is `agent`. Call [`move_into_cgroup`](Self::move_into_cgroup) next if there is a
    /// `group`.
    pub fn of(agent: u32, group: Option<Cgroup>) -> Self {
        Self { agent, group }
    }

    /// Moves the agent, and the processes that it has started meanwhile, into the cgroup. Takes about 10 ms.
    pub fn move_into_cgroup(&self) {
        if let Some(group) = &self.group {
            group.add_agent(self.agent, || platform::survivors(self.agent).iter().map(|member| member.pid).collect());
            platform::catch_unmoved(self.agent, |member| {
                !group.members().contains(&member.pid) && group.add_process(member.pid)
            });
        }
    }

    /// The live processes of the tree, without the agent's own process once it has been waited for. Reaps orphans that
    /// have ended.
    pub fn survivors(&self) -> Vec<Member> {
        let mut survivors = platform::survivors(self.agent);
        add_cgroup_members(&mut survivors, self.group.as_ref());
        survivors
    }

    /// Sends a signal to the agent's own process only.
    pub fn signal_agent(&self, signal: Signal) {
        if let Some(pid) = pid(self.agent) {
            let _ = rustix::process::kill_process(pid, signal);
        }
    }

    /// Sends SIGTERM to every process, and resumes stopped ones.
    pub fn terminate(&self) {
        for member in self.survivors() {
            platform::signal(&member, Signal::TERM);
            platform::signal(&member, Signal::CONT);
        }
    }

    /// Freezes all processes so that none can fork away, then sends SIGKILL to each.
    pub fn kill(&self) {
        if let Some(group) = &self.group {
            group.kill();
        }
        platform::kill_fast_forkers(self.agent);
        freeze_and_kill(|| self.survivors());
    }
}

/// The processes that remain of a task whose supervisor is gone: those in its cgroup, those with its marker in their
/// environment, and their descendants. On systems other than Linux, only the agent's process group.
///
/// A recorded agent counts only if it is one of these, because anyone who can write the record could name any process
/// in it. A process that left the cgroup, cleared its environment and lost its parents is not found.
pub fn left_behind(id: &TaskId, agent: Option<&ProcessIdentity>, group: Option<&Cgroup>) -> Vec<Member> {
    let mut left = platform::left_behind(id, agent);
    add_cgroup_members(&mut left, group);
    left
}

/// Whether a process with the marker of this task is running, such as one that its agent left behind.
pub fn has_processes(id: &TaskId) -> bool {
    !left_behind(id, None, None).is_empty()
}

/// How long to kill the remaining processes of a task.
const KILL_TIMEOUT: Duration = Duration::from_secs(10);
/// Number of scans in a row that must find nothing. One is not enough, because a process that is just starting has no
/// environment yet in which its marker could be found.
const EMPTY_SCANS_NEEDED: usize = 3;
const SCAN_INTERVAL: Duration = Duration::from_millis(10);

/// Kills the remaining processes of a task, and waits up to ten seconds for them to end. Returns the processes of the
/// first scan that found any.
pub fn kill_left_behind(id: &TaskId, agent: Option<&ProcessIdentity>, group: Option<&Cgroup>) -> Vec<Member> {
    let mut found = Vec::new();
    let mut empty = 0;
    let deadline = Instant::now() + KILL_TIMEOUT;
    while empty < EMPTY_SCANS_NEEDED && Instant::now() < deadline {
        let left = left_behind(id, agent, group);
        if left.is_empty() {
            empty += 1;
        } else {
            empty = 0;
            if let Some(group) = group {
                group.kill();
            }
            freeze_and_kill(|| left_behind(id, agent, group));
        }
        if found.is_empty() {
            found = left;
        }
        std::thread::sleep(SCAN_INTERVAL);
    }
    found
}

/// Removes cgroups of tasks that ended long ago.
pub fn sweep_cgroups() {
    platform::sweep_cgroups();
}

fn add_cgroup_members(members: &mut Vec<Member>, group: Option<&Cgroup>) {
    let Some(group) = group.filter(|group| !group.is_empty()) else { return };
    let known: HashSet<u32> = members.iter().map(|member| member.pid).collect();
    let more = group.members().into_iter().filter(|pid| !known.contains(pid)).collect();
    members.extend(platform::members(more));
}

/// Kills the recorded agent of a task, if it is alive and carries the task's marker.
pub fn kill_agent(id: &TaskId, process: &ProcessIdentity) {
    if proof::is_agent_of(process.pid, id) {
        signal_exactly(process, Signal::KILL);
    }
}

/// Kills the recorded supervisor of a task, if it is alive and really is the task's supervisor. Returns whether it was.
pub fn kill_supervisor(id: &TaskId, process: &ProcessIdentity) -> bool {
    let is_one = is_alive(process) && proof::is_supervisor_of(process.pid, id);
    if is_one {
        signal_exactly(process, Signal::KILL);
    }
    is_one
}

/// Makes the recorded supervisor of a task check its files now, and resumes it if it is stopped. A supervisor that has
/// no handler yet is not affected, because the signal ([`NUDGE`]) is ignored by default.
pub fn nudge(id: &TaskId, process: &ProcessIdentity) {
    if proof::is_supervisor_of(process.pid, id) {
        signal_exactly(process, Signal::WINCH);
        signal_exactly(process, Signal::CONT);
    }
}

/// The signal that [`nudge`] sends.
pub const NUDGE: i32 = Signal::WINCH.as_raw();

fn signal_exactly(process: &ProcessIdentity, signal: Signal) {
    if is_alive(process) {
        let member = Member { pid: process.pid, start_time: process.start_time, name: String::new() };
        platform::signal(&member, signal);
    }
}

/// Kills the process group of a child. The caller must make sure that the PID has not been reused.
pub(super) fn kill_leader_group(leader: u32) {
    if let Some(pid) = pid(leader) {
        let _ = rustix::process::kill_process_group(pid, Signal::KILL);
    }
}

/// Sends SIGSTOP until a scan finds no new process, then kills all.
fn freeze_and_kill(scan: impl Fn() -> Vec<Member>) {
    const MAX_ROUNDS: usize = 64;
    let mut frozen: Vec<Member> = Vec::new();
    for _ in 0..MAX_ROUNDS {
        let new: Vec<Member> = scan().into_iter().filter(|member| !frozen.contains(member)).collect();
        if new.is_empty() {
            break;
        }
        for member in &new {
            platform::signal(member, Signal::STOP);
        }
        frozen.extend(new);
    }
    for member in &frozen {
        platform::signal(member, Signal::KILL);
    }
}
