//! The kernel's numbers about a process. Linux only; on other systems, every number is missing.

use std::{fs, time::Duration};

/// A field of `/proc/<pid>/<file>` that is in kB, in MB (10^6 bytes).
pub(crate) fn megabytes(pid: u32, file: &str, field: &str) -> Option<f64> {
    let content = fs::read_to_string(format!("/proc/{pid}/{file}")).ok()?;
    let line = content.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.trim().strip_suffix("kB")?.trim().parse::<f64>().ok().map(|kibibytes| kibibytes * 1024.0 / 1e6)
}

/// The bytes that a process wrote, together with those of its children that have ended, in kB (1,000 bytes). Pipes count too.
pub(crate) fn kilobytes_written(pid: u32) -> Option<f64> {
    let content = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    let count = content.lines().find_map(|line| line.strip_prefix("wchar:"))?;
    count.trim().parse::<f64>().ok().map(|bytes| bytes / 1e3)
}

/// Processor time of all threads so far, and how often one of them was woken.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    pub(crate) time: Duration,
    pub(crate) wakeups: u64,
}

impl Work {
    pub(crate) fn of(pid: u32) -> Self {
        let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        threads.fold(Self::default(), |sum, thread| {
            let read = |file| fs::read_to_string(thread.path().join(file)).unwrap_or_default();
            let nanos = read("schedstat").split(' ').next().and_then(|nanos| nanos.parse().ok()).unwrap_or(0);
            let status = read("status");
            let switches = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
            Self {
                time: sum.time + Duration::from_nanos(nanos),
                wakeups: sum.wakeups + switches.and_then(|count| count.trim().parse().ok()).unwrap_or(0),
            }
        })
    }
}
