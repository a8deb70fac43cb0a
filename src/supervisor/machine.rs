//! The policy of one run as a pure state machine: no I/O, no clock.
//!
//! Time is how long ago the agent was started. [`Machine::step`] takes what happened and says what to do;
//! [`Machine::wake_at`] says when it wants to be asked again although nothing happened.

use std::time::Duration;

use crate::task::{OnAgentExit, OnServerExit, Policy, StopCause};

/// How long pipes may stay open once every process that is known is gone.
const DRAIN: Duration = Duration::from_millis(500);
/// How long processes that the agent left behind have to go by themselves: Codex is still ending its own commands.
const SETTLE: Duration = Duration::from_millis(100);
/// The same for an agent that was stopped: what it ends by itself ends with it, and the rest is not wanted either.
const SETTLE_STOPPED: Duration = Duration::from_millis(20);
/// How often survivors are looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long SIGKILL is repeated before the books are closed over a process that not even it can end.
const GIVE_UP: Duration = Duration::from_secs(5);

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    /// The agent wrote something.
    Output,
    /// The session says that the work is done.
    SessionFinished,
    /// The agent may not do anything any more.
    Forbidden,
    /// Someone wants the task stopped.
    Cancel,
    /// The server that submitted the task is gone.
    ServerGone,
    /// This supervisor was told to go.
    ToldToGo,
    /// The agent's own process has ended.
    Exited,
    /// All its pipes are closed.
    PipesClosed,
    /// So many processes of the tree are alive, after the agent itself has ended.
    Survivors(usize),
    /// Nothing, but time has passed.
    Tick,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Effect {
    /// Write a heartbeat.
    Heartbeat {
        /// Its number, from 1.
        number: u64,
    },
    /// Warn that the agent has been silent for so long.
    StallWarning {
        /// For how long.
        silent: Duration,
    },
    /// Ask the agent to stop, in its own way.
    Interrupt(StopCause),
    /// SIGTERM to the whole tree.
    Terminate,
    /// SIGKILL to the whole tree.
    Kill,
    /// The survivors are left alone: say so.
    LeaveBehind,
    /// Processes that not even SIGKILL ended are given up: say so.
    GiveUp,
    /// Count the survivors and answer with [`Input::Survivors`].
    LookForSurvivors,
    /// Close the books.
    Close,
}

/// The policy of one run.
#[derive(Debug)]
pub(super) struct Machine {
    policy: Policy,
    state: State,
    stopped: Option<(StopCause, Duration)>,
    heartbeats: u64,
    next_heartbeat: Duration,
    last_output: Duration,
    pipes_closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Running,
    Stopping {
        force: Force,
        until: Duration,
    },
    /// The agent's own process has ended; what it left is looked at.
    Ended {
        clearing: Clearing,
        look_at: Duration,
    },
    Closed,
}

/// How hard the tree is being stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Force {
    Interrupted,
    Terminated,
    Killed { first: Duration },
}

/// What is being done about survivors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Clearing {
    /// They may go by themselves until then.
    Settling(Duration),
    Terminated(Duration),
    Killed(Duration),
    /// None is left, or they are left alone; open pipes are drained until then.
    Draining(Duration),
}

/// Whether this means that the task is not to go on, agent or no agent.
pub(super) fn called_off(policy: &Policy, input: Input) -> Option<StopCause> {
    match (input, policy.on_server_exit) {
        (Input::Cancel, _) => Some(StopCause::Cancelled),
        (Input::ToldToGo, _) | (Input::ServerGone, OnServerExit::Interrupt) => Some(StopCause::ServerGone),
        (Input::ServerGone, OnServerExit::Continue) => None,
        (
            Input::Output
            | Input::SessionFinished
            | Input::Forbidden
            | Input::Exited
            | Input::PipesClosed
            | Input::Survivors(_)
            | Input::Tick,
            _,
        ) => None,
    }
}

impl Machine {
    /// The policy of an agent that was started just now.
    pub(super) fn new(policy: Policy) -> Self {
        let next_heartbeat = policy.heartbeat;
        Self {
            policy,
            state: State::Running,
            stopped: None,
            heartbeats: 0,
            next_heartbeat,
            last_output: Duration::ZERO,
            pipes_closed: false,
        }
    }

    /// Why the agent was stopped, and when that began; `None` when it ended, or runs, by itself.
    pub(super) fn stopped(&self) -> Option<(StopCause, Duration)> {
        self.stopped
    }

    /// When to call [`step`](Self::step) with [`Input::Tick`] at the latest; `None` when everything is closed.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        match self.state {
            State::Running => {
                let silence = self.policy.stop_after_silence.map(|limit| self.last_output.saturating_add(limit));
                [Some(self.next_heartbeat), self.policy.timeout, silence].into_iter().flatten().min()
            }
            State::Stopping { until, .. } => Some(until.min(self.next_heartbeat)),
            State::Ended { look_at, .. } => Some(look_at),
            State::Closed => None,
        }
    }

    /// Takes what happened at `now`, and says what to do, in order.
    pub(super) fn step(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        if input == Input::Output {
            self.last_output = now;
        }
        if input == Input::PipesClosed {
            self.pipes_closed = true;
        }
        match self.state {
            State::Running => self.step_running(now, input),
            State::Stopping { force, until } => self.step_stopping(now, input, force, until),
            State::Ended { clearing, .. } => self.step_ended(now, input, clearing),
            State::Closed => vec![],
        }
    }

    fn step_running(&mut self, now: Duration, input: Input) -> Vec<Effect> {
        match input {
            Input::Output | Input::PipesClosed | Input::Survivors(_) => vec![],
            Input::SessionFinished => self.stop(now, StopCause::Finished),
            Input::Forbidden => {
                self.stopped = Some((StopCause::Displaced, now));
                self.kill(now)
            }
            Input::Cancel | Input::ServerGone | Input::ToldToGo => {
                called_off(&self.policy, input).map_or_else(Vec::new, |cause| self.stop(now, cause))
            }
            Input::Exited => self.end(now),
            Input::Tick => match self.limit_reached(now) {
                Some(cause) => self.stop(now, cause),
                None => self.heartbeat(now),
            },
        }
    }

    /// Which limit of an agent that still runs is reached.
    pub(super) fn limit_reached(&self, now: Duration) -> Option<StopCause> {
        let silent = now.saturating_sub(self.last_output);
        let timeout = self.policy.timeout.filter(|limit| now >= *limit).map(|limit| StopCause::TimedOut { limit });
        let silence = self.policy.stop_after_silence.filter(|limit| silent >= *limit);
        timeout.or(silence.map(|limit| StopCause::Silent { limit })).filter(|_| self.state == State::Running)
    }

    fn stop(&mut self, now: Duration, cause: StopCause) -> Vec<Effect> {
        let until = now.saturating_add(self.policy.grace.interrupt);
        self.state = State::Stopping { force: Force::Interrupted, until };
        self.stopped = Some((cause, now));
        vec![Effect::Interrupt(cause)]
    }

    fn kill(&mut self, now: Duration) -> Vec<Effect> {
        self.state = State::Stopping { force: Force::Killed { first: now }, until: now + LOOK_AGAIN };
        vec![Effect::Kill]
    }

    fn step_stopping(&mut self, now: Duration, input: Input, force: Force, until: Duration) -> Vec<Effect> {
        match input {
            Input::Exited => return self.end_stopped(now, force, until),
            Input::Forbidden if !matches!(force, Force::Killed { .. }) => return self.kill(now),
            Input::Tick if now >= until => {}
            // Asked in its own protocol, it has stopped its work; the program itself was not asked to go.
            Input::SessionFinished if force == Force::Interrupted && self.is_stopped_early() => {}
            Input::Tick => return self.heartbeat(now),
            Input::Output
            | Input::SessionFinished
            | Input::Forbidden
            | Input::Cancel
            | Input::ServerGone
            | Input::ToldToGo
            | Input::PipesClosed
            | Input::Survivors(_) => return vec![],
        }
        let (force, until, effect) = match force {
            Force::Interrupted => {
                (Force::Terminated, now.saturating_add(self.policy.grace.terminate), Effect::Terminate)
            }
            Force::Terminated => return self.kill(now),
            Force::Killed { first } if now >= first + GIVE_UP => {
                self.state = State::Closed;
                return vec![Effect::GiveUp, Effect::Close];
            }
            Force::Killed { first } => (Force::Killed { first }, now + LOOK_AGAIN, Effect::Kill),
        };
        self.state = State::Stopping { force, until };
        vec![effect]
    }

    /// Whether the work was not done when the agent was asked to stop.
    fn is_stopped_early(&self) -> bool {
        !matches!(self.stopped, None | Some((StopCause::Finished, _)))
    }

    fn end(&mut self, now: Duration) -> Vec<Effect> {
        self.clear(now, Clearing::Settling(now + SETTLE))
    }

    /// The agent's end after it was stopped with this force: what it left has had as much of it.
    fn end_stopped(&mut self, now: Duration, force: Force, until: Duration) -> Vec<Effect> {
        let clearing = match force {
            Force::Interrupted => Clearing::Settling(now + SETTLE_STOPPED),
            Force::Terminated => Clearing::Terminated(until),
            Force::Killed { .. } => Clearing::Killed(now + GIVE_UP),
        };
        self.clear(now, clearing)
    }

    fn clear(&mut self, now: Duration, clearing: Clearing) -> Vec<Effect> {
        self.state = State::Ended { clearing, look_at: now };
        vec![Effect::LookForSurvivors]
    }

    fn step_ended(&mut self, now: Duration, input: Input, clearing: Clearing) -> Vec<Effect> {
        let survivors = match input {
            Input::Survivors(survivors) => survivors,
            Input::Tick | Input::PipesClosed => return self.look_or_close(now, clearing),
            Input::Output
            | Input::SessionFinished
            | Input::Forbidden
            | Input::Cancel
            | Input::ServerGone
            | Input::ToldToGo
            | Input::Exited => return vec![],
        };
        let leave = self.stopped.is_none() && self.policy.on_agent_exit == OnAgentExit::Leave;
        let terminate_until = now.saturating_add(self.policy.grace.terminate);
        let (next, effects) = match clearing {
            Clearing::Draining(until) => (Clearing::Draining(until), vec![]),
            Clearing::Settling(until) if survivors > 0 && now < until => (clearing, vec![]),
            Clearing::Settling(_) | Clearing::Terminated(_) | Clearing::Killed(_) if survivors == 0 || leave => {
                let mut effects = if survivors > 0 { vec![Effect::LeaveBehind] } else { vec![] };
                if self.pipes_closed {
                    effects.push(Effect::Close);
                    self.state = State::Closed;
                    return effects;
                }
                (Clearing::Draining(now + DRAIN), effects)
            }
            Clearing::Settling(_) => (Clearing::Terminated(terminate_until), vec![Effect::Terminate]),
            Clearing::Terminated(until) if now < until => (clearing, vec![]),
            Clearing::Terminated(_) => (Clearing::Killed(now + GIVE_UP), vec![Effect::Kill]),
            Clearing::Killed(until) if now < until => (clearing, vec![Effect::Kill]),
            Clearing::Killed(_) => {
                self.state = State::Closed;
                return vec![Effect::GiveUp, Effect::Close];
            }
        };
        let look_at = match next {
            Clearing::Draining(until) => until,
            Clearing::Settling(_) | Clearing::Terminated(_) | Clearing::Killed(_) => now + LOOK_AGAIN,
        };
        self.state = State::Ended { clearing: next, look_at };
        effects
    }

    fn look_or_close(&mut self, now: Duration, clearing: Clearing) -> Vec<Effect> {
        match clearing {
            Clearing::Draining(until) if self.pipes_closed || now >= until => {
                self.state = State::Closed;
                vec![Effect::Close]
            }
            Clearing::Draining(_) => vec![],
            Clearing::Settling(_) | Clearing::Terminated(_) | Clearing::Killed(_) => vec![Effect::LookForSurvivors],
        }
    }

    fn heartbeat(&mut self, now: Duration) -> Vec<Effect> {
        if now < self.next_heartbeat {
            return vec![];
        }
        self.heartbeats += 1;
        // After the machine slept, one heartbeat stands for all that were missed.
        self.next_heartbeat = (self.next_heartbeat + self.policy.heartbeat).max(now + self.policy.heartbeat / 2);
        let silent = now.saturating_sub(self.last_output);
        let warning = (silent >= self.policy.stall_warning).then_some(Effect::StallWarning { silent });
        [Some(Effect::Heartbeat { number: self.heartbeats }), warning].into_iter().flatten().collect()
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
