//! One round of a scenario: its seed, its violations, and the data shared by all rounds.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastrand::Rng;

use super::{report::TrialReport, world::Setup};

/// Data shared by all rounds.
#[derive(Debug)]
pub(crate) struct TortureContext {
    pub(crate) report: TrialReport,
    pub(crate) seed: u64,
    /// The parent directory of the rounds' worlds.
    pub(crate) directory: PathBuf,
    pub(crate) setup: Setup,
    /// How long a stubborn agent has until SIGTERM, and then again until SIGKILL.
    pub(crate) grace: Duration,
    /// Whether each process tree is in a cgroup.
    pub(crate) has_cgroup: bool,
    /// The factor by which time limits are extended.
    pub(crate) factor: f64,
    /// The number of servers that share a home.
    pub(crate) windows: usize,
}

impl TortureContext {
    /// How long a tree may live after SIGINT if nothing in it obeys.
    pub(crate) fn longest_stop(&self) -> Duration {
        2 * self.grace
    }
}

/// One round.
#[derive(Debug)]
pub(crate) struct Round<'a> {
    pub(crate) context: &'a TortureContext,
    pub(crate) scenario: &'static str,
    pub(crate) number: usize,
    /// The directory of its world.
    pub(crate) directory: PathBuf,
    violations: AtomicU64,
    tasks: AtomicU64,
}

impl Round<'_> {
    pub(crate) fn new<'a>(context: &'a TortureContext, scenario: &'static str, number: usize) -> Round<'a> {
        let directory = context.directory.join(format!("{scenario}-{number}"));
        Round { context, scenario, number, directory, violations: AtomicU64::new(0), tasks: AtomicU64::new(0) }
    }

    /// A generator that depends only on the seed, the scenario, the number, and `part`, so that each thread has its
    /// own.
    pub(crate) fn rng(&self, part: u64) -> Rng {
        let text = format!("{} {} {} {part}", self.context.seed, self.scenario, self.number);
        // FNV-1a gives the same result everywhere and always, which std's hashers do not promise.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        Rng::with_seed(text.bytes().fold(14_695_981_039_346_656_037, fold))
    }

    /// Reports a violation.
    pub(crate) fn violation(&self, text: impl AsRef<str>) {
        self.violations.fetch_add(1, Ordering::Relaxed);
        let text = format!(
            "{} (seed {}, round {}, {}):\n    {}",
            self.scenario,
            self.context.seed,
            self.number,
            self.directory.display(),
            text.as_ref().replace('\n', "\n    ")
        );
        self.context.report.violation(self.scenario, text);
    }

    /// Counts tasks that were started.
    pub(crate) fn begun(&self, tasks: usize) {
        self.tasks.fetch_add(u64::try_from(tasks).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.tasks.load(Ordering::Relaxed)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.violations.load(Ordering::Relaxed) == 0
    }

    /// Runs a part of the round. The test support panics if the server misbehaves; that is a violation.
    pub(crate) fn guarded<T>(&self, what: &str, part: impl FnOnce() -> T) -> Option<T> {
        let result = panic::catch_unwind(AssertUnwindSafe(part));
        result.map_err(|panic| self.violation(format!("{what}: {}", message(&*panic)))).ok()
    }
}

/// The message of a panic.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without a message")
}

/// The last lines of a file, for a violation.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}
