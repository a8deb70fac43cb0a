//! Distinguishes a process from a later one with the same PID.

#[cfg(target_os = "linux")]
use std::fs;
use std::sync::OnceLock;

use crate::task::ProcessIdentity;

/// The identity of an existing process, which may be a zombie. `None` if no process has this PID.
pub fn identity_of(pid: u32) -> Option<ProcessIdentity> {
    Some(ProcessIdentity { pid, start_time: start_time(pid)?, boot_id: boot_id().to_owned() })
}

/// Whether exactly this process is running.
pub fn is_alive(process: &ProcessIdentity) -> bool {
    process.boot_id == boot_id() && start_time(process.pid) == Some(process.start_time) && !is_zombie(process.pid)
}

/// The ID of the current boot. Empty if the operating system does not report one.
pub fn boot_id() -> &'static str {
    static BOOT_ID: OnceLock<String> = OnceLock::new();
    BOOT_ID.get_or_init(read_boot_id)
}

#[cfg(target_os = "linux")]
fn read_boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(target_os = "linux")]
fn start_time(pid: u32) -> Option<u64> {
    super::stat::stat(pid).map(|stat| stat.start_time)
}

#[cfg(target_os = "linux")]
fn is_zombie(pid: u32) -> bool {
    super::stat::stat(pid).is_none_or(|stat| stat.is_zombie)
}

// Untested, like everything below: nobody has run it on macOS.
/// On macOS, the ID of the boot session. On other systems, the boot time in seconds, without the readable date that
/// follows it. The boot time changes when the clock is set.
#[cfg(not(target_os = "linux"))]
fn read_boot_id() -> String {
    let second = || Some(answer_of("sysctl", &["-n", "kern.boottime"])?.split('}').next()?.to_owned());
    answer_of("sysctl", &["-n", "kern.bootsessionuuid"]).or_else(second).unwrap_or_default()
}

/// A hash of the start time that `ps` prints. It differs for a later process with the same PID.
#[cfg(not(target_os = "linux"))]
fn start_time(pid: u32) -> Option<u64> {
    let started = answer_of("ps", &["-o", "lstart=", "-p", &pid.to_string()])?;
    let fold = |number: u64, byte: &u8| number.wrapping_mul(1_099_511_628_211) ^ u64::from(*byte);
    Some(started.as_bytes().iter().fold(14_695_981_039_346_656_037, fold))
}

#[cfg(not(target_os = "linux"))]
fn is_zombie(pid: u32) -> bool {
    answer_of("ps", &["-o", "state=", "-p", &pid.to_string()]).is_none_or(|state| state.starts_with('Z'))
}

/// The output of a system program, always in the same language and time zone so that it can be compared.
#[cfg(not(target_os = "linux"))]
pub(super) fn answer_of(program: &str, args: &[&str]) -> Option<String> {
    let mut command = std::process::Command::new(program);
    let output = command.args(args).env("LC_ALL", "C").env("TZ", "UTC").output().ok()?;
    let answer = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !answer.is_empty()).then_some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_with_its_pid_is_not() {
        let ourselves = identity_of(std::process::id()).expect("this process exists");
        assert!(is_alive(&ourselves));
        assert!(!is_alive(&ProcessIdentity { start_time: ourselves.start_time + 1, ..ourselves.clone() }));
        assert!(!is_alive(&ProcessIdentity { boot_id: "another boot".into(), ..ourselves }));
    }
}
