//! Elsewhere than on Linux: the tree is the agent's process group. What leaves the group is not found.

use rustix::process::{Signal, kill_process_group, test_kill_process_group};

use super::{Member, pid};
use crate::{
    process::{identity_of, is_alive},
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

pub(super) fn left_behind(_id: &TaskId, agent: Option<&ProcessIdentity>) -> Vec<Member> {
    agent.filter(|agent| is_alive(agent)).map(|agent| survivors(agent.pid)).unwrap_or_default()
}
