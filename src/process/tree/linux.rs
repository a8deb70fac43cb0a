//! Linux: the tree is found in `/proc`, below a child subreaper.

use std::{collections::HashMap, fs};

use rustix::process::{
    PidfdFlags, Signal, WaitId, WaitIdOptions, WaitOptions, kill_process, pidfd_open, pidfd_send_signal,
    set_child_subreaper, waitid, waitpid,
};

use super::{Member, pid};
use crate::{process::TASK_MARKER, task::TaskId};

/// As much of `/proc/<pid>/stat` as matters here.
#[derive(Debug)]
pub(crate) struct Stat {
    pub(crate) start_time: u64,
    pub(crate) is_zombie: bool,
    parent: u32,
    name: String,
}

/// Reads `/proc/<pid>/stat`; `None` when there is no such process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself hold any character, `)` included.
    let (before, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    Some(Stat {
        start_time: fields.get(19)?.parse().ok()?,
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        name: before.split_once('(')?.1.to_owned(),
    })
}

pub(super) fn adopt_orphans() {
    // On a kernel without subreapers (before 3.4) orphans go to init, and only the process group is stopped.
    let _ = set_child_subreaper(pid(std::process::id()));
}

pub(super) fn survivors(agent: u32) -> Vec<Member> {
    if is_childless() {
        return Vec::new();
    }
    let ourselves = std::process::id();
    let processes: HashMap<u32, Stat> = all_pids().filter_map(|pid| Some((pid, stat(pid)?))).collect();
    let is_below = |mut pid: u32| {
        // No chain of parents is longer than the number of processes; a cycle could come of reading while they change.
        for _ in 0..processes.len() {
            match processes.get(&pid) {
                Some(stat) if stat.parent == ourselves => return true,
                Some(stat) => pid = stat.parent,
                None => return false,
            }
        }
        false
    };
    let mut survivors = Vec::new();
    for (&pid, stat) in &processes {
        if stat.is_zombie {
            if stat.parent == ourselves && pid != agent {
                reap(pid);
            }
        } else if pid != ourselves && is_below(pid) {
            survivors.push(Member { pid, start_time: stat.start_time, name: stat.name.clone() });
        }
    }
    survivors.sort_by_key(|member| member.pid);
    survivors
}

/// Whether nothing at all is below this process: every orphan would be its child. Most agents leave nothing behind, and
/// one question to the kernel is answered sooner than one for each process of the machine.
fn is_childless() -> bool {
    let look_only = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    matches!(waitid(WaitId::All, look_only), Err(rustix::io::Errno::CHILD))
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

pub(super) fn marked(id: &TaskId) -> Vec<Member> {
    let carries_marker = |pid: &u32| {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| {
            environment.split(|byte| *byte == 0).any(|variable| {
                let value = variable.strip_prefix(TASK_MARKER.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
                value.is_some_and(|ids| ids.split(|byte| *byte == b',').any(|listed| listed == id.as_str().as_bytes()))
            })
        })
    };
    let member = |pid: u32| {
        let stat = stat(pid).filter(|stat| !stat.is_zombie)?;
        Some(Member { pid, start_time: stat.start_time, name: stat.name })
    };
    all_pids().filter(carries_marker).filter_map(member).collect()
}

fn all_pids() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}
