//! Inspects processes through `/proc` to find those that a program left behind. Linux only.

use std::fs;

/// Whether the process is running. A process that has ended but is not yet reaped is not running.
pub fn is_alive(pid: u32) -> bool {
    status(pid).is_some_and(|status| !matches!(status.state, 'Z' | 'X'))
}

/// The running processes whose environment variable `name` is `value`, or a list (separated by `:`, `,` or spaces) that
/// contains `value`.
///
/// Only the environment with which they were started is checked.
pub fn processes_with_env(name: &str, value: &str) -> Vec<u32> {
    let mut found = pids();
    found.retain(|pid| is_alive(*pid) && environment_has(*pid, name, value));
    found
}

/// The running children of `pid`, their children, and so on. Orphans that were adopted by a process outside this tree
/// are not included.
pub fn descendants(pid: u32) -> Vec<u32> {
    let parents: Vec<(u32, u32)> =
        pids().into_iter().filter_map(|pid| Some((pid, status(pid).filter(|_| is_alive(pid))?.parent))).collect();
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(parent) = found.get(next).copied() {
        found.extend(parents.iter().filter(|(_, its_parent)| *its_parent == parent).map(|(child, _)| *child));
        next += 1;
    }
    found.split_off(1)
}

/// The children of `pid` and of its [`descendants`] that have ended but were not reaped.
pub fn zombies(pid: u32) -> Vec<u32> {
    let mut parents = descendants(pid);
    parents.push(pid);
    let is_zombie = |status: Status| status.state == 'Z' && parents.contains(&status.parent);
    let mut found = pids();
    found.retain(|pid| status(*pid).is_some_and(is_zombie));
    found
}

struct Status {
    state: char,
    parent: u32,
}

/// Reads `/proc/PID/stat`: `pid (name) state ppid …`. The name may contain spaces and parentheses.
fn status(pid: u32) -> Option<Status> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    Some(Status { state, parent })
}

fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("/proc is mounted");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn environment_has(pid: u32, name: &str, value: &str) -> bool {
    // The process is gone, or it belongs to another user, so we did not start it.
    let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
    environment.split(|byte| *byte == 0).any(|variable| {
        let variable = String::from_utf8_lossy(variable);
        let its_value = variable.strip_prefix(name).and_then(|rest| rest.strip_prefix('='));
        its_value.is_some_and(|list| list.split([':', ',', ' ']).any(|entry| entry == value))
    })
}

#[cfg(test)]
mod tests {
    use std::{
        process::{Child, Command, Stdio},
        time::Duration,
    };

    use super::*;
    use crate::eventually;

    const SHORT_DEADLINE: Duration = Duration::from_secs(10);

    /// Starts `cat`. It exits when its stdin is closed, at the latest when the test process exits.
    fn start_cat(configure: impl FnOnce(&mut Command) -> &mut Command) -> Child {
        configure(Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null())).spawn().expect("cat is installed")
    }

    #[test]
    fn a_process_that_ended_is_not_alive_even_before_it_is_reaped() {
        let mut child = start_cat(|command| command);
        assert!(is_alive(child.id()));
        drop(child.stdin.take());
        eventually("the end of cat", SHORT_DEADLINE, || (!is_alive(child.id())).then_some(()));
        child.wait().expect("cat is our child");
    }

    #[test]
    fn a_process_is_found_by_one_entry_of_a_list_in_its_environment() {
        let mark = format!("mark-{}", std::process::id());
        let mut child = start_cat(|command| command.env("CONNECTOR_TESTING_MARKS", format!("other:{mark}")));
        eventually("cat with its environment", SHORT_DEADLINE, || {
            (processes_with_env("CONNECTOR_TESTING_MARKS", &mark) == [child.id()]).then_some(())
        });
        assert!(processes_with_env("CONNECTOR_TESTING_MARKS", "mark").is_empty());
        drop(child.stdin.take());
        child.wait().expect("cat is our child");
    }

    #[test]
    fn a_child_is_a_descendant() {
        let mut child = start_cat(|command| command);
        assert!(descendants(std::process::id()).contains(&child.id()));
        drop(child.stdin.take());
        child.wait().expect("cat is our child");
        assert!(!descendants(std::process::id()).contains(&child.id()));
    }
}
