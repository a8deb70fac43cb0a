//! Reads `/proc/<pid>/stat` on Linux.

use std::{fs::File, io::Read};

/// The fields that are used here.
#[derive(Debug)]
pub(super) struct ProcessStat {
    pub(super) start_time: u64,
    pub(super) is_zombie: bool,
    /// The PID of its session leader. 0 if the leader is outside our PID namespace, for example in a container that was
    /// entered from outside. `rustix::process::getsid` cannot be used, because it does not expect 0.
    pub(super) session: u32,
    /// The PID of its parent. 0 if the parent is outside our PID namespace.
    pub(super) parent: u32,
    pub(super) name: String,
}

/// Upper bound on the length of the file, in bytes: 52 fields of at most 20 digits each.
const MAX_BYTES: usize = 2048;

/// Reads `/proc/<pid>/stat`. Returns `None` if there is no such process.
pub(super) fn stat(pid: u32) -> Option<ProcessStat> {
    // The kernel returns the whole file in one read. `fs::read` would need five, and every process of the machine is read here.
    let mut content = [0; MAX_BYTES];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut content).ok()?;
    // The kernel cuts names to 15 bytes, even in the middle of a character.
    parse(&String::from_utf8_lossy(&content[..length]))
}

fn parse(stat: &str) -> Option<ProcessStat> {
    // The name is in parentheses and may contain any character, including `)`.
    let (before, after) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = after.split_ascii_whitespace().collect();
    // If only the main thread of a process has ended, the process looks like a zombie although other threads still run.
    let threads: u32 = fields.get(17)?.parse().ok()?;
    Some(ProcessStat {
        start_time: fields.get(19)?.parse().ok()?,
        is_zombie: matches!(*fields.first()?, "Z" | "X") && threads <= 1,
        parent: fields.get(1)?.parse().ok()?,
        session: fields.get(3)?.parse().ok()?,
        name: before.split_once('(')?.1.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel writes 0 for a process in another PID namespace, and a name exactly as the program chose it.
    #[test]
    fn a_process_whose_parent_and_session_are_outside_our_namespace_is_read() {
        let line = format!("7 (a) Z (b) S 0 0 0 {} 1 0 99 0", "0 ".repeat(13));
        let stat = parse(&line).expect("a line as the kernel writes it");
        assert_eq!((stat.parent, stat.session, stat.start_time, stat.name.as_str()), (0, 0, 99, "a) Z (b"));
        assert!(!stat.is_zombie);
        assert!(parse("7 (cat) S 0").is_none());
    }
}
