//! Measures the time for limits, and how long the machine was suspended.
//!
//! An [`Instant`] does not advance while the machine is suspended (Linux `CLOCK_MONOTONIC`, macOS `CLOCK_UPTIME_RAW`).
//! Time limits, heartbeats and silence use it, so they count only time in which an agent could work. On Linux, the
//! suspended time is the difference to `CLOCK_BOOTTIME`, which keeps advancing. On other systems it is unknown.

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

/// Shorter suspends are not reported: they do not matter, and the two clocks are not read at exactly the same time.
const MIN_REPORTED_SUSPEND: Duration = Duration::from_secs(1);

/// A time during a run. All lines from one read of a pipe share it, because reading three clocks for each line would
/// take longer than writing it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// The time of day.
    pub(super) time: DateTime<Utc>,
    /// The same as an instant.
    pub(super) instant: Instant,
    /// Time since the start of the run.
    pub(super) elapsed: Duration,
}

/// The clock of one run.
pub(super) struct Clock {
    started: Instant,
    suspended_so_far: Box<dyn Fn() -> Duration + Send>,
    /// The suspended time that was already reported, or that precedes the run.
    reported: Duration,
}

impl Clock {
    /// A clock that starts now.
    pub(super) fn start() -> Self {
        Self::with(suspended_since_boot)
    }

    /// The same with another source for the suspended time since boot.
    pub(super) fn with(suspended_so_far: impl Fn() -> Duration + Send + 'static) -> Self {
        Self { started: Instant::now(), reported: suspended_so_far(), suspended_so_far: Box::new(suspended_so_far) }
    }

    /// When the run began.
    pub(super) fn started(&self) -> Instant {
        self.started
    }

    /// Time since the start of the run, without suspended time.
    pub(super) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// The current time.
    pub(super) fn now(&self) -> Moment {
        let instant = Instant::now();
        Moment { time: Utc::now(), instant, elapsed: instant.saturating_duration_since(self.started) }
    }

    /// The suspended time since the last call that returned some; `None` if there is none to report.
    pub(super) fn take_suspended(&mut self) -> Option<Duration> {
        let so_far = (self.suspended_so_far)();
        let new = so_far.saturating_sub(self.reported);
        (new >= MIN_REPORTED_SUSPEND).then(|| {
            self.reported = so_far;
            new
        })
    }
}

#[cfg(target_os = "linux")]
fn suspended_since_boot() -> Duration {
    use rustix::time::{ClockId, clock_gettime};
    let read = |clock| Duration::try_from(clock_gettime(clock)).unwrap_or_default();
    // In this order, a suspend between the two reads makes the difference too small, but never negative.
    let boot = read(ClockId::Boottime);
    boot.saturating_sub(read(ClockId::Monotonic))
}

#[cfg(not(target_os = "linux"))]
fn suspended_since_boot() -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use super::*;

    #[test]
    fn each_suspend_is_reported_once() {
        let seconds = Arc::new(AtomicU64::new(500));
        let source = Arc::clone(&seconds);
        let mut clock = Clock::with(move || Duration::from_secs(source.load(Ordering::Relaxed)));
        assert_eq!(clock.take_suspended(), None, "suspends before the run are ignored");
        seconds.store(3_500, Ordering::Relaxed);
        assert_eq!(clock.take_suspended(), Some(Duration::from_secs(3_000)));
        assert_eq!(clock.take_suspended(), None);
        seconds.store(3_560, Ordering::Relaxed);
        assert_eq!(clock.take_suspended(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn nothing_is_reported_without_a_suspend() {
        let mut clock = Clock::start();
        assert_eq!(clock.take_suspended(), None);
    }
}
