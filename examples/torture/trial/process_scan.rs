//! Looking at processes through `/proc`: who is there, whose they are, and whether they are gone.
//!
//! A process is known by its pid and its start time, so that a later one with the same pid is never taken for it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process, thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that every agent and its children carry: a list of task ids.
const TASK_MARKER: &[u8] = b"CONNECTOR_TASK_IDS=";

/// How often the end of known processes is looked for.
const POLL_INTERVAL: Duration = Duration::from_millis(2);
/// What forks may slip through one look: looks find nothing for at least this long, three times at least, and meanwhile
/// no chain gives a sign of life.
pub(crate) const QUIET_PERIOD: Duration = Duration::from_millis(60);
const MIN_SCANS: usize = 3;
/// How long everything that is left may take to be killed.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(20);

/// One process, beyond its pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    started: u64,
}

/// A process as it was found.
#[derive(Debug, Clone)]
pub(crate) struct ProcessSnapshot {
    pub(crate) process: Process,
    pub(crate) parent: u32,
    /// Its arguments, a space between two of them.
    pub(crate) args: String,
    environment: Vec<u8>,
}

struct ProcStat {
    state: char,
    parent: u32,
    threads: u32,
    started: u64,
}

/// Every live process that is not older than this program, and not this program itself.
pub(crate) fn live_processes() -> Vec<ProcessSnapshot> {
    let oldest = stat(process::id()).map_or(0, |stat| stat.started);
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| *pid != process::id())
        .collect();
    // The youngest first: they are the likeliest to be gone in a moment.
    pids.sort_unstable_by(|a, b| b.cmp(a));
    pids.into_iter().filter_map(|pid| read_process(pid, oldest)).collect()
}

fn read_process(pid: u32, oldest: u64) -> Option<ProcessSnapshot> {
    let stat = stat(pid).filter(|stat| stat.started >= oldest && stat.is_alive())?;
    let args = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let args = String::from_utf8_lossy(&args).trim_end_matches('\0').replace('\0', " ");
    // Another user's, or gone by now.
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
    Some(ProcessSnapshot { process: Process { pid, started: stat.started }, parent: stat.parent, args, environment })
}

impl ProcessSnapshot {
    /// Whether `text` stands in its arguments, or in the environment it was started with.
    pub(crate) fn mentions(&self, text: &str) -> bool {
        self.args.contains(text) || self.environment.windows(text.len()).any(|window| window == text.as_bytes())
    }

    /// Whether it works for the task `id`, by its environment.
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
    /// Whether exactly this process is there and has not ended.
    pub(crate) fn is_alive(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.is_alive())
    }

    /// Kills exactly this process. The handle is taken before the start time is compared, so that the pid cannot pass
    /// to another process in between.
    pub(crate) fn kill(self) {
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return };
        let Ok(handle) = pidfd_open(pid, PidfdFlags::empty()) else { return };
        if stat(self.pid).is_some_and(|stat| stat.started == self.started) {
            // It may have ended meanwhile.
            let _ = pidfd_send_signal(handle, Signal::KILL);
        }
    }
}

impl ProcStat {
    /// A process whose first thread has ended looks like a zombie while its others run.
    fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X') || self.threads > 1
    }
}

/// Reads `/proc/PID/stat`: `pid (name) state ppid …`, where the name may hold spaces and parentheses.
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

/// Everything that belongs to one task: its agent by the marker in its environment, children that have lost that by the
/// mark in their arguments, and whoever was below its supervisor when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct TaskTree {
    pub(crate) id: String,
    pub(crate) mark: String,
}

impl TaskTree {
    /// Who is there now.
    pub(crate) fn members(&self) -> Vec<ProcessSnapshot> {
        let mut live_processes = live_processes();
        live_processes.retain(|snapshot| snapshot.args.contains(&self.mark) || snapshot.works_for(&self.id));
        live_processes
    }

    /// Watches the tree, of which `known` is known, until nobody is left of it, and returns when that was. Known
    /// processes are looked at every two milliseconds; new ones are looked for whenever none of them is left. `None`:
    /// not within `timeout`.
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

/// Finds out whether really nothing is left, in more than one look.
#[derive(Debug)]
pub(crate) struct QuietCheck {
    mark: String,
    mark_contents: BTreeMap<String, Vec<u8>>,
    since: Instant,
    scans: usize,
}

impl QuietCheck {
    /// From now on, for what has `mark` at the beginning of its mark.
    pub(crate) fn begin(mark: &str) -> QuietCheck {
        QuietCheck { mark: mark.to_owned(), mark_contents: mark_contents(mark), since: Instant::now(), scans: 0 }
    }

    /// Takes note of one look. Returns since when nothing was found, once that is certain.
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

    /// Whether a chain has gone on meanwhile.
    pub(crate) fn has_new_marks(&self) -> bool {
        mark_contents(&self.mark) != self.mark_contents
    }
}

/// What the chains wrote last, whose marks begin so: each member writes its pid.
fn mark_contents(mark: &str) -> BTreeMap<String, Vec<u8>> {
    let Some((directory, beginning)) = mark.rsplit_once('/') else { return BTreeMap::new() };
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let is_mark = |name: &String| name.starts_with(beginning) && name.ends_with(".mark");
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned()).filter(is_mark);
    names.map(|name| (name.clone(), fs::read(format!("{directory}/{name}")).unwrap_or_default())).collect()
}

/// Kills everything that mentions a path below `directory`, until nothing is left, and says whether that is so. A chain
/// ends when it cannot write into its directory, one of `marks`, any more.
pub(crate) fn clear(directory: &Path, marks: &[PathBuf]) -> bool {
    let text = format!("{}/", directory.display());
    let timeout = Instant::now() + CLEAR_TIMEOUT;
    let mut empty_since: Option<Instant> = None;
    loop {
        for marks in marks {
            // It may be gone already.
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
