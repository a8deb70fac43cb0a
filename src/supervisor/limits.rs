//! The limits of a running agent: on its time, on its silence, and on its wait for the network.

use std::time::Duration;

use super::network::NetworkState;
use crate::task::{Policy, StopCause};

/// The activity of an agent, as far as limits depend on it. Times are durations since the agent's start.
#[derive(Debug, Default)]
pub(super) struct Limits {
    last_output: Duration,
    offline_since: Option<Duration>,
}

impl Limits {
    /// The agent wrote something at `now`.
    pub(super) fn output_received(&mut self, now: Duration) {
        self.last_output = now;
    }

    /// The agent reported at `now` whether it waits for the network.
    pub(super) fn network_reported(&mut self, now: Duration, state: NetworkState) {
        self.offline_since = match state {
            NetworkState::Waiting => self.offline_since.or(Some(now)),
            NetworkState::Working => None,
        };
    }

    /// How long the agent has been silent at `now`.
    pub(super) fn silence(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_output)
    }

    /// When the next limit is reached; `None` if there is none.
    pub(super) fn next(&self, policy: &Policy) -> Option<Duration> {
        self.of(policy).into_iter().flatten().map(|(at, _)| at).min()
    }

    /// The limit that is reached at `now`, if any.
    pub(super) fn reached(&self, policy: &Policy, now: Duration) -> Option<StopCause> {
        self.of(policy).into_iter().flatten().find(|(at, _)| now >= *at).map(|(_, cause)| cause)
    }

    /// When each limit is reached, in order of precedence.
    fn of(&self, policy: &Policy) -> [Option<(Duration, StopCause)>; 3] {
        let silence = |limit: Duration| (self.last_output.saturating_add(limit), StopCause::Silent { limit });
        let offline =
            |(limit, since): (Duration, Duration)| (since.saturating_add(limit), StopCause::Offline { limit });
        [
            policy.timeout.map(|limit| (limit, StopCause::TimedOut { limit })),
            policy.give_up_offline.zip(self.offline_since).map(offline),
            policy.stop_after_silence.map(silence),
        ]
    }
}
