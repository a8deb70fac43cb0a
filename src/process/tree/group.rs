//! On systems other than Linux, the tree is the agent's process group. A process that leaves the group is not found.
//!
//! Untested: nobody has run this on macOS.

use std::{
    convert::Infallible,
    path::{Path, PathBuf},
};

use rustix::process::{Signal, kill_process_group, test_kill_process_group};

use super::member::{Member, pid};
use crate::{
    process::{boot_id, identity, identity_of, proof},
    task::{ProcessIdentity, TaskId},
};

pub(super) fn adopt_orphans() {}

pub(super) fn survivors(agent: u32) -> Vec<Member> {
    let alive = pid(agent).is_some_and(|group| test_kill_process_group(group).is_ok());
    let start_time = identity_of(agent).map_or(0, |identity| identity.start_time);
    alive.then(|| Member { pid: agent, start_time, name: "process group".to_owned() }).into_iter().collect()
}

pub(super) fn signal(member: &Member, signal: Signal) {
    if let Some(group) = pid(member.pid) {
        let _ = kill_process_group(group, signal);
    }
}

/// A process group keeps the agent's PID as its ID, even after the agent has ended. It still belongs to the task if one
/// of its processes carries the task's marker.
pub(super) fn left_behind(id: &TaskId, agent: Option<&ProcessIdentity>) -> Vec<Member> {
    let agent = agent.filter(|agent| agent.boot_id == boot_id());
    let agent = agent.filter(|agent| processes_in(agent.pid).into_iter().any(|pid| proof::is_agent_of(pid, id)));
    agent.map(|agent| survivors(agent.pid)).unwrap_or_default()
}

fn processes_in(group: u32) -> Vec<u32> {
    let listed = identity::answer_of("ps", &["-ax", "-o", "pid=,pgid="]).unwrap_or_default();
    let pairs = listed.lines().filter_map(|line| {
        let mut words = line.split_whitespace().map(str::parse::<u32>);
        Some((words.next()?.ok()?, words.next()?.ok()?))
    });
    pairs.filter(|(_, theirs)| *theirs == group).map(|(pid, _)| pid).collect()
}

pub(super) fn kill_fast_forkers(_agent: u32) {}

pub(super) fn catch_unmoved(_agent: u32, _move_in: impl FnMut(&Member) -> bool) {}

pub(super) fn members(_pids: Vec<u32>) -> Vec<Member> {
    Vec::new()
}

pub(super) fn sweep_cgroups() {}

/// A cgroup. This type has no values, because this system has no cgroups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cgroup(Infallible);

impl Cgroup {
    /// Always returns `None`.
    pub fn make(_id: &TaskId) -> Option<Self> {
        None
    }

    /// Always returns `None`.
    pub fn of(_id: &TaskId, _dir: PathBuf) -> Option<Self> {
        None
    }

    /// Its directory.
    pub fn dir(&self) -> &Path {
        match self.0 {}
    }

    /// Removes it.
    pub fn remove(&self) {
        match self.0 {}
    }

    pub(super) fn add_agent(&self, _process: u32, _scan: impl Fn() -> Vec<u32>) {
        match self.0 {}
    }

    pub(super) fn add_process(&self, _process: u32) -> bool {
        match self.0 {}
    }

    pub(super) fn members(&self) -> Vec<u32> {
        match self.0 {}
    }

    pub(super) fn is_empty(&self) -> bool {
        match self.0 {}
    }

    pub(super) fn kill(&self) {
        match self.0 {}
    }
}

/// Always returns `None`.
pub fn parent_cgroup() -> Option<PathBuf> {
    None
}
