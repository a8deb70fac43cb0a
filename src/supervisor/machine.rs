//! The policy of one run as a pure state machine, without I/O and without a clock.
//!
//! Times are durations since the agent's start. [`Machine::step`] takes an input and returns the effects to carry out,
//! in order. [`Machine::wake_at`] returns when it must be called with a tick if there is no other input before.
//!
//! ```text
//!             limit, cancel, server gone, work done
//!   Running ─────────────────────────────────────────▶ Stopping: Interrupted ─▶ Terminated ─▶ Killed
//!      │                                                     │ exited              after each grace period
//!      │ exited                                              ▼
//!      └───────────▶ Ended: Settling ─▶ Terminated ─▶ Killed ─▶ Draining ─▶ Closed
//!                    (only while survivors are left)            (open pipes)
//! ```
//!
//! A stop continues in `Ended` with the force that it had reached. If even SIGKILL does not help for [`KILL_TIMEOUT`],
//! the machine gives up and closes. `docs/design/stopping.md` has the complete diagram.

use std::time::Duration;

use super::{limits::Limits, network::NetworkState};
use crate::task::{OnAgentExit, OnServerExit, Policy, StopCause};

/// How long pipes may stay open after all known processes are gone.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(500);
/// How long survivors may take to exit by themselves. Codex, for example, is still ending its own commands.
const SETTLE_TIME: Duration = Duration::from_millis(100);
/// The same for an agent that was stopped. It has ended its own commands already, and other survivors are unwanted.
const STOPPED_SETTLE_TIME: Duration = Duration::from_millis(20);
/// How often survivors are counted.
const SURVIVOR_POLL_INTERVAL: Duration = Duration::from_millis(20);
/// How long SIGKILL is repeated before the run is closed although a process still exists.
const KILL_TIMEOUT: Duration = Duration::from_secs(5);

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineInput {
    /// The agent wrote something.
    Output,
    /// The agent reported whether it waits for the network.
    Network(NetworkState),
    /// The session reported that the work is done.
    SessionFinished,
    /// The agent must be killed at once.
    Forbidden,
    /// A client requested that the task be stopped.
    Cancel,
    /// The server that submitted the task is gone.
    ServerGone,
    /// This supervisor received a termination signal.
    TerminationRequested,
    /// The agent's own process has ended.
    Exited,
    /// All its pipes are closed.
    PipesClosed,
    /// The number of processes in the tree that are alive after the agent itself has exited.
    Survivors(usize),
    /// Time has passed.
    Tick,
}

/// An action for the driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MachineEffect {
    /// Write a heartbeat.
    Heartbeat {
        /// Its number, from 1.
        number: u64,
    },
    /// Warn about a silent agent.
    StallWarning {
        /// How long it has been silent.
        silent: Duration,
    },
    /// Ask the agent to stop in its own way.
    Interrupt(StopCause),
    /// Send SIGTERM to the whole tree.
    Terminate,
    /// Send SIGKILL to the whole tree.
    Kill,
    /// Report that the survivors are left running.
    LeaveBehind,
    /// Report that even SIGKILL did not end some processes.
    GiveUp,
    /// Count the survivors and pass the number as [`MachineInput::Survivors`].
    CountSurvivors,
    /// Finalize the task.
    Close,
}

/// The policy of one run and its state.
#[derive(Debug)]
pub(super) struct Machine {
    policy: Policy,
    state: MachineState,
    stopped: Option<(StopCause, Duration)>,
    heartbeats: u64,
    next_heartbeat: Duration,
    limits: Limits,
    are_pipes_closed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MachineState {
    Running,
    Stopping {
        phase: StopPhase,
        until: Duration,
    },
    /// The agent's own process has ended; survivors are being handled.
    Ended {
        cleanup: Cleanup,
        check_at: Duration,
    },
    Closed,
}

/// The strongest signal sent to the tree so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StopPhase {
    Interrupted,
    Terminated,
    Killed { first: Duration },
}

/// The treatment of survivors. Each duration is the time when the phase ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cleanup {
    /// They may exit by themselves.
    Settling(Duration),
    Terminated(Duration),
    Killed(Duration),
    /// None is left, or they are left running. Output is still read from open pipes.
    Draining(Duration),
}

/// Why the task must stop, if this input means that, whether or not its agent is running.
pub(super) fn stop_requested(policy: &Policy, input: MachineInput) -> Option<StopCause> {
    match (input, policy.on_server_exit) {
        (MachineInput::Cancel, _) => Some(StopCause::Cancelled),
        (MachineInput::TerminationRequested, _) => Some(StopCause::Terminated),
        (MachineInput::ServerGone, OnServerExit::Interrupt) => Some(StopCause::ServerGone),
        (MachineInput::ServerGone, OnServerExit::Continue) => None,
        (
            MachineInput::Output
            | MachineInput::Network(_)
            | MachineInput::SessionFinished
            | MachineInput::Forbidden
            | MachineInput::Exited
            | MachineInput::PipesClosed
            | MachineInput::Survivors(_)
            | MachineInput::Tick,
            _,
        ) => None,
    }
}

impl Machine {
    /// The policy of an agent that was just started.
    pub(super) fn new(policy: Policy) -> Self {
        let next_heartbeat = policy.heartbeat;
        Self {
            policy,
            state: MachineState::Running,
            stopped: None,
            heartbeats: 0,
            next_heartbeat,
            limits: Limits::default(),
            are_pipes_closed: false,
        }
    }

    /// Why and when we began to stop the agent; `None` if it is running, or ended by itself.
    pub(super) fn stopped(&self) -> Option<(StopCause, Duration)> {
        self.stopped
    }

    /// When to call [`step`](Self::step) with [`MachineInput::Tick`] at the latest; `None` once the run is closed.
    pub(super) fn wake_at(&self) -> Option<Duration> {
        match self.state {
            MachineState::Running => {
                [Some(self.next_heartbeat), self.limits.next(&self.policy)].into_iter().flatten().min()
            }
            MachineState::Stopping { until, .. } => Some(until.min(self.next_heartbeat)),
            MachineState::Ended { check_at, .. } => Some(check_at),
            MachineState::Closed => None,
        }
    }

    /// Handles an input at `now`, and returns the effects to carry out, in order.
    pub(super) fn step(&mut self, now: Duration, input: MachineInput) -> Vec<MachineEffect> {
        if input == MachineInput::Output {
            self.limits.output_received(now);
        }
        if let MachineInput::Network(state) = input {
            self.limits.network_reported(now, state);
        }
        if input == MachineInput::PipesClosed {
            self.are_pipes_closed = true;
        }
        match self.state {
            MachineState::Running => self.step_running(now, input),
            MachineState::Stopping { phase, until } => self.step_stopping(now, input, phase, until),
            MachineState::Ended { cleanup, .. } => self.step_ended(now, input, cleanup),
            MachineState::Closed => vec![],
        }
    }

    fn step_running(&mut self, now: Duration, input: MachineInput) -> Vec<MachineEffect> {
        match input {
            MachineInput::Output
            | MachineInput::Network(_)
            | MachineInput::PipesClosed
            | MachineInput::Survivors(_) => vec![],
            MachineInput::SessionFinished => self.stop(now, StopCause::Finished),
            MachineInput::Forbidden => {
                self.stopped = Some((StopCause::Displaced, now));
                self.kill(now)
            }
            MachineInput::Cancel | MachineInput::ServerGone | MachineInput::TerminationRequested => {
                stop_requested(&self.policy, input).map_or_else(Vec::new, |cause| self.stop(now, cause))
            }
            MachineInput::Exited => self.end(now),
            MachineInput::Tick => match self.limit_reached(now) {
                Some(cause) => self.stop(now, cause),
                None => self.heartbeat(now),
            },
        }
    }

    /// The limit that a running agent has reached, if any.
    pub(super) fn limit_reached(&self, now: Duration) -> Option<StopCause> {
        self.limits.reached(&self.policy, now).filter(|_| self.state == MachineState::Running)
    }

    fn stop(&mut self, now: Duration, cause: StopCause) -> Vec<MachineEffect> {
        let until = now.saturating_add(self.policy.grace.interrupt);
        self.state = MachineState::Stopping { phase: StopPhase::Interrupted, until };
        self.stopped = Some((cause, now));
        vec![MachineEffect::Interrupt(cause)]
    }

    fn kill(&mut self, now: Duration) -> Vec<MachineEffect> {
        self.state =
            MachineState::Stopping { phase: StopPhase::Killed { first: now }, until: now + SURVIVOR_POLL_INTERVAL };
        vec![MachineEffect::Kill]
    }

    fn step_stopping(
        &mut self,
        now: Duration,
        input: MachineInput,
        phase: StopPhase,
        until: Duration,
    ) -> Vec<MachineEffect> {
        match input {
            MachineInput::Exited => return self.end_stopped(now, phase, until),
            MachineInput::Forbidden if !matches!(phase, StopPhase::Killed { .. }) => return self.kill(now),
            MachineInput::Tick if now >= until => {}
            // The agent stopped its work through its own protocol. Its program was not asked to exit, so terminate it
            // now.
            MachineInput::SessionFinished if phase == StopPhase::Interrupted && self.is_stopped_early() => {}
            MachineInput::Tick => return self.heartbeat(now),
            MachineInput::Output
            | MachineInput::Network(_)
            | MachineInput::SessionFinished
            | MachineInput::Forbidden
            | MachineInput::Cancel
            | MachineInput::ServerGone
            | MachineInput::TerminationRequested
            | MachineInput::PipesClosed
            | MachineInput::Survivors(_) => return vec![],
        }
        let (phase, until, effect) = match phase {
            StopPhase::Interrupted => {
                (StopPhase::Terminated, now.saturating_add(self.policy.grace.terminate), MachineEffect::Terminate)
            }
            StopPhase::Terminated => return self.kill(now),
            StopPhase::Killed { first } if now >= first + KILL_TIMEOUT => {
                self.state = MachineState::Closed;
                return vec![MachineEffect::GiveUp, MachineEffect::Close];
            }
            StopPhase::Killed { first } => {
                (StopPhase::Killed { first }, now + SURVIVOR_POLL_INTERVAL, MachineEffect::Kill)
            }
        };
        self.state = MachineState::Stopping { phase, until };
        vec![effect]
    }

    /// Whether the agent was asked to stop before its work was done.
    fn is_stopped_early(&self) -> bool {
        !matches!(self.stopped, None | Some((StopCause::Finished, _)))
    }

    fn end(&mut self, now: Duration) -> Vec<MachineEffect> {
        self.clean_up(now, Cleanup::Settling(now + SETTLE_TIME))
    }

    /// The agent ended after it was stopped with this force. Its survivors have received the same signals.
    fn end_stopped(&mut self, now: Duration, phase: StopPhase, until: Duration) -> Vec<MachineEffect> {
        let cleanup = match phase {
            StopPhase::Interrupted => Cleanup::Settling(now + STOPPED_SETTLE_TIME),
            StopPhase::Terminated => Cleanup::Terminated(until),
            StopPhase::Killed { .. } => Cleanup::Killed(now + KILL_TIMEOUT),
        };
        self.clean_up(now, cleanup)
    }

    fn clean_up(&mut self, now: Duration, cleanup: Cleanup) -> Vec<MachineEffect> {
        self.state = MachineState::Ended { cleanup, check_at: now };
        vec![MachineEffect::CountSurvivors]
    }

    fn step_ended(&mut self, now: Duration, input: MachineInput, cleanup: Cleanup) -> Vec<MachineEffect> {
        let survivors = match input {
            MachineInput::Survivors(survivors) => survivors,
            MachineInput::Tick | MachineInput::PipesClosed => return self.check_or_close(now, cleanup),
            MachineInput::Output
            | MachineInput::Network(_)
            | MachineInput::SessionFinished
            | MachineInput::Forbidden
            | MachineInput::Cancel
            | MachineInput::ServerGone
            | MachineInput::TerminationRequested
            | MachineInput::Exited => return vec![],
        };
        let leave = self.stopped.is_none() && self.policy.on_agent_exit == OnAgentExit::Leave;
        let terminate_until = now.saturating_add(self.policy.grace.terminate);
        let (next, effects) = match cleanup {
            Cleanup::Draining(until) => (Cleanup::Draining(until), vec![]),
            Cleanup::Settling(until) if survivors > 0 && now < until => (cleanup, vec![]),
            Cleanup::Settling(_) | Cleanup::Terminated(_) | Cleanup::Killed(_) if survivors == 0 || leave => {
                let mut effects = if survivors > 0 { vec![MachineEffect::LeaveBehind] } else { vec![] };
                if self.are_pipes_closed {
                    effects.push(MachineEffect::Close);
                    self.state = MachineState::Closed;
                    return effects;
                }
                (Cleanup::Draining(now + DRAIN_TIMEOUT), effects)
            }
            Cleanup::Settling(_) => (Cleanup::Terminated(terminate_until), vec![MachineEffect::Terminate]),
            Cleanup::Terminated(until) if now < until => (cleanup, vec![]),
            Cleanup::Terminated(_) => (Cleanup::Killed(now + KILL_TIMEOUT), vec![MachineEffect::Kill]),
            Cleanup::Killed(until) if now < until => (cleanup, vec![MachineEffect::Kill]),
            Cleanup::Killed(_) => {
                self.state = MachineState::Closed;
                return vec![MachineEffect::GiveUp, MachineEffect::Close];
            }
        };
        let check_at = match next {
            Cleanup::Draining(until) => until,
            Cleanup::Settling(_) | Cleanup::Terminated(_) | Cleanup::Killed(_) => now + SURVIVOR_POLL_INTERVAL,
        };
        self.state = MachineState::Ended { cleanup: next, check_at };
        effects
    }

    fn check_or_close(&mut self, now: Duration, cleanup: Cleanup) -> Vec<MachineEffect> {
        match cleanup {
            Cleanup::Draining(until) if self.are_pipes_closed || now >= until => {
                self.state = MachineState::Closed;
                vec![MachineEffect::Close]
            }
            Cleanup::Draining(_) => vec![],
            Cleanup::Settling(_) | Cleanup::Terminated(_) | Cleanup::Killed(_) => vec![MachineEffect::CountSurvivors],
        }
    }

    fn heartbeat(&mut self, now: Duration) -> Vec<MachineEffect> {
        if now < self.next_heartbeat {
            return vec![];
        }
        self.heartbeats += 1;
        // After the machine slept, one heartbeat replaces all missed ones.
        self.next_heartbeat = (self.next_heartbeat + self.policy.heartbeat).max(now + self.policy.heartbeat / 2);
        let silent = self.limits.silence(now);
        let warning = (silent >= self.policy.stall_warning).then_some(MachineEffect::StallWarning { silent });
        [Some(MachineEffect::Heartbeat { number: self.heartbeats }), warning].into_iter().flatten().collect()
    }
}

#[cfg(test)]
#[path = "machine_tests.rs"]
mod tests;
