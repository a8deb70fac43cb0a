//! The policy as a table: what happens, and what is done about it.

use super::{Effect::*, Input, Machine};
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
        grace: Grace { interrupt: s(2), terminate: s(2) },
        cgroup: CgroupUse::Auto,
        on_server_exit: OnServerExit::Interrupt,
        on_agent_exit: OnAgentExit::Kill,
        keep_events: false,
        log_bytes: None,
        redact: true,
    }
}

/// Feeds inputs at their times and collects what is done at each.
fn run(policy: Policy, inputs: &[(Duration, Input)]) -> Vec<Vec<super::Effect>> {
    let mut machine = Machine::new(policy);
    inputs.iter().map(|(now, input)| machine.step(*now, *input)).collect()
}

#[test]
fn an_agent_that_ends_by_itself_is_looked_after_and_closed() {
    let done = run(policy(), &[(s(1), Input::PipesClosed), (s(1), Input::Exited), (s(1), Input::Survivors(0))]);
    assert_eq!(done, [vec![], vec![LookForSurvivors], vec![Close]]);
}

#[test]
fn a_silent_agent_is_warned_about_at_each_heartbeat() {
    let ticks: Vec<_> = (1..=6).map(|n| (s(30 * n), Input::Tick)).collect();
    let done = run(policy(), &ticks);
    assert_eq!(done[2], [Heartbeat { number: 3 }]);
    assert_eq!(done[3], [Heartbeat { number: 4 }, StallWarning { silent: s(120) }]);
    assert_eq!(done[4], [Heartbeat { number: 5 }, StallWarning { silent: s(150) }]);
}

#[test]
fn output_silences_the_warning() {
    let done = run(policy(), &[(s(119), Input::Output), (s(120), Input::Tick), (s(121), Input::Tick)]);
    assert_eq!(done[1], [Heartbeat { number: 1 }]);
    assert_eq!(done[2], []);
}

#[test]
fn a_machine_that_slept_beats_once_and_not_for_every_missed_time() {
    let done = run(policy(), &[(s(3_000), Input::Tick), (s(3_001), Input::Tick), (s(3_030), Input::Tick)]);
    assert_eq!(
        done.iter().map(|effects| effects.iter().filter(|e| matches!(e, Heartbeat { .. })).count()).sum::<usize>(),
        2
    );
}

#[test]
fn a_stop_is_polite_then_firm_then_final() {
    let done = run(
        policy(),
        &[
            (s(10), Input::Cancel),
            (ms(11_900), Input::Tick),
            (s(12), Input::Tick),
            (s(13), Input::Cancel),
            (s(14), Input::Tick),
            (s(15), Input::Exited),
            (s(15), Input::Survivors(0)),
            (s(15), Input::PipesClosed),
        ],
    );
    let expected = [
        vec![Interrupt(StopCause::Cancelled)],
        vec![],
        vec![Terminate],
        vec![],
        vec![Kill],
        vec![LookForSurvivors],
        vec![],
        vec![Close],
    ];
    assert_eq!(done, expected);
}

#[test]
fn the_time_limit_and_silence_stop_the_agent() {
    let timeout = Policy { timeout: Some(s(5)), ..policy() };
    assert_eq!(Machine::new(timeout.clone()).wake_at(), Some(s(5)));
    assert_eq!(run(timeout, &[(s(5), Input::Tick)])[0], [Interrupt(StopCause::TimedOut { limit: s(5) })]);

    let silence = Policy { stop_after_silence: Some(s(5)), ..policy() };
    let done = run(silence, &[(s(3), Input::Output), (s(5), Input::Tick), (s(8), Input::Tick)]);
    assert_eq!(done, [vec![], vec![], vec![Interrupt(StopCause::Silent { limit: s(5) })]]);
}

#[test]
fn a_server_that_is_gone_stops_the_agent_only_where_that_is_asked_for() {
    assert_eq!(run(policy(), &[(s(1), Input::ServerGone)])[0], [Interrupt(StopCause::ServerGone)]);
    let stays = Policy { on_server_exit: OnServerExit::Continue, ..policy() };
    assert_eq!(run(stays.clone(), &[(s(1), Input::ServerGone)])[0], []);
    assert_eq!(run(stays, &[(s(1), Input::ToldToGo)])[0], [Interrupt(StopCause::ServerGone)]);
}

#[test]
fn survivors_have_a_moment_then_sigterm_then_sigkill() {
    let done = run(
        policy(),
        &[
            (s(1), Input::PipesClosed),
            (s(1), Input::Exited),
            (s(1), Input::Survivors(2)),
            (ms(1_020), Input::Tick),
            (ms(1_120), Input::Survivors(2)),
            (ms(2_000), Input::Survivors(1)),
            (ms(3_130), Input::Survivors(1)),
            (ms(3_150), Input::Survivors(1)),
            (ms(3_170), Input::Survivors(0)),
        ],
    );
    let expected = [
        vec![],
        vec![LookForSurvivors],
        vec![],
        vec![LookForSurvivors],
        vec![Terminate],
        vec![],
        vec![Kill],
        vec![Kill],
        vec![Close],
    ];
    assert_eq!(done, expected);
}

#[test]
fn what_outlives_a_stopped_agent_has_no_more_grace_than_is_left() {
    let cancelled = [(s(1), Input::Cancel), (s(3), Input::Tick)];
    let terminated = run(
        policy(),
        &[&cancelled[..], &[(s(4), Input::Exited), (s(4), Input::Survivors(1)), (s(5), Input::Survivors(1))]].concat(),
    );
    assert_eq!(terminated[1..], [vec![Terminate], vec![LookForSurvivors], vec![], vec![Kill]]);
    let killed = run(
        policy(),
        &[&cancelled[..], &[(s(5), Input::Tick), (s(5), Input::Exited), (s(5), Input::Survivors(1))]].concat(),
    );
    assert_eq!(killed[1..], [vec![Terminate], vec![Kill], vec![LookForSurvivors], vec![Kill]]);
}

#[test]
fn survivors_are_left_alone_where_that_is_asked_for_and_the_agent_ended_by_itself() {
    let leave = Policy { on_agent_exit: OnAgentExit::Leave, ..policy() };
    let by_itself = [
        (s(1), Input::PipesClosed),
        (s(1), Input::Exited),
        (s(1), Input::Survivors(2)),
        (ms(1_200), Input::Survivors(2)),
    ];
    assert_eq!(run(leave.clone(), &by_itself)[2..], [vec![], vec![LeaveBehind, Close]]);

    let stopped =
        [(s(1), Input::Cancel), (s(1), Input::PipesClosed), (s(1), Input::Exited), (ms(1_200), Input::Survivors(2))];
    assert_eq!(run(leave, &stopped)[3], [Terminate]);
}

#[test]
fn a_pipe_that_someone_holds_delays_the_end_only_for_a_moment() {
    let done = run(
        policy(),
        &[(s(1), Input::Exited), (s(1), Input::Survivors(0)), (ms(1_499), Input::Tick), (ms(1_500), Input::Tick)],
    );
    assert_eq!(done, [vec![LookForSurvivors], vec![], vec![], vec![Close]]);
}

#[test]
fn the_books_are_closed_over_a_process_that_nothing_can_end() {
    let mut machine = Machine::new(policy());
    machine.step(s(0), Input::Cancel);
    let (mut now, mut done) = (s(0), vec![]);
    for _ in 0..10_000 {
        let Some(wake) = machine.wake_at() else { break };
        now = wake.max(now);
        done = machine.step(now, Input::Tick);
    }
    assert_eq!((machine.wake_at(), done), (None, vec![GiveUp, Close]));
    assert!(now <= s(10), "{now:?}");
}

#[test]
fn survivors_that_not_even_sigkill_ends_are_given_up() {
    let lives = |at| (at, Input::Survivors(1));
    let inputs = [(s(1), Input::Exited), lives(s(2)), lives(s(4)), lives(s(9)), lives(s(10))];
    assert_eq!(run(policy(), &inputs)[1..], [vec![Terminate], vec![Kill], vec![GiveUp, Close], vec![]]);
}

#[test]
fn the_first_cause_of_a_stop_stands() {
    let mut machine = Machine::new(policy());
    machine.step(s(1), Input::Cancel);
    machine.step(s(2), Input::ServerGone);
    machine.step(s(2), Input::Exited);
    assert_eq!(machine.stopped(), Some((StopCause::Cancelled, s(1))));
}

#[test]
fn an_agent_that_stopped_in_its_own_protocol_is_not_waited_for_any_longer() {
    let done = run(policy(), &[(s(1), Input::Cancel), (ms(1100), Input::SessionFinished), (ms(1200), Input::Exited)]);
    assert_eq!(done, [vec![Interrupt(StopCause::Cancelled)], vec![Terminate], vec![LookForSurvivors]]);
    // One whose work is done gets its whole grace, however often it says so.
    let done = run(policy(), &[(s(1), Input::SessionFinished), (ms(1100), Input::SessionFinished)]);
    assert_eq!(done, [vec![Interrupt(StopCause::Finished)], vec![]]);
}

#[test]
fn an_agent_that_may_not_do_anything_any_more_is_killed_at_once() {
    let mut machine = Machine::new(policy());
    assert_eq!(machine.step(s(1), Input::Forbidden), [Kill]);
    assert_eq!(machine.stopped(), Some((StopCause::Displaced, s(1))));
    assert_eq!(machine.step(s(1), Input::Forbidden), []);
    let done = run(policy(), &[(s(1), Input::Cancel), (ms(1100), Input::Forbidden), (ms(1200), Input::Exited)]);
    assert_eq!(done, [vec![Interrupt(StopCause::Cancelled)], vec![Kill], vec![LookForSurvivors]]);
}
