//! Inspects processes through `/proc`: which are running, which task they belong to, and whether they are gone.
//!
//! A process is identified by its PID and start time, so a later process with the same PID is never mistaken for it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The environment variable of every agent and its children: a list of task IDs.
const TASK_MARKER: &[u8] = b"CONNECTOR_TASK_IDS=";

/// How often known processes are checked.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// A process that forks may escape one scan. So all scans must find nothing for at least this long, at least three
/// scans are needed, and no chain may write to its mark in the meantime.
pub(crate) const QUIET_PERIOD: Duration = Duration::from_millis(60);
const MIN_SCANS: usize = 3;
/// Time limit for killing all remaining processes.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(20);

/// One process, identified by more than its PID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: u64,
}

/// A process at the moment of a scan.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSnapshot {
    pub(crate) process: Process,
    pub(crate) parent: u32,
    /// Its arguments, separated by spaces.
    pub(crate) args: String,
    environment: Vec<u8>,
}

struct ProcStat {
    state: char,
    parent: u32,
    threads: u32,
    started: u64,
}

/// Every live process that is not older than this program, except this program itself.
pub(crate) fn live_processes() -> Vec<ProcessSnapshot> {
    let oldest = stat(process::id()).map_or(0, |stat| stat.started);
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != process::id())
        .collect();
    // The newest first, because they are the most likely to be gone in a moment.
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids.into_iter().filter_map(|pid| read_process(pid, oldest)).collect()
}

fn read_process(pid: u32, oldest: u64) -> Option<ProcessSnapshot> {
    let stat = stat(pid).filter(|stat| stat.started >= oldest && stat.is_alive())?;
    let args = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let args = String::from_utf8_lossy(&args).trim_end_matches('\0').replace('\0', " ");
    // Not readable if the process belongs to another user or is gone.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    Some(ProcessSnapshot { process: Process { pid, started: stat.started }, parent: stat.parent, args, environment })
}

impl ProcessSnapshot {
    /// Whether its arguments or its initial environment contain `text`.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.args.contains(text) || self.environment.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Whether it belongs to task `id`, according to its environment.
    pub(crate) fn works_for(&self, id: &str) -> bool {
        self.environment.split(|byte| *byte == 0).any(|variable| {
            let ids = variable.strip_prefix(TASK_MARKER);
            ids.is_some_and(|ids| ids.split(|byte| *byte == b',').any(|listed| listed == id.as_bytes()))
        })
    }
}

impl std::fmt::Display for ProcessSnapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let short: String = self.args.chars().take(160).collect();
        write!(f, "{} (parent {}): {short}", self.process.pid, self.parent)
    }
}

impl Process {
    /// Whether exactly this process exists and has not ended.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_alive())
    }

    /// Kills exactly this process. The handle is opened before the start time is compared, so the PID cannot be reused
    /// in between.
    pub(crate) fn kill(self) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if stat(self.pid).is_some_and(|stat| stat.started == self.started) {
            // It may have ended in the meantime.
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

impl ProcStat {
    /// A process whose first thread has ended looks like a zombie while its other threads run.
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

/// Reads `/proc/PID/stat`: `pid (name) state ppid …`. The name may contain spaces and parentheses.
fn stat(pid: u32) -> Option<ProcStat> {
    let stat = fs::read(format!("/proc/{pid}/stat")).ok()?;
    let stat = String::from_utf8_lossy(&stat);
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    Some(ProcStat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        threads: fields.get(17)?.parse().ok()?,
        started: fields.get(19)?.parse().ok()?,
    })
}

/// The processes of one task: its agent, found by the marker in its environment, and children that have lost the
/// marker, found by the mark in their arguments.
#[derive(Debug, Clone)]
pub(crate) struct TaskTree {
    pub(crate) id: String,
    pub(crate) mark: String,
}

impl TaskTree {
    /// The processes that are running now.
    pub(crate) fn members(&self) -> Vec<ProcessSnapshot> {
        let mut live_processes = live_processes();
        live_processes.retain(|snapshot| snapshot.args.contains(&self.mark) || snapshot.works_for(&self.id));
        live_processes
    }

    /// Waits until no process of the tree is left, and returns when that happened; `None` if not within `timeout`.
    /// Known processes are checked every two milliseconds; a scan for new ones begins when none of them is left.
    pub(crate) fn wait_until_empty(&self, mut known: Vec<Process>, timeout: Duration) -> Option<Instant> {
        let deadline = Instant::now() + timeout;
        let mut quiet: Option<QuietCheck> = None;
        loop {
            known.retain(|process| process.is_alive());
            if known.is_empty() {
                let quiet = quiet.get_or_insert_with(|| QuietCheck::begin(&self.mark));
                let found = self.members();
                if let Some(since) = quiet.record_scan(found.is_empty()) {
                    return Some(since);
                }
                known = found.into_iter().map(|snapshot| snapshot.process).collect();
            } else {
                quiet = None;
            }
            if Instant::now() > deadline {
                return None;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// Checks with several scans that really nothing is left.
#[derive(Debug)]
pub(crate) struct QuietCheck {
    mark: String,
    mark_contents: BTreeMap<String, Vec<u8>>,
    since: Instant,
    scans: usize,
}

impl QuietCheck {
    /// Starts a check for processes whose mark begins with `mark`.
    pub(crate) fn begin(mark: &str) -> QuietCheck {
        QuietCheck { mark: mark.to_owned(), mark_contents: mark_contents(mark), since: Instant::now(), scans: 0 }
    }

    /// Records one scan. Once it is certain that nothing is left, returns since when.
    pub(crate) fn record_scan(&mut self, found_nothing: bool) -> Option<Instant> {
        if !found_nothing {
            *self = QuietCheck::begin(&self.mark);
            return None;
        }
        self.scans += 1;
        if self.scans < MIN_SCANS || self.since.elapsed() < QUIET_PERIOD {
            return None;
        }
        if self.has_new_marks() {
            *self = QuietCheck::begin(&self.mark);
            return None;
        }
        Some(self.since)
    }

    /// Whether a chain has continued in the meantime.
    pub(crate) fn has_new_marks(&self) -> bool {
        mark_contents(&self.mark) != self.mark_contents
    }
}

/// The latest entries of the chains whose marks begin with `mark`: each member writes its PID.
fn mark_contents(mark: &str) -> BTreeMap<String, Vec<u8>> {
    let Some((directory, beginning)) = mark.rsplit_once('/') else { return BTreeMap::new() };
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_mark = |name: &String| name.starts_with(beginning) && name.ends_with(".mark");
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned()).filter(is_mark);
    names.map(|name| (name.clone(), fs::read(format!("{directory}/{name}")).unwrap_or_default())).collect()
}

/// Kills everything that mentions a path below `directory`, until nothing is left. Returns whether that succeeded. A
/// chain ends when it can no longer write to its directory, one of `marks`.
pub(crate) fn clear(directory: &Path, marks: &[PathBuf]) -> bool {
    let text = format!("{}/", directory.display());
    let timeout = Instant::now() + CLEAR_TIMEOUT;
    let mut empty_since: Option<Instant> = None;
    loop {
        for marks in marks {
            // It may already be gone.
            let _ = fs::remove_dir_all(marks);
        }
        let left: Vec<ProcessSnapshot> =
            live_processes().into_iter().filter(|snapshot| snapshot.mentions(&text)).collect();
        left.iter().for_each(|snapshot| snapshot.process.kill());
        if !left.is_empty() {
            empty_since = None;
        } else if empty_since.get_or_insert_with(Instant::now).elapsed() >= QUIET_PERIOD {
            return true;
        }
        if Instant::now() > timeout {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
