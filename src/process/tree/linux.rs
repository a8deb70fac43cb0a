//! Linux: the tree is found in `/proc`, below a child subreaper.

use std::{
    collections::{HashMap, HashSet},
    fs,
    time::{Duration, Instant},
};

use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, pidfd_send_signal,
    set_child_subreaper, waitid, waitpid,
};

use super::member::{Member, pid};
use crate::{
    process::{
        proof,
        stat::{ProcessStat, stat},
    },
    task::{ProcessIdentity, TaskId},
};

pub(super) fn adopt_orphans() {
    // On a kernel without subreapers (before 3.4) orphans go to init, and only the process group is stopped.
    let _ = set_child_subreaper(pid(std::process::id()));
}

/// How often the machine is looked over for a process that is always gone when its turn comes.
const MAX_SCANS: usize = 4;

pub(super) fn survivors(agent: u32) -> Vec<Member> {
    let ourselves = std::process::id();
    for _ in 0..MAX_SCANS {
        if is_childless() {
            return Vec::new();
        }
        let processes = ProcessTable::now();
        for (&pid, stat) in &processes.0 {
            if stat.is_zombie && stat.parent == ourselves && pid != agent {
                reap(pid);
            }
        }
        let alive = processes.alive_below(|parent| parent == ourselves);
        if !alive.is_empty() || processes.0.contains_key(&agent) {
            return alive;
        }
    }
    // Something is there whenever the kernel is asked, and never where we look.
    if is_childless() { Vec::new() } else { vec![Member { pid: 0, start_time: 0, name: "runaway".to_owned() }] }
}

/// How long a runaway is chased at a time, how far behind the newest process of the machine it is looked for, and how
/// often in vain.
const CHASE_TIMEOUT: Duration = Duration::from_millis(30);
const CHASE_PID_RANGE: u32 = 8;
const MAX_FAILED_CHASES: usize = 40;
/// The same where nearly always there is none.
const MAX_FAILED_SWEEPS: usize = 8;

/// Kills processes that are gone before a look at the whole machine reaches them.
pub(super) fn kill_fast_forkers(agent: u32) {
    catch_fast_forkers(agent, MAX_FAILED_CHASES, |member| {
        signal(member, Signal::KILL);
        reap(member.pid);
        true
    });
}

/// Finds such processes for a cgroup. `move_in` says whether one was outside.
pub(super) fn catch_unmoved(agent: u32, move_in: impl FnMut(&Member) -> bool) {
    catch_fast_forkers(agent, MAX_FAILED_SWEEPS, move_in);
}

/// Catches processes of which each starts a successor and ends. The kernel tells the newest pid, and one pid is looked at
/// sooner than a process is started. Gives up after so many looks at which `catch` had nothing to do.
fn catch_fast_forkers(agent: u32, max_failed_rounds: usize, mut catch: impl FnMut(&Member) -> bool) {
    let until = Instant::now() + CHASE_TIMEOUT;
    let mut failed_rounds = 0;
    while !is_childless() && Instant::now() < until && failed_rounds < max_failed_rounds {
        let Some(newest) = newest_pid() else { return };
        failed_rounds += 1;
        for candidate in newest.saturating_sub(CHASE_PID_RANGE)..=newest {
            if candidate == agent || !is_below_us(candidate) {
                continue;
            }
            let Some(found) = stat(candidate) else { continue };
            let is_alive = !found.is_zombie;
            let member = Member { pid: candidate, start_time: found.start_time, name: found.name };
            if catch(&member) && is_alive {
                failed_rounds = 0;
            }
        }
    }
}

/// The pid that was given last, to a process or to a thread.
fn newest_pid() -> Option<u32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().last()?.parse().ok()
}

fn is_below_us(pid: u32) -> bool {
    const MAX_DEPTH: usize = 16;
    let ourselves = std::process::id();
    let parents = std::iter::successors(stat(pid), |child| stat(child.parent));
    parents.take(MAX_DEPTH).any(|process| process.parent == ourselves)
}

/// What is known of these pids.
pub(super) fn members(pids: Vec<u32>) -> Vec<Member> {
    let ourselves = std::process::id();
    let known = pids.into_iter().filter(|pid| *pid != ourselves).filter_map(|pid| Some((pid, stat(pid)?)));
    let alive = known.filter(|(_, stat)| !stat.is_zombie);
    alive.map(|(pid, stat)| Member { pid, start_time: stat.start_time, name: stat.name }).collect()
}

pub(super) fn sweep_cgroups() {
    super::cgroup::sweep();
}

/// Every process of the machine, as it was a moment ago.
struct ProcessTable(HashMap<u32, ProcessStat>);

impl ProcessTable {
    fn now() -> Self {
        Self(all_pids().filter_map(|pid| Some((pid, stat(pid)?))).collect())
    }

    /// The processes, by pid, of whose parents, or their parents, one `is_root`.
    fn alive_below(&self, is_root: impl Fn(u32) -> bool) -> Vec<Member> {
        let is_below = |pid: &u32| {
            let mut pid = *pid;
            // No chain of parents is longer than the number of processes; a cycle could come of reading meanwhile.
            for _ in 0..self.0.len() {
                match self.0.get(&pid) {
                    Some(stat) if is_root(stat.parent) => return true,
                    Some(stat) => pid = stat.parent,
                    None => return false,
                }
            }
            false
        };
        let mut below: Vec<Member> =
            self.0.keys().filter(|pid| is_below(pid)).filter_map(|pid| self.alive(*pid)).collect();
        below.sort_by_key(|member| member.pid);
        below
    }

    fn alive(&self, pid: u32) -> Option<Member> {
        let stat = self.0.get(&pid).filter(|stat| !stat.is_zombie)?;
        Some(Member { pid, start_time: stat.start_time, name: stat.name.clone() })
    }
}

/// Whether nothing at all is below this process: every orphan would be its child. Most agents leave nothing behind, and
/// one question to the kernel is answered sooner than one for each process of the machine.
fn is_childless() -> bool {
    let polling_only = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, polling_only), Err(rustix::io::Errno::CHILD))
}

/// Takes the exit status of an orphan. By its pid: waiting for any child would steal the agent's.
fn reap(orphan: u32) {
    let _ = waitpid(pid(orphan), WaitOptions::NOHANG);
}

/// Signals exactly this process. A handle is taken before its start time is compared, so that the pid cannot pass to
/// another process in between.
pub(super) fn signal(member: &Member, signal: Signal) {
    let Some(pid) = pid(member.pid) else { return };
    let handle = pidfd_open(pid, PidfdFlags::empty());
    if stat(member.pid).is_none_or(|stat| stat.start_time != member.start_time) {
        return;
    }
    let _ = match handle {
        Ok(handle) => pidfd_send_signal(handle, signal),
        // Kernels before 5.3 have no such handles.
        Err(_) => kill_process(pid, signal),
    };
}

pub(super) fn left_behind(id: &TaskId, _agent: Option<&ProcessIdentity>) -> Vec<Member> {
    let processes = ProcessTable::now();
    let roots: HashSet<u32> = processes.0.keys().copied().filter(|pid| proof::is_agent_of(*pid, id)).collect();
    let mut left = processes.alive_below(|parent| roots.contains(&parent));
    left.extend(roots.iter().filter_map(|pid| processes.alive(*pid)));
    left.sort_by_key(|member| member.pid);
    left.dedup();
    // This process may itself work for the task: a server that an agent started. It goes with its own input.
    left.retain(|member| member.pid != std::process::id());
    left
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
