//! Progress notifications while a call waits for its task.
//!
//! At most one notification is being sent at a time. A client that does not read therefore blocks one notification, and
//! nothing else. Newer events replace those that were not sent yet:
//!
//! ```text
//! event 1   event 2   event 3                (25 s without an event)
//!    │         │         │                            │
//!  0 s       0.2 s     0.4 s    1 s                 26 s
//!                                │                    └ sends "Task … running for 26.0s, last: event 3"
//!                                └ sends "Task …: event 3"
//! ```

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use rmcp::{
    Peer, RoleServer,
    model::{ProgressNotificationParam, ProgressToken},
};
use tokio::time::{sleep_until, timeout};

use crate::{present, task::TaskId};

/// Minimum time between two messages.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Maximum time between two messages, because clients give up on a silent server. A shorter heartbeat interval shortens
/// it.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(25);

/// Maximum time that the last message can delay the answer.
const FINAL_MESSAGE_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends progress of one task to one client.
pub(super) struct Progress {
    peer: Peer<RoleServer>,
    token: ProgressToken,
    pacing: Pacing,
    sent_count: u32,
    in_flight: Option<BoxFuture<'static, ()>>,
}

impl Progress {
    /// Sends at once that the task has started.
    pub(super) fn begin(peer: Peer<RoleServer>, token: ProgressToken, id: &TaskId, heartbeat: Duration) -> Self {
        Self::begin_with(present::begun(id), peer, token, id, heartbeat)
    }

    /// Sends at once that the call waits for these tasks. At least one is required.
    pub(super) fn waiting_for(
        ids: &[TaskId],
        peer: Peer<RoleServer>,
        token: ProgressToken,
        heartbeat: Duration,
    ) -> Self {
        Self::begin_with(present::waiting(ids), peer, token, &ids[0], heartbeat)
    }

    fn begin_with(
        message: String,
        peer: Peer<RoleServer>,
        token: ProgressToken,
        id: &TaskId,
        heartbeat: Duration,
    ) -> Self {
        let pacing = Pacing::begin(id, heartbeat, Instant::now());
        let mut progress = Self { peer, token, pacing, sent_count: 0, in_flight: None };
        progress.send(message);
        progress
    }

    /// Schedules a message about a step of the agent.
    pub(super) fn event(&mut self, event: &str) {
        self.pacing.event(event);
    }

    /// Schedules a message that the agent has only been waiting for the network since then.
    pub(super) fn offline(&mut self, since: DateTime<Utc>) {
        let waited = (Utc::now() - since).to_std().unwrap_or_default();
        let now = Instant::now();
        self.pacing.offline(now.checked_sub(waited).unwrap_or(now));
    }

    /// Sends messages when they are due. Never returns, and can be dropped and called again.
    pub(super) async fn send_updates(&mut self) {
        loop {
            if let Some(sending) = &mut self.in_flight {
                sending.await;
                self.in_flight = None;
            }
            sleep_until(self.pacing.due().into()).await;
            let message = self.pacing.message(Instant::now());
            self.send(message);
        }
    }

    /// Waits for the message that is being sent, so that it arrives before the answer.
    pub(super) async fn finish(self) {
        if let Some(sending) = self.in_flight {
            // A late progress message is not worth a longer wait.
            let _ = timeout(FINAL_MESSAGE_TIMEOUT, sending).await;
        }
    }

    fn send(&mut self, message: String) {
        self.sent_count += 1;
        let message =
            ProgressNotificationParam::new(self.token.clone(), f64::from(self.sent_count)).with_message(message);
        let peer = self.peer.clone();
        self.in_flight = Some(Box::pin(async move {
            if let Err(error) = peer.notify_progress(message).await {
                tracing::debug!(%error, "progress was not sent");
            }
        }));
    }
}

/// Decides which message to send, and when. Does not read the clock.
#[derive(Debug)]
struct Pacing {
    id: TaskId,
    began: Instant,
    sent_at: Instant,
    max_interval: Duration,
    /// The newest report, if it was not sent yet.
    newest: Option<Report>,
    /// The last report that was sent.
    last: Option<Report>,
}

/// A report on the agent's activity.
#[derive(Debug)]
enum Report {
    /// A step of the agent.
    Step(String),
    /// The agent only waits for the network.
    Offline {
        /// When the wait began.
        since: Instant,
    },
}

impl Pacing {
    fn begin(id: &TaskId, heartbeat: Duration, now: Instant) -> Self {
        let max_interval = heartbeat.clamp(MIN_INTERVAL, KEEPALIVE_INTERVAL);
        Self { id: id.clone(), began: now, sent_at: now, max_interval, newest: None, last: None }
    }

    fn event(&mut self, event: &str) {
        self.newest = Some(Report::Step(event.to_owned()));
    }

    fn offline(&mut self, since: Instant) {
        self.newest = Some(Report::Offline { since });
    }

    fn due(&self) -> Instant {
        self.sent_at + if self.newest.is_some() { MIN_INTERVAL } else { self.max_interval }
    }

    fn message(&mut self, now: Instant) -> String {
        self.sent_at = now;
        let is_new = self.newest.is_some();
        self.last = self.newest.take().or(self.last.take());
        let ran = now - self.began;
        match &self.last {
            Some(Report::Step(step)) if is_new => present::progress(&self.id, step),
            Some(Report::Step(step)) => present::still_running(&self.id, ran, Some(step)),
            Some(Report::Offline { since }) => present::offline(&self.id, ran, now.duration_since(*since)),
            None => present::still_running(&self.id, ran, None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::present::{answer_reader::is_forbidden, hostile_tests::HOSTILE};

    fn begun() -> (Pacing, Instant) {
        let now = Instant::now();
        (Pacing::begin(&TaskId::parse("1a2b3c4d").expect("valid task ID"), Duration::from_secs(30), now), now)
    }

    #[test]
    fn the_newest_of_many_events_is_sent_one_second_after_the_last_message() {
        let (mut pacing, began) = begun();
        pacing.event("message: one");
        pacing.event("message: two");
        assert_eq!(pacing.due(), began + MIN_INTERVAL);
        assert_eq!(pacing.message(began + MIN_INTERVAL), "Task 1a2b3c4d: message: two");
        pacing.event("message: three");
        assert_eq!(pacing.due(), began + MIN_INTERVAL * 2);
    }

    #[test]
    fn a_keepalive_has_the_elapsed_time_and_the_last_event() {
        let (mut pacing, began) = begun();
        assert_eq!(pacing.due(), began + KEEPALIVE_INTERVAL);
        assert_eq!(pacing.message(began + KEEPALIVE_INTERVAL), "Task 1a2b3c4d running for 25.0s");
        pacing.event("command started: make\nall");
        pacing.message(began + Duration::from_secs(30));
        assert_eq!(pacing.due(), began + Duration::from_secs(30) + KEEPALIVE_INTERVAL);
        assert_eq!(
            pacing.message(began + Duration::from_secs(90)),
            "Task 1a2b3c4d running for 1m 30s, last: command started: make all"
        );
    }

    #[test]
    fn each_message_says_how_long_the_agent_has_been_waiting_for_the_network() {
        let (mut pacing, began) = begun();
        let after = |seconds| began + Duration::from_secs(seconds);
        pacing.offline(after(10));
        let waiting = |ran, waited| format!("Task 1a2b3c4d running for {ran}, waiting for the network for {waited}");
        assert_eq!(pacing.message(after(12)), waiting("12.0s", "2.0s"));
        assert_eq!(pacing.message(after(70)), waiting("1m 10s", "1m 0s"));
        pacing.event("message: back");
        assert_eq!(pacing.message(after(80)), "Task 1a2b3c4d: message: back");
        assert_eq!(pacing.message(after(90)), "Task 1a2b3c4d running for 1m 30s, last: message: back");
    }

    #[test]
    fn keepalives_are_at_least_as_frequent_as_heartbeats() {
        let now = Instant::now();
        let id = TaskId::random();
        for (heartbeat, expected) in [(10, 10), (600, 25), (0, 1)] {
            let pacing = Pacing::begin(&id, Duration::from_secs(heartbeat), now);
            assert_eq!(pacing.due(), now + Duration::from_secs(expected));
        }
    }

    #[test]
    fn a_message_is_short_and_one_line() {
        let (mut pacing, began) = begun();
        let hostile = HOSTILE.map(str::to_owned);
        for event in ["x".repeat(1_000), "ä\u{7}\n\r\tb".repeat(100)].into_iter().chain(hostile) {
            pacing.event(&event);
            for message in [pacing.message(began), pacing.message(began)] {
                assert!(message.chars().count() < 200 && !message.contains(is_forbidden), "{message:?}");
            }
        }
    }
}
