//! One process of a tree.

use connector_api::Warning;
use rustix::process::Pid;

/// One process of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its PID.
    pub pid: u32,
    /// When it started, to detect a later process with the same PID.
    pub start_time: u64,
    /// Its name, for people.
    pub name: String,
}

/// Converts a PID for system calls.
pub(super) fn pid(raw: u32) -> Option<Pid> {
    i32::try_from(raw).ok().and_then(Pid::from_raw)
}

/// A warning about processes of an ended task that could not be stopped. `None` if there are none.
pub fn not_ended(members: &[Member]) -> Option<Warning> {
    let first = members.first()?;
    let more = members.len() - 1;
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    Some(Warning {
        message: format!("process {} ({}){more} could not be stopped and may still be running", first.pid, first.name),
        advice: Some("stop it yourself; it may belong to another user, or be waiting for a device".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_could_not_be_stopped_are_named_and_counted() {
        let sleep = Member { pid: 7, start_time: 1, name: "sleep".into() };
        let message = |members: &[Member]| not_ended(members).map(|warning| warning.message);
        assert_eq!(message(&[]), None);
        let one = "process 7 (sleep) could not be stopped and may still be running";
        assert_eq!(message(std::slice::from_ref(&sleep)).as_deref(), Some(one));
        assert_eq!(message(&[sleep.clone(), sleep]), Some(one.replace(") ", ") and 1 more ")));
    }
}
