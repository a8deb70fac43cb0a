//! One round of a scenario: its seed, its violations, and what everyone shares.

use std::{
    any::Any,
    panic::{self, AssertUnwindSafe},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use fastrand::Rng;

use super::{report::TrialReport, world::Setup};

/// What all rounds share.
#[derive(Debug)]
pub(crate) struct TortureContext {
    pub(crate) report: TrialReport,
    pub(crate) seed: u64,
    /// Where each round has its world.
    pub(crate) directory: PathBuf,
    pub(crate) setup: Setup,
    /// How long a stubborn agent has until SIGTERM, and then until SIGKILL.
    pub(crate) grace: Duration,
    /// Whether trees are held by something that nothing can leave.
    pub(crate) has_cgroup: bool,
    /// Measured times may be so much longer.
    pub(crate) factor: f64,
    /// How many servers share a home.
    pub(crate) windows: usize,
}

impl TortureContext {
    /// How long a tree may live once SIGINT was sent, when nothing in it obeys.
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
    /// Where its world is.
    pub(crate) directory: PathBuf,
    violations: AtomicU64,
    tasks: AtomicU64,
}

impl Round<'_> {
    pub(crate) fn new<'a>(context: &'a TortureContext, scenario: &'static str, number: usize) -> Round<'a> {
        let directory = context.directory.join(format!("{scenario}-{number}"));
        Round { context, scenario, number, directory, violations: AtomicU64::new(0), tasks: AtomicU64::new(0) }
    }

    /// A generator that only seed, scenario and number decide, and `part`, so that threads have one each.
    pub(crate) fn rng(&self, part: u64) -> Rng {
        let text = format!("{} {} {} {part}", self.context.seed, self.scenario, self.number);
        // FNV-1a: the same everywhere and always, which std's hashers do not promise.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(1_099_511_628_211);
        Rng::with_seed(text.bytes().fold(14_695_981_039_346_656_037, fold))
    }

    /// Something is not as it should be.
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

    /// So many tasks were begun.
    pub(crate) fn begun(&self, tasks: usize) {
        self.tasks.fetch_add(u64::try_from(tasks).unwrap_or_default(), Ordering::Relaxed);
    }

    pub(crate) fn tasks(&self) -> u64 {
        self.tasks.load(Ordering::Relaxed)
    }

    pub(crate) fn is_good(&self) -> bool {
        self.violations.load(Ordering::Relaxed) == 0
    }

    /// Runs a part of it. A panic, by which the test support says that the server does not do as it should, is a
    /// violation.
    pub(crate) fn guarded<T>(&self, what: &str, part: impl FnOnce() -> T) -> Option<T> {
        let result = panic::catch_unwind(AssertUnwindSafe(part));
        result.map_err(|panic| self.violation(format!("{what}: {}", message(&*panic)))).ok()
    }
}

/// What a panic says.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("a panic without words")
}

/// The last lines of a file, for a violation.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(6)..].join("\n")
}
