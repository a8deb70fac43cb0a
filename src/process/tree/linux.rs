//! On Linux, the supervisor is a child subreaper, and the tree consists of its descendants, found in `/proc`.

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
    // On kernels without subreapers (before 3.4), init adopts orphans, so they are not found.
    let _ = set_child_subreaper(pid(std::process::id()));
}

/// Number of scans of all processes, because a scan can miss a process that forks and exits quickly.
const MAX_SCANS: usize = 4;

pub(super) fn survivors(agent: u32) -> Vec<Member> {
    let ourselves = std::process::id();
    for _ in 0..MAX_SCANS {
        if is_alone(agent) {
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
    // The kernel reports a child, but no scan finds it.
    if is_alone(agent) { Vec::new() } else { vec![Member { pid: 0, start_time: 0, name: "runaway".to_owned() }] }
}

/// How long to chase fast forkers in one call.
const CHASE_TIMEOUT: Duration = Duration::from_millis(30);
/// How many PIDs before the newest one are checked.
const CHASE_PID_RANGE: u32 = 8;
/// Number of rounds in a row without a catch before the chase ends.
const MAX_FAILED_CHASES: usize = 40;
/// The same for agents that have just started, which rarely fork that fast.
const MAX_FAILED_SWEEPS: usize = 8;

/// Kills processes that end before a scan of all processes reaches them.
pub(super) fn kill_fast_forkers(agent: u32) {
    catch_fast_forkers(agent, MAX_FAILED_CHASES, |member| {
        signal(member, Signal::KILL);
        reap(member.pid);
        true
    });
}

/// Moves such processes into a cgroup. `move_in` returns whether the process was outside and has been moved.
pub(super) fn catch_unmoved(agent: u32, move_in: impl FnMut(&Member) -> bool) {
    catch_fast_forkers(agent, MAX_FAILED_SWEEPS, move_in);
}

/// Catches processes that each start a successor and exit. A full scan is too slow for them, but the kernel reports the
/// newest PID, and checking a few PIDs takes less time than starting a process. Gives up after `max_failed_rounds`
/// rounds in a row in which `catch` returned `false`.
fn catch_fast_forkers(agent: u32, max_failed_rounds: usize, mut catch: impl FnMut(&Member) -> bool) {
    let until = Instant::now() + CHASE_TIMEOUT;
    let mut failed_rounds = 0;
    while !is_alone(agent) && Instant::now() < until && failed_rounds < max_failed_rounds {
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

/// The PID that the kernel assigned last, to a process or to a thread.
fn newest_pid() -> Option<u32> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().last()?.parse().ok()
}

fn is_below_us(pid: u32) -> bool {
    const MAX_DEPTH: usize = 16;
    let ourselves = std::process::id();
    let parents = std::iter::successors(stat(pid), |child| stat(child.parent));
    parents.take(MAX_DEPTH).any(|process| process.parent == ourselves)
}

/// The live processes with these PIDs, except for this process.
pub(super) fn members(pids: Vec<u32>) -> Vec<Member> {
    let ourselves = std::process::id();
    let known = pids.into_iter().filter(|pid| *pid != ourselves).filter_map(|pid| Some((pid, stat(pid)?)));
    let alive = known.filter(|(_, stat)| !stat.is_zombie);
    alive.map(|(pid, stat)| Member { pid, start_time: stat.start_time, name: stat.name }).collect()
}

pub(super) fn sweep_cgroups() {
    super::cgroup::sweep();
}

/// A snapshot of all processes of the machine.
struct ProcessTable(HashMap<u32, ProcessStat>);

impl ProcessTable {
    fn now() -> Self {
        Self(all_pids().filter_map(|pid| Some((pid, stat(pid)?))).collect())
    }

    /// The live processes with an ancestor that `is_root` accepts, ordered by PID.
    fn alive_below(&self, is_root: impl Fn(u32) -> bool) -> Vec<Member> {
        let is_below = |pid: &u32| {
            let mut pid = *pid;
            // A chain of parents is never longer than the number of processes. The limit is needed because the snapshot
            // is not atomic, so it can contain a cycle.
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

/// Whether this process has no descendants: every orphan below it would be its child. Most agents leave nothing behind,
/// and one system call is much faster than a scan of all processes.
fn is_childless() -> bool {
    let polling_only = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, polling_only), Err(rustix::io::Errno::CHILD))
}

/// Whether no process below this one is alive. The agent may have ended without having been waited for; that happens
/// while it is being moved into its cgroup.
fn is_alone(agent: u32) -> bool {
    is_childless() || is_only_child_and_ended(agent)
}

/// Whether the agent is our only child, and has ended. If the kernel does not report a process's children
/// (`CONFIG_PROC_CHILDREN`), the answer is no.
fn is_only_child_and_ended(agent: u32) -> bool {
    // The orphans of a process become our children before it ends, and its entry keeps its place until it is waited
    // for. So if it has still not been waited for afterwards, the list was complete.
    let has_ended = || stat(agent).is_some_and(|agent| agent.is_zombie && agent.parent == std::process::id());
    has_ended() && children().is_some_and(|children| children == [agent]) && has_ended()
}

/// The children of all threads of this process.
fn children() -> Option<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir("/proc/self/task").ok()? {
        let listed = fs::read_to_string(thread.ok()?.path().join("children")).ok()?;
        children.extend(listed.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    Some(children)
}

/// Reaps an orphan. Waits for its PID only, because waiting for any child could take the agent's exit status.
fn reap(orphan: u32) {
    let _ = waitpid(pid(orphan), WaitOptions::NOHANG);
}

/// Signals exactly this process. The handle is opened before the start time is compared, so the PID cannot be reused in
/// between.
pub(super) fn signal(member: &Member, signal: Signal) {
    let Some(pid) = pid(member.pid) else { return };
    let handle = pidfd_open(pid, PidfdFlags::empty());
    if stat(member.pid).is_none_or(|stat| stat.start_time != member.start_time) {
        return;
    }
    let _ = match handle {
        Ok(handle) => pidfd_send_signal(handle, signal),
        // Kernels before 5.3 have no process handles.
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
    // This process may be a server that the task's agent started. It exits when its own stdin closes.
    left.retain(|member| member.pid != std::process::id());
    left
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use std::{env, process::Command};

    use super::*;

    /// A variable that is set in the child process of the test below.
    const IS_CHILD: &str = "ENDED_AGENT_TEST";

    #[test]
    fn an_ended_agent_that_was_not_waited_for_does_not_lead_to_a_scan() {
        const NAME: &str =
            "process::tree::linux::tests::an_ended_agent_that_was_not_waited_for_does_not_lead_to_a_scan";
        if env::var_os(IS_CHILD).is_none() {
            // Again in a separate process, because other tests have children too.
            let mut test = Command::new(env::current_exe().expect("the test's own path is known"));
            test.args(["--exact", NAME, "--quiet"]).env(IS_CHILD, "1");
            assert!(test.status().expect("the test can be run again").success());
            return;
        }
        if children().is_none() {
            // This kernel does not list children.
            return;
        }
        let mut agent = Command::new("true").spawn().expect("`true` is installed");
        let ended = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(pid(agent.id()).expect("a PID")), ended).expect("it is our child");
        assert!(!is_childless());
        assert!(is_alone(agent.id()));
        let mut other = Command::new("sleep").arg("60").spawn().expect("`sleep` is installed");
        assert!(!is_alone(agent.id()));
        let found: Vec<u32> = survivors(agent.id()).iter().map(|member| member.pid).collect();
        other.kill().and_then(|()| other.wait()).expect("it is our child");
        assert_eq!(found, [other.id()]);
        agent.wait().expect("it is our child");
        assert!(is_alone(agent.id()));
    }
}
