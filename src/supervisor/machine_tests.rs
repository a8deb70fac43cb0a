//! Tests of the policy as tables of inputs and effects.

use super::{
    Machine,
    MachineEffect::*,
    MachineInput::{self, Network},
    NetworkState,
};
use crate::task::{CgroupUse, Grace, OnAgentExit, OnServerExit, Policy, StopCause};
use std::time::Duration;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn policy() -> Policy {
    Policy {
        timeout: None,
        heartbeat: s(30),
        stall_warning: s(120),
        stop_after_silence: None,
        give_up_offline: None,
        grace: Grace { interrupt: s(2), terminate: s(2) },
        cgroup: CgroupUse::Auto,
        on_server_exit: OnServerExit::Interrupt,
        on_agent_exit: OnAgentExit::Kill,
        keep_events: false,
        log_bytes: None,
        redact: true,
    }
}

/// Passes inputs at their times, and collects the effects of each.
fn run(policy: Policy, inputs: &[(Duration, MachineInput)]) -> Vec<Vec<super::MachineEffect>> {
    let mut machine = Machine::new(policy);
    inputs.iter().map(|(now, input)| machine.step(*now, *input)).collect()
}

#[test]
fn survivors_are_checked_after_the_agent_exits_and_the_run_is_closed() {
    let done = run(
        policy(),
        &[(s(1), MachineInput::PipesClosed), (s(1), MachineInput::Exited), (s(1), MachineInput::Survivors(0))],
    );
    assert_eq!(done, [vec![], vec![CountSurvivors], vec![Close]]);
}

#[test]
fn a_silent_agent_is_warned_about_at_each_heartbeat() {
    let ticks: Vec<_> = (1..=6).map(|n| (s(30 * n), MachineInput::Tick)).collect();
    let done = run(policy(), &ticks);
    assert_eq!(done[2], [Heartbeat { number: 3 }]);
    assert_eq!(done[3], [Heartbeat { number: 4 }, StallWarning { silent: s(120) }]);
    assert_eq!(done[4], [Heartbeat { number: 5 }, StallWarning { silent: s(150) }]);
}

#[test]
fn output_silences_the_warning() {
    let done =
        run(policy(), &[(s(119), MachineInput::Output), (s(120), MachineInput::Tick), (s(121), MachineInput::Tick)]);
    assert_eq!(done[1], [Heartbeat { number: 1 }]);
    assert_eq!(done[2], []);
}

#[test]
fn missed_heartbeats_are_not_repeated() {
    let done = run(
        policy(),
        &[(s(3_000), MachineInput::Tick), (s(3_001), MachineInput::Tick), (s(3_030), MachineInput::Tick)],
    );
    assert_eq!(
        done.iter().map(|effects| effects.iter().filter(|e| matches!(e, Heartbeat { .. })).count()).sum::<usize>(),
        2
    );
}

#[test]
fn a_stop_escalates_from_interrupt_to_sigterm_to_sigkill() {
    let done = run(
        policy(),
        &[
            (s(10), MachineInput::Cancel),
            (ms(11_900), MachineInput::Tick),
            (s(12), MachineInput::Tick),
            (s(13), MachineInput::Cancel),
            (s(14), MachineInput::Tick),
            (s(15), MachineInput::Exited),
            (s(15), MachineInput::Survivors(0)),
            (s(15), MachineInput::PipesClosed),
        ],
    );
    let expected = [
        vec![Interrupt(StopCause::Cancelled)],
        vec![],
        vec![Terminate],
        vec![],
        vec![Kill],
        vec![CountSurvivors],
        vec![],
        vec![Close],
    ];
    assert_eq!(done, expected);
}

#[test]
fn the_time_limit_and_silence_stop_the_agent() {
    let timeout = Policy { timeout: Some(s(5)), ..policy() };
    assert_eq!(Machine::new(timeout.clone()).wake_at(), Some(s(5)));
    assert_eq!(run(timeout, &[(s(5), MachineInput::Tick)])[0], [Interrupt(StopCause::TimedOut { limit: s(5) })]);

    let silence = Policy { stop_after_silence: Some(s(5)), ..policy() };
    let done = run(silence, &[(s(3), MachineInput::Output), (s(5), MachineInput::Tick), (s(8), MachineInput::Tick)]);
    assert_eq!(done, [vec![], vec![], vec![Interrupt(StopCause::Silent { limit: s(5) })]]);
}

#[test]
fn waiting_for_the_network_stops_the_agent_at_its_limit() {
    let (waiting, working) = (Network(NetworkState::Waiting), Network(NetworkState::Working));
    let policy = Policy { give_up_offline: Some(s(5)), ..policy() };
    let tick = MachineInput::Tick;
    let inputs = [(s(2), waiting), (s(4), waiting), (s(6), tick), (s(7), tick)];
    let stopped = vec![Interrupt(StopCause::Offline { limit: s(5) })];
    assert_eq!(run(policy.clone(), &inputs), [vec![], vec![], vec![], stopped], "the first report counts");
    let inputs = [(s(2), waiting), (s(4), working), (s(9), tick), (s(10), waiting), (s(14), tick)];
    assert_eq!(run(policy.clone(), &inputs), vec![vec![]; 5], "a step ends the wait");

    let mut machine = Machine::new(policy);
    assert_eq!(machine.wake_at(), Some(s(30)), "only the heartbeat");
    machine.step(s(2), waiting);
    assert_eq!(machine.wake_at(), Some(s(7)));
}

#[test]
fn a_server_exit_stops_the_agent_only_if_configured() {
    assert_eq!(run(policy(), &[(s(1), MachineInput::ServerGone)])[0], [Interrupt(StopCause::ServerGone)]);
    let continues = Policy { on_server_exit: OnServerExit::Continue, ..policy() };
    assert_eq!(run(continues.clone(), &[(s(1), MachineInput::ServerGone)])[0], []);
    assert_eq!(run(continues, &[(s(1), MachineInput::TerminationRequested)])[0], [Interrupt(StopCause::Terminated)]);
}

#[test]
fn survivors_get_a_moment_then_sigterm_then_sigkill() {
    let done = run(
        policy(),
        &[
            (s(1), MachineInput::PipesClosed),
            (s(1), MachineInput::Exited),
            (s(1), MachineInput::Survivors(2)),
            (ms(1_020), MachineInput::Tick),
            (ms(1_120), MachineInput::Survivors(2)),
            (ms(2_000), MachineInput::Survivors(1)),
            (ms(3_130), MachineInput::Survivors(1)),
            (ms(3_150), MachineInput::Survivors(1)),
            (ms(3_170), MachineInput::Survivors(0)),
        ],
    );
    let expected = [
        vec![],
        vec![CountSurvivors],
        vec![],
        vec![CountSurvivors],
        vec![Terminate],
        vec![],
        vec![Kill],
        vec![Kill],
        vec![Close],
    ];
    assert_eq!(done, expected);
}

#[test]
fn survivors_of_a_stopped_agent_get_only_the_remaining_grace() {
    let cancelled = [(s(1), MachineInput::Cancel), (s(3), MachineInput::Tick)];
    let terminated = run(
        policy(),
        &[
            &cancelled[..],
            &[(s(4), MachineInput::Exited), (s(4), MachineInput::Survivors(1)), (s(5), MachineInput::Survivors(1))],
        ]
        .concat(),
    );
    assert_eq!(terminated[1..], [vec![Terminate], vec![CountSurvivors], vec![], vec![Kill]]);
    let killed = run(
        policy(),
        &[
            &cancelled[..],
            &[(s(5), MachineInput::Tick), (s(5), MachineInput::Exited), (s(5), MachineInput::Survivors(1))],
        ]
        .concat(),
    );
    assert_eq!(killed[1..], [vec![Terminate], vec![Kill], vec![CountSurvivors], vec![Kill]]);
}

#[test]
fn survivors_of_an_agent_that_exited_are_left_alone_if_configured() {
    let leave = Policy { on_agent_exit: OnAgentExit::Leave, ..policy() };
    let by_itself = [
        (s(1), MachineInput::PipesClosed),
        (s(1), MachineInput::Exited),
        (s(1), MachineInput::Survivors(2)),
        (ms(1_200), MachineInput::Survivors(2)),
    ];
    assert_eq!(run(leave.clone(), &by_itself)[2..], [vec![], vec![LeaveBehind, Close]]);

    let stopped = [
        (s(1), MachineInput::Cancel),
        (s(1), MachineInput::PipesClosed),
        (s(1), MachineInput::Exited),
        (ms(1_200), MachineInput::Survivors(2)),
    ];
    assert_eq!(run(leave, &stopped)[3], [Terminate]);
}

#[test]
fn a_pipe_held_by_another_process_delays_the_end_only_briefly() {
    let done = run(
        policy(),
        &[
            (s(1), MachineInput::Exited),
            (s(1), MachineInput::Survivors(0)),
            (ms(1_499), MachineInput::Tick),
            (ms(1_500), MachineInput::Tick),
        ],
    );
    assert_eq!(done, [vec![CountSurvivors], vec![], vec![], vec![Close]]);
}

#[test]
fn the_run_is_closed_despite_a_process_that_cannot_be_killed() {
    let mut machine = Machine::new(policy());
    machine.step(s(0), MachineInput::Cancel);
    let (mut now, mut done) = (s(0), vec![]);
    for _ in 0..10_000 {
        let Some(wake) = machine.wake_at() else { break };
        now = wake.max(now);
        done = machine.step(now, MachineInput::Tick);
    }
    assert_eq!((machine.wake_at(), done), (None, vec![GiveUp, Close]));
    assert!(now <= s(10), "{now:?}");
}

#[test]
fn survivors_that_cannot_be_killed_are_given_up() {
    let alive = |at| (at, MachineInput::Survivors(1));
    let inputs = [(s(1), MachineInput::Exited), alive(s(2)), alive(s(4)), alive(s(9)), alive(s(10))];
    assert_eq!(run(policy(), &inputs)[1..], [vec![Terminate], vec![Kill], vec![GiveUp, Close], vec![]]);
}

#[test]
fn the_first_stop_cause_wins() {
    let mut machine = Machine::new(policy());
    machine.step(s(1), MachineInput::Cancel);
    machine.step(s(2), MachineInput::ServerGone);
    machine.step(s(2), MachineInput::Exited);
    assert_eq!(machine.stopped(), Some((StopCause::Cancelled, s(1))));
}

#[test]
fn an_agent_stopped_by_its_own_protocol_is_terminated_without_a_grace_period() {
    let done = run(
        policy(),
        &[(s(1), MachineInput::Cancel), (ms(1100), MachineInput::SessionFinished), (ms(1200), MachineInput::Exited)],
    );
    assert_eq!(done, [vec![Interrupt(StopCause::Cancelled)], vec![Terminate], vec![CountSurvivors]]);
    // An agent whose work is done gets the full grace period, even if it reports that twice.
    let done = run(policy(), &[(s(1), MachineInput::SessionFinished), (ms(1100), MachineInput::SessionFinished)]);
    assert_eq!(done, [vec![Interrupt(StopCause::Finished)], vec![]]);
}

#[test]
fn a_forbidden_agent_is_killed_immediately() {
    let mut machine = Machine::new(policy());
    assert_eq!(machine.step(s(1), MachineInput::Forbidden), [Kill]);
    assert_eq!(machine.stopped(), Some((StopCause::Displaced, s(1))));
    assert_eq!(machine.step(s(1), MachineInput::Forbidden), []);
    let done = run(
        policy(),
        &[(s(1), MachineInput::Cancel), (ms(1100), MachineInput::Forbidden), (ms(1200), MachineInput::Exited)],
    );
    assert_eq!(done, [vec![Interrupt(StopCause::Cancelled)], vec![Kill], vec![CountSurvivors]]);
}
