//! Tests of what is derived from a timeline, and properties of any timeline.

use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::task::{CommandOutcome, TaskStatus, TimelineEntry, TimelineEvent as Event, WarningSource};

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_768_473_000_000 + millis).expect("a valid time")
}

/// Spans of a timeline, as kinds with their starts and ends in seconds.
fn spans(entries: Vec<(i64, Event)>, end: i64) -> Vec<(SpanKind, i64, i64)> {
    let mut builder = SpanBuilder::new(at(0), 100);
    for (seq, (second, event)) in (1..).zip(entries) {
        let line = TimelineEntry { seq, at: at(second * 1_000), event }.to_line();
        builder.add(ActivityMark::read(&line).expect("a complete line"));
    }
    let second = |time: DateTime<Utc>| (time - at(0)).num_seconds();
    builder.spans(at(end * 1_000)).iter().map(|span| (span.kind, second(span.start), second(span.end))).collect()
}

fn thought() -> Event {
    Event::Reasoning { text: "hm".into() }
}

fn started() -> Event {
    Event::CommandStarted { command: "make".into() }
}

fn finished(took: Option<u64>) -> Event {
    Event::CommandFinished {
        command: "make".into(),
        status: CommandOutcome::Completed,
        exit_code: Some(0),
        took: took.map(Duration::from_secs),
        output: String::new(),
    }
}

fn edited() -> Event {
    Event::FilesChanged { files: vec![], omitted: 0, applied: true }
}

fn warning(offline: bool) -> Event {
    Event::Warning { source: WarningSource::AgentTrouble, text: "again".into(), offline }
}

fn agent() -> Event {
    let backend = connector_api::BackendName::new("codex").expect("a valid name");
    Event::Started { backend, version: None, attempt: 1 }
}

fn ended() -> Event {
    Event::Ended { status: TaskStatus::Completed, reason: None, exit_code: None, exit_signal: None, took: None }
}

#[test]
fn each_period_has_the_kind_of_what_was_done_in_it() {
    use SpanKind as K;
    let entries = vec![
        (0, agent()),
        (10, thought()),
        (12, started()),
        (80, finished(Some(68))),
        (85, edited()),
        (90, thought()),
        (91, ended()),
    ];
    let expected = [(K::Thinking, 0, 12), (K::Command, 12, 80), (K::Edit, 80, 85), (K::Thinking, 85, 91)];
    assert_eq!(spans(entries, 91), expected);
    assert_eq!(spans(vec![], 30), [(K::Thinking, 0, 30)]);
    assert_eq!(spans(vec![], 61), [(K::Silence, 0, 61)]);
    assert_eq!(spans(vec![(5, thought())], 0), []);
    assert_eq!(spans(vec![(5, thought()), (3, thought())], 4), [(K::Thinking, 0, 4)], "clocks are set");
}

#[test]
fn a_task_waits_from_a_place_in_the_queue_until_its_agent_starts() {
    use SpanKind as K;
    let queued = |ahead| Event::Queued { ahead, max_running: 1 };
    let entries = vec![(1, queued(2)), (100, queued(1)), (200, agent()), (210, thought())];
    assert_eq!(spans(entries, 210), [(K::Waiting, 0, 200), (K::Thinking, 200, 210)]);
    assert_eq!(spans(vec![(1, queued(2))], 500), [(K::Waiting, 0, 500)]);
}

#[test]
fn an_agent_waits_for_the_network_until_its_next_step() {
    use SpanKind as K;
    let silent = Event::Silence { lasting: Duration::from_secs(120) };
    let entries = vec![(5, thought()), (10, warning(true)), (70, warning(true)), (140, silent), (200, thought())];
    assert_eq!(spans(entries, 210), [(K::Thinking, 0, 10), (K::Waiting, 10, 200), (K::Thinking, 200, 210)]);
    assert_eq!(spans(vec![(5, warning(false)), (9, thought())], 9), [(K::Thinking, 0, 9)]);
}

#[test]
fn silence_is_what_nothing_is_known_about() {
    use SpanKind as K;
    let silent = |lasting| Event::Silence { lasting: Duration::from_secs(lasting) };
    let entries = vec![(30, thought()), (50, silent(15)), (70, thought()), (140, edited()), (141, thought())];
    let expected = [(K::Thinking, 0, 35), (K::Silence, 35, 140), (K::Thinking, 140, 141)];
    assert_eq!(spans(entries, 141), expected);
    // A command that prints nothing is still a command.
    let entries = vec![(1, started()), (400, silent(390)), (500, finished(None)), (501, thought())];
    assert_eq!(spans(entries, 501), [(K::Thinking, 0, 1), (K::Command, 1, 500), (K::Thinking, 500, 501)]);
}

#[test]
fn commands_run_until_the_last_of_them_ends_or_the_agent_is_replaced() {
    use SpanKind as K;
    let entries = vec![(1, started()), (2, started()), (5, finished(None)), (6, thought()), (9, finished(None))];
    assert_eq!(spans(entries, 10), [(K::Thinking, 0, 1), (K::Command, 1, 9), (K::Thinking, 9, 10)]);
    let entries = vec![(1, started()), (5, agent()), (9, thought())];
    assert_eq!(spans(entries, 10), [(K::Thinking, 0, 1), (K::Command, 1, 5), (K::Thinking, 5, 10)]);
    // Only its end was reported.
    assert_eq!(spans(vec![(30, finished(Some(10)))], 30), [(K::Thinking, 0, 20), (K::Command, 20, 30)]);
    assert_eq!(spans(vec![(30, finished(Some(99)))], 30), [(K::Command, 0, 30)]);
}

#[test]
fn a_line_that_is_no_entry_has_no_mark() {
    for line in ["", "{", "{}", r#"{"kind":"message"}"#, r#"{"at":"yesterday","kind":"message"}"#] {
        assert_eq!(ActivityMark::read(line.as_bytes()), None, "{line}");
    }
}

fn any_mark() -> impl Strategy<Value = ActivityMark> {
    let took = || (-10_i64..200_000).prop_map(TimeDelta::milliseconds);
    let event = prop_oneof![
        1 => Just(MarkEvent::Waits),
        3 => Just(MarkEvent::CommandStarted),
        3 => prop::option::of(took()).prop_map(MarkEvent::CommandFinished),
        3 => Just(MarkEvent::Edited),
        1 => took().prop_map(MarkEvent::Silent),
        1 => Just(MarkEvent::Restarted),
        2 => Just(MarkEvent::Aside),
        5 => Just(MarkEvent::Step),
    ];
    (0_i64..400_000, event).prop_map(|(millis, event)| ActivityMark { at: at(millis), event })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn spans_are_ordered_and_cover_the_whole_time(
        mut marks in prop::collection::vec(any_mark(), 0..300),
        is_sorted in prop::bool::weighted(0.9),
        end in 0_i64..500_000,
        limit in 1_usize..40,
    ) {
        if is_sorted {
            marks.sort_by_key(|mark| mark.at);
        }
        let mut builder = SpanBuilder::new(at(0), limit);
        marks.iter().for_each(|mark| builder.add(*mark));
        let spans = builder.spans(at(end));
        prop_assert!(spans.len() <= limit, "{} spans", spans.len());
        prop_assert!(builder.parts.len() <= 2 * limit, "memory is limited");
        let mut covered = at(0);
        for span in &spans {
            prop_assert_eq!(span.start, covered);
            prop_assert!(span.end > span.start);
            covered = span.end;
        }
        prop_assert_eq!(covered, at(end));
        prop_assert!(spans.windows(2).all(|two| two[0].kind != two[1].kind), "neighbors of one kind are merged");
    }

    #[test]
    fn a_long_span_keeps_its_place_among_many_short_ones(short in 1_i64..50, count in 1_i64..400) {
        // Short commands and longer thoughts in turn, and one command that takes twice as long as all of them.
        let mut builder = SpanBuilder::new(at(0), 10);
        let mut now = 0;
        let mut step = |millis: i64, event| {
            now += millis;
            builder.add(ActivityMark { at: at(now), event });
            now
        };
        for _ in 0..count {
            step(3 * short, MarkEvent::CommandStarted);
            step(short, MarkEvent::CommandFinished(None));
        }
        let start = step(short, MarkEvent::CommandStarted);
        let length = 8 * short * count;
        let end = step(length, MarkEvent::CommandFinished(None));
        let last = step(short, MarkEvent::Step);
        let longest = builder.spans(at(last)).into_iter().max_by_key(|span| span.end - span.start).expect("there is one");
        prop_assert_eq!(longest.kind, SpanKind::Command);
        let off = TimeDelta::milliseconds(length / 4 + 2 * short);
        prop_assert!((longest.start - at(start)).abs() <= off && (longest.end - at(end)).abs() <= off, "{longest:?}");
    }
}
